/** Image files renamed and resized. Names are changed of the file itself, never through a link. */
import { constants } from "node:fs";
import { type FileHandle, link, open, readdir } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeFileHold } from "../native-host.js";
import { syncFolder } from "../system/durable-file.js";
import { sizeInWords } from "../units.js";
import { checkFileChange, requireFile } from "./file-check.js";
import { checkFileName } from "./file-place.js";
import type { PathLocation } from "./path.js";
import { onTheWay } from "./path-way.js";

/** What link(2) answers where a file cannot have a second name. */
const NO_SECOND_NAME = new Set(["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK"]);

/**
 * Renames a file, and overwrites nothing. What was renamed is the file that had the name when this began: another that
 * got it in the meantime is given its name back.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_EXISTS; ERR_NOT_A_VOLUME also of a symbolic link; ERR_VOLUME_CHANGED;
 *   ERR_UNSUPPORTED on a file system that can neither promise that nor give a file a second name; ERR_INVALID_REF
 */
export async function renameFile(
  { path: file }: PathLocation,
  name: string,
): Promise<PathLocation> {
  const folder = path.dirname(file);
  const renamed = { path: path.join(folder, checkFileName(name)) };
  await checkFileChange({ path: file });
  if (path.basename(file) === name) return renamed;
  const hold = await native().holdFile(file);
  try {
    await giveName(hold, file, renamed.path);
  } finally {
    await hold.release();
  }
  await syncFolder(folder);
  return renamed;
}

async function giveName(hold: NativeFileHold, file: string, renamed: string): Promise<void> {
  try {
    await native().renameToNew(file, renamed);
  } catch (thrown) {
    const error = toBlockhaulError(thrown);
    if (error.code === "ERR_EXISTS") return dropOldName(hold, file, renamed, error);
    if (error.errnoName !== "EINVAL" && error.errnoName !== "ENOSYS") throw error;
    return giveSecondName(hold, file, renamed);
  }
  if (await hold.isAt(renamed)) return;
  await native().renameToNew(renamed, file);
  throw changedMeanwhile(file);
}

/** A run that was killed between the two steps of a rename left both names. */
async function dropOldName(
  hold: NativeFileHold,
  file: string,
  renamed: string,
  refusal: BlockhaulError,
): Promise<void> {
  if (!(await hold.isAt(renamed)) || !(await areTwoNames(file, renamed))) throw refusal;
  await hold.unlink(file);
}

/** Where a file system cannot promise that a rename overwrites nothing: a second name does. */
async function giveSecondName(hold: NativeFileHold, file: string, renamed: string): Promise<void> {
  try {
    await link(file, renamed);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (NO_SECOND_NAME.has(code)) throw hasOneNameOnly(file, error);
    throw error;
  }
  // The new name first: no moment at which a power cut leaves none.
  await syncFolder(path.dirname(file));
  if (await hold.isAt(renamed)) {
    await hold.unlink(file);
    return;
  }
  // Another file, which has had the name by then, loses the second one again.
  const other = await native().holdFile(renamed);
  try {
    await other.unlink(renamed);
  } finally {
    await other.release();
  }
  throw changedMeanwhile(file);
}

function changedMeanwhile(file: string): BlockhaulError {
  return new BlockhaulError("ERR_VOLUME_CHANGED", {
    volume: file,
    operation: "rename",
    message: "its name became another file's in the meantime",
  });
}

/**
 * Makes a file larger. What is added is a hole, also of a file that is thick.
 *
 * @param size bytes
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_NOT_A_VOLUME; ERR_INVALID_ARGUMENT for less than it has
 */
export function resizeFile(location: PathLocation, size: number): Promise<void> {
  return onTheWay(location, async ({ at }) => {
    // Looked at before it is opened: a FIFO would wait for a reader.
    await requireFile(at);
    await resizeOpen(await open(at, constants.O_RDWR | constants.O_NOFOLLOW), size);
  });
}

async function resizeOpen(handle: FileHandle, size: number): Promise<void> {
  try {
    const { size: present } = await handle.stat();
    if (size < present) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: `it has ${sizeInWords(present)}, and what lies behind ${sizeInWords(size)} would be lost`,
      });
    }
    if (size > present) await handle.truncate(size);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Where upper and lower case are the same, two spellings are one name: both have to be listed. */
async function areTwoNames(one: string, other: string): Promise<boolean> {
  const names = new Set(await readdir(path.dirname(one)));
  return names.has(path.basename(other)) && names.has(path.basename(one));
}

function hasOneNameOnly(file: string, cause: unknown): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    message:
      "it cannot be given a second name, without which a rename might overwrite another file: its file system has no hard links, or forbids this one",
    hint: `rename it by hand: mv --no-clobber ${file} …`,
    cause,
  });
}
