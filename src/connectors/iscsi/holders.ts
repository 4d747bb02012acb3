/** Who uses a block device, so that it is not taken away from under them. */
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import path from "node:path";

import { listFolder, readAttribute } from "../../system/sysfs.js";

const BLOCK = "/sys/class/block";

/** The device-mapper devices and the like that lie on a device: "dm-3". */
export function holdersOf(name: string): Promise<string[]> {
  return listFolder(path.join(BLOCK, name, "holders"));
}

/**
 * What holds a block device, in words; undefined where nothing does.
 *
 * @param name "sda" or "dm-3"
 */
export async function whatHolds(name: string): Promise<string | undefined> {
  for (const part of [name, ...(await partitionsOf(name))]) {
    const [holder] = await holdersOf(part);
    if (holder !== undefined) return `${part} is used by ${await nameOf(holder)}`;
    const mounted = await mountPointOf(part);
    if (mounted !== undefined) return `${part} is mounted at ${mounted}`;
  }
  return (await canBeClaimed(name)) ? undefined : `${name} is open elsewhere`;
}

async function partitionsOf(name: string): Promise<string[]> {
  const inside = await listFolder(path.join(BLOCK, name));
  const parts: string[] = [];
  for (const entry of inside) {
    const number = await readAttribute(path.join(BLOCK, name, entry, "partition"));
    if (number !== undefined) parts.push(entry);
  }
  return parts;
}

/** "dm-3 (vg0-root)" */
async function nameOf(holder: string): Promise<string> {
  const mapped = await readAttribute(path.join(BLOCK, holder, "dm", "name"));
  return mapped === undefined ? holder : `${holder} (${mapped})`;
}

async function mountPointOf(name: string): Promise<string | undefined> {
  const number = await readAttribute(path.join(BLOCK, name, "dev"));
  if (number === undefined) return undefined;
  for (const line of (await readFile("/proc/self/mountinfo", "utf8")).split("\n")) {
    const [, , device, , mountPoint] = line.split(" ");
    if (device === number) return mountPoint;
  }
  return undefined;
}

/** Mounts, swaps, device-mapper and careful programs claim a device: O_EXCL is refused to others then. */
async function canBeClaimed(name: string): Promise<boolean> {
  try {
    const handle = await open(path.join("/dev", name), constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EBUSY";
  }
}
