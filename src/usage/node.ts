/** Files and block devices of this host, told apart by what they are rather than by their paths. */
import { stat } from "node:fs/promises";

import type { HostNode } from "../native-host.js";

export type { HostNode } from "../native-host.js";

/** "8:16" of a block device; "8:1/1234" of a file. The same text for the same node. */
export function keyOf({ major, minor, inode }: HostNode): string {
  return inode === undefined ? `${major}:${minor}` : `${major}:${minor}/${inode}`;
}

export function isDevice(node: HostNode): boolean {
  return node.inode === undefined;
}

/** The block device of a number as sysfs and mountinfo write it. */
export function deviceOf(number: string): HostNode | undefined {
  const [, major, minor] = /^(\d+):(\d+)$/.exec(number) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** The node that `keyOf` wrote; undefined of another text. */
export function nodeOfKey(key: string): HostNode | undefined {
  const [number = "", inode] = key.split("/");
  const device = deviceOf(number);
  return device === undefined || inode === undefined ? device : { ...device, inode };
}

/** What a path leads to, if that is a file or a block device. */
export async function nodeAt(path: string): Promise<HostNode | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found?.isBlockDevice()) return split(found.rdev);
  if (found?.isFile()) return { ...split(found.dev), inode: String(found.ino) };
  return undefined;
}

/** The file system that a path lies on, as a device number; of some it is none that sysfs knows. */
export async function fileSystemAt(path: string): Promise<HostNode | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : split(found.dev);
}

/** A dev_t, as glibc lays it out: sysmacros.h. */
function split(device: bigint): { readonly major: number; readonly minor: number } {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}
