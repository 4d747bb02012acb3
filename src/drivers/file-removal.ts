/**
 * Image files deleted. Between a look at a name and its removal, the name may become another file's, and somebody may
 * begin to write. So the file is held open, by a lease that lets no writer in where the file system has leases; it is
 * given a name that nobody knows; and what has that name is compared with what is held before it goes.
 */
import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import path from "node:path";

import type { DeleteOptions } from "../driver.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeFileHold } from "../native-host.js";
import { syncFolder } from "../system/durable-file.js";
import { nodeAt } from "../usage/node.js";
import { usesOf } from "../usage/uses.js";
import { checkFileChange } from "./file-check.js";
import type { PathLocation } from "./path.js";

/**
 * Removes a file's name, and with its last one the file. One that is refused has its name again.
 *
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_NOT_A_VOLUME also of a symbolic link; ERR_READ_ONLY, ERR_PERMISSION;
 *   ERR_IN_USE, naming who uses it; ERR_VOLUME_CHANGED where the name is another file's; what the last look throws
 */
export async function deleteFile(
  { path: file }: PathLocation,
  { identity, born, hasOwnName = false, lastLook }: DeleteOptions = {},
): Promise<void> {
  const hidden = hasOwnName ? file : hiddenNameOf(file);
  if (hidden !== file) await bringBack(hidden, file);
  await checkFileChange({ path: file });
  const hold = await native().holdFile(file);
  try {
    refuseOther(hold, file, identity, born);
    await refuseInUse(file, hold);
    if (hidden !== file) await hide(hold, file, hidden);
    try {
      await lastLook?.({ isUnwritten: hold.writers === "none" ? true : undefined });
      refuseBroken(hold, file);
      if (!(await hold.unlink(hidden))) throw changed(file, "its name is another file's by now");
    } catch (error) {
      if (hidden !== file) await giveBack(hold, hidden, file);
      throw error;
    }
    await syncFolder(path.dirname(file));
  } finally {
    await hold.release();
  }
}

/** The same for the same name, so that a later call finds what a kill left. */
function hiddenNameOf(file: string): string {
  const hash = createHash("sha256").update(path.basename(file)).digest("hex").slice(0, 16);
  return path.join(path.dirname(file), `.blockhaul-removing-${hash}`);
}

/** What a removal left that was killed has not been looked at: it gets its name back, and is begun with anew. */
async function bringBack(hidden: string, file: string): Promise<void> {
  const found = await lstat(hidden).catch(isAbsent);
  if (found === undefined) return;
  if ((await lstat(file).catch(isAbsent)) !== undefined) {
    throw new BlockhaulError("ERR_EXISTS", {
      message: `${hidden} was left by a removal that was cut short, and had this name`,
      hint: `look at that file, and remove it by hand or give it another name: mv --no-clobber ${hidden} …`,
    });
  }
  await moveToNew(hidden, file);
}

async function hide(hold: NativeFileHold, file: string, hidden: string): Promise<void> {
  await moveToNew(file, hidden);
  if (await hold.isAt(hidden)) return;
  // Another file had the name by then.
  await moveToNew(hidden, file);
  throw changed(file, "its name became another file's in the meantime");
}

async function giveBack(hold: NativeFileHold, hidden: string, file: string): Promise<void> {
  if (await hold.isAt(hidden)) await moveToNew(hidden, file);
}

/** Renames a file, overwrites nothing, and makes that durable. */
async function moveToNew(from: string, to: string): Promise<void> {
  await native().renameToNew(from, to);
  await syncFolder(path.dirname(to));
}

function refuseOther(
  { look }: NativeFileHold,
  file: string,
  identity: string | undefined,
  born: string | undefined,
): void {
  if (identity === undefined || look === undefined) return;
  const found = `file:${look.major}:${look.minor}:${look.inode}`;
  if (found !== identity) throw changed(file, `it is ${found}, and was to be ${identity}`);
  if (born !== undefined && look.born !== born) {
    throw changed(file, `it was made at ${look.born}, and was to be the one of ${born}`);
  }
}

async function refuseInUse(file: string, { writers }: NativeFileHold): Promise<void> {
  const node = await nodeAt(file);
  const uses = node === undefined ? [] : await usesOf(node);
  if (uses.length === 0 && writers !== "some") return;
  throw inUse(
    file,
    uses.length === 0
      ? "somebody has it open for writing, or mapped into memory: this process, one that this user cannot see, or the kernel"
      : uses.map(({ text }) => text).join("; "),
  );
}

/** @throws BlockhaulError ERR_IN_USE where somebody began to open it for writing since it was held */
function refuseBroken(hold: NativeFileHold, file: string): void {
  if (hold.writers !== "none" || hold.isWhole()) return;
  throw inUse(file, "somebody began to open it for writing");
}

function inUse(file: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_IN_USE", {
    message,
    hint: `end that first: \`losetup -j ${file}\` and \`fuser -v ${file}\` show it`,
  });
}

function changed(file: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_VOLUME_CHANGED", { volume: file, operation: "delete", message });
}

function isAbsent(error: unknown): undefined {
  if (toBlockhaulError(error).code !== "ERR_NOT_FOUND") throw error;
}
