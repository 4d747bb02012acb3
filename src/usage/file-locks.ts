/** Whether a lock on a file is met by all who may have the file open. */
import { statfs } from "node:fs/promises";
import path from "node:path";

import { readAttribute } from "../system/sysfs.js";
import { type HostFolders, THIS_HOST } from "./host.js";
import { fileSystemAt, keyOf } from "./node.js";

/** Numbers of statfs(2), from the kernel's magic.h: each file has one inode there, whose locks all see. */
const ONE_INODE: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x2fc12fc1, // ZFS
  0xca451a4e, // bcachefs
  0xf2f52010, // F2FS
  0x4d44, // FAT
  0x2011bab0, // exFAT
  0x7366746e, // NTFS
  0x3153464a, // JFS
  0x52654973, // ReiserFS
  0x01161970, // GFS2: among all hosts
  0x7461636f, // OCFS2: among all hosts
]);
const NFS = 0x6969;

/**
 * Why copies that have the same file open may not be met, on this host or another: an overlay's file and the one below
 * it are two inodes, and some file systems keep locks on each host alone.
 *
 * @returns a clause; undefined where they are met
 */
export async function whyFileLocksMayBeMissed(
  file: string,
  { proc }: HostFolders = THIS_HOST,
): Promise<string | undefined> {
  const { type } = await statfs(file).catch(() => ({ type: undefined }));
  if (type !== undefined && ONE_INODE.has(type)) return undefined;
  if (type === NFS && (await keepsLocksAtItsServer(file, proc))) return undefined;
  return "its file system may not show locks to all who can have it open: copies by another way to it, or of another host, are not kept away";
}

/** Not with the mount options `nolock` and `local_lock=all`. */
async function keepsLocksAtItsServer(file: string, proc: string): Promise<boolean> {
  const home = await fileSystemAt(file);
  const mounts = (await readAttribute(path.join(proc, "self", "mountinfo"))) ?? "";
  const ours = mounts
    .split("\n")
    .filter((line) => home !== undefined && line.split(" ")[2] === keyOf(home));
  return ours.length > 0 && ours.every((line) => /[ ,]local_lock=none(?:,|$)/.test(line));
}
