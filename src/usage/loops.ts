import { existsSync } from "node:fs";
import path from "node:path";

import { native } from "../native.js";
import { listFolder, readAttribute } from "../system/sysfs.js";
import { type HostFolders, THIS_HOST } from "./host.js";
import { type HostNode, nodeAt } from "./node.js";

/** A loop device with something behind it. */
export interface LoopDevice {
  /** "7:3" */
  readonly number: string;
  /** What is behind it; undefined where nobody lets us know. */
  readonly backing: HostNode | undefined;
}

/** The loop devices that are in use. */
export async function listLoops(host: HostFolders): Promise<LoopDevice[]> {
  const block = path.join(host.sysfs, "block");
  const names = (await listFolder(block)).filter(
    // Hosts keep hundreds that have nothing behind them; sysfs answers at once.
    (name) => /^loop\d+$/.test(name) && existsSync(path.join(block, name, "loop/backing_file")),
  );
  const loops = await Promise.all(
    names.map(async (name) => {
      const file = await readAttribute(path.join(block, name, "loop/backing_file"));
      if (file === undefined) return [];
      const number = await readAttribute(path.join(block, name, "dev"));
      if (number === undefined) return [];
      const backing = (await askDevice(name, host)) ?? (await nodeAt(file));
      return [{ number, backing }];
    }),
  );
  return loops.flat();
}

/**
 * The file behind a loop device, as the device knows it: the path in sysfs may be another file's by
 * now, or be meant in the mounts of a container.
 */
async function askDevice(name: string, host: HostFolders): Promise<HostNode | undefined> {
  if (host !== THIS_HOST) return undefined;
  const asked = { path: path.join("/dev", name), mode: "read", kind: "block" } as const;
  const device = await native()
    .openPosix(asked)
    .catch(() => undefined);
  if (device === undefined) return undefined;
  const { medium } = device.info;
  await device.close();
  const [, major, minor, inode] = /^file:(\d+):(\d+):(\d+)$/.exec(medium) ?? [];
  return inode === undefined ? undefined : { major: Number(major), minor: Number(minor), inode };
}
