/** Which file or block device it is that a path leads to now. */
import { readFile } from "node:fs/promises";

import type { VolumeLook } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { sizeInWords } from "../units.js";
import { backingFileOf } from "./backing-file.js";
import { diskNamesOf } from "./disk-names.js";
import { type HostNode, keyOf } from "./node.js";

// All of it is asked on threads of its own: a look at storage that hangs is given up, and keeps no process from its end.

/**
 * Of an image file: its inode, and when that was made. What cannot be looked at is thrown: it is not gone.
 *
 * @returns undefined where nothing has the path, or no file
 */
export async function lookUpFile(path: string): Promise<VolumeLook | undefined> {
  const found = await native().lookAtPath(path);
  if (found === undefined || !found.isFile || found.links === 0) return undefined;
  const { major, minor, inode, size, born } = found;
  const identity = `file:${major}:${minor}:${inode}`;
  return { identity, size, ...(born === undefined ? {} : { born }) };
}

/**
 * Of a block device: its identity, its number, and its sequence number, which no other device gets before the host's next
 * start. Of one that lies on SCSI disks also the names that those say now. Of a loop device also the size of its file:
 * what that lost reads as zeros.
 */
export async function lookUpDevice(path: string, sysfs = "/sys"): Promise<VolumeLook | undefined> {
  const found = await native().lookAtPath(path);
  if (!found?.isDevice) return undefined;
  const volume = await native().openPosix({ path, mode: "read", kind: "block" });
  try {
    const { identity, size, node } = volume.info;
    if (node === undefined) return { identity, size };
    const names = await diskNamesOf(node, path, sysfs);
    const attached = await attachmentOf(node, sysfs);
    return { identity, size, attached, ...(names === undefined ? {} : { names }) };
  } catch (error) {
    throw error instanceof BlockhaulError ? error.withContext({ volume: path }) : error;
  } finally {
    await volume.close();
  }
}

async function attachmentOf(node: HostNode, sysfs: string): Promise<string> {
  const file = `${sysfs}/dev/block/${keyOf(node)}/diskseq`;
  const sequence = await readFile(file, "latin1").catch(() => "unknown");
  // A loop device that was detached while somebody has it open goes with the last who closes it.
  const detached = `${sysfs}/dev/block/${keyOf(node)}/loop/autoclear`;
  const goes = (await readFile(detached, "latin1").catch(() => "")).trim() === "1" ? " going" : "";
  const backing = await backingFileOf(node, sysfs);
  const below = backing && ` on ${keyOf(backing.node)} of ${sizeInWords(backing.size)}`;
  return `${keyOf(node)} ${sequence.trim()}${goes}${below ?? ""}`;
}
