import type { HostNode } from "../usage/node.js";
import { deviceOf } from "../usage/node.js";
import type { Stack } from "../usage/stack.js";
import { whyDevicesAreUnseen } from "../usage/unseen.js";
import { free, freeUnless, taken, type Verdict } from "./guard.js";

/** What a host needs to run, or to start again. */
const SYSTEM_MOUNTS: readonly string[] = ["/", "/usr", "/var", "/boot", "/boot/efi"];

/** A device on a disk that the running system lies on is rarely meant. */
export async function checkRootDisk(target: HostNode | undefined, stack: Stack): Promise<Verdict> {
  if (target === undefined) return free("it is no block device of this host");
  const disks = await stack.disksOf(target);
  const mounts = (await stack.mounts()).filter(({ mountPoint }) =>
    SYSTEM_MOUNTS.includes(mountPoint),
  );
  let seen = 0;
  for (const { keys, mountPoint } of mounts) {
    for (const device of [...keys].map(deviceOf)) {
      if (device === undefined) continue;
      for (const disk of await stack.disksOf(device)) {
        seen += 1;
        if (!disks.has(disk)) continue;
        return taken(`it is on ${await stack.devices.nameOf(disk)}, the disk of ${mountPoint}`);
      }
    }
  }
  return freeUnless(
    await whyDevicesAreUnseen(target, stack),
    seen === 0
      ? "the root file system lies on no disk that this host shows"
      : "the root file system lies on other disks",
  );
}
