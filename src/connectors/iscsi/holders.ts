/** Who uses a block device, so that it is not taken away from under them. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";

import { listFolder, readAttribute } from "../../system/sysfs.js";
import { waitFor } from "../../system/wait.js";
import { deviceOf } from "../../usage/node.js";
import { type Use, usesOfPath } from "../../usage/uses.js";
import { udevSettled } from "./udev.js";

const BLOCK = "/sys/class/block";
/** udev's rules, and what they start, open every new device for a moment. */
const MOMENT_MS = 5000;
/** It has its paths open and lets go of one that is removed. */
const PATH_WATCHER = /^process \d+ \(multipathd\) /;

/** The device-mapper devices and the like that lie on a device: "dm-3". */
export function holdersOf(name: string): Promise<string[]> {
  return listFolder(path.join(BLOCK, name, "holders"));
}

/**
 * Who uses a block device, by any way that this host knows of, in words; undefined where nobody does.
 *
 * @param name "sda" or "dm-3"
 */
export async function whatUses(name: string): Promise<string | undefined> {
  let uses = await usesNow(name);
  if (isPassing(uses)) {
    await udevSettled();
    const settled = async () => {
      uses = await usesNow(name);
      return isPassing(uses) ? undefined : uses;
    };
    await waitFor(settled, { deadlineMs: MOMENT_MS });
  }
  if (uses.length > 0) return `${name} is in use: ${uses.map(({ text }) => text).join("; ")}`;
  return (await canBeClaimed(name)) ? undefined : `${name} is open elsewhere`;
}

/** Only readers: they may be udev's. */
function isPassing(uses: readonly Use[]): boolean {
  return uses.length > 0 && uses.every(({ kind }) => kind === "reader");
}

async function usesNow(name: string): Promise<Use[]> {
  const number = await readAttribute(path.join(BLOCK, name, "dev"));
  const node = number === undefined ? undefined : deviceOf(number);
  const uses = node === undefined ? [] : await usesOfPath(node);
  return uses.filter(({ text }) => !PATH_WATCHER.test(text));
}

/** What no list shows, such as ZFS and DRBD, claims a device all the same: O_EXCL is refused to others then. */
async function canBeClaimed(name: string): Promise<boolean> {
  try {
    const handle = await open(path.join("/dev", name), constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EBUSY";
  }
}
