/** Image files deleted, renamed and resized. Names are changed of the file itself, never through a link. */
import type { Stats } from "node:fs";
import { link, lstat, open, readdir, unlink } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { syncFolder } from "../system/durable-file.js";
import { exactSize } from "../units.js";
import { nodeAt } from "../usage/node.js";
import { usesOf } from "../usage/uses.js";
import { checkFileName } from "./file-place.js";
import type { PathLocation } from "./path.js";

/** What link(2) answers where a file cannot have a second name. */
const NO_SECOND_NAME = new Set(["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK"]);

/**
 * Removes a file's name, and with its last one the file.
 *
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_NOT_A_VOLUME also of a symbolic link; ERR_IN_USE, naming who
 *   uses it
 */
export async function deleteFile({ path: file }: PathLocation): Promise<void> {
  await requireFile(file);
  await refuseInUse(file);
  await unlink(file);
  await syncFolder(path.dirname(file));
}

/** @throws BlockhaulError ERR_NOT_FOUND; ERR_NOT_A_VOLUME of a link, which is neither renamed nor removed */
export async function checkFile({ path: file }: PathLocation): Promise<void> {
  await requireFile(file);
}

/**
 * Renames a file by a second name, which unlike a rename overwrites nothing. A kill may leave both names;
 * the same call then takes the old one away.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_EXISTS; ERR_NOT_A_VOLUME also of a symbolic link;
 *   ERR_UNSUPPORTED on a file system where a file has one name only; ERR_INVALID_REF
 */
export async function renameFile(
  { path: file }: PathLocation,
  name: string,
): Promise<PathLocation> {
  const folder = path.dirname(file);
  const renamed = { path: path.join(folder, checkFileName(name)) };
  const status = await requireFile(file);
  if (path.basename(file) === name) return renamed;
  try {
    await link(file, renamed.path);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (NO_SECOND_NAME.has(code)) throw hasOneNameOnly(file, error);
    if (code !== "EEXIST" || !(await isOtherNameOf(status, folder, renamed.path, file)))
      throw error;
  }
  // The new name first: no moment at which a power cut leaves none.
  await syncFolder(folder);
  await unlink(file);
  await syncFolder(folder);
  return renamed;
}

/**
 * Makes a file larger. What is added is a hole, also of a file that is thick.
 *
 * @param size bytes
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_NOT_A_VOLUME; ERR_INVALID_ARGUMENT for less than it has
 */
export async function resizeFile({ path: file }: PathLocation, size: number): Promise<void> {
  // Looked at before it is opened: a FIFO would wait for a reader.
  if ((await nodeAt(file))?.inode === undefined) await requireFile(file);
  const handle = await open(file, "r+");
  try {
    const { size: present } = await handle.stat();
    if (size < present) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: `it has ${exactSize(present)}, and what lies behind ${exactSize(size)} would be lost`,
      });
    }
    if (size > present) await handle.truncate(size);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function requireFile(file: string): Promise<Stats> {
  const status = await lstat(file);
  if (status.isFile()) return status;
  const isLink = status.isSymbolicLink();
  throw new BlockhaulError("ERR_NOT_A_VOLUME", {
    message: isLink ? "is a symbolic link, not the image file itself" : "is not an image file",
    ...(isLink ? { hint: "name the file that it leads to, as `realpath` shows it" } : {}),
  });
}

async function refuseInUse(file: string): Promise<void> {
  const node = await nodeAt(file);
  const uses = node === undefined ? [] : await usesOf(node);
  if (uses.length === 0) return;
  throw new BlockhaulError("ERR_IN_USE", {
    message: uses.map(({ text }) => text).join("; "),
    hint: `end that first: \`losetup -j ${file}\` and \`fuser -v ${file}\` show it`,
  });
}

/**
 * Whether two names of a folder are of one file. Both have to be listed there: where upper and lower case
 * are the same, two spellings are one name.
 */
async function isOtherNameOf(
  { dev, ino }: Stats,
  folder: string,
  other: string,
  file: string,
): Promise<boolean> {
  const status = await lstat(other);
  if (status.dev !== dev || status.ino !== ino) return false;
  const names = new Set(await readdir(folder));
  return names.has(path.basename(other)) && names.has(path.basename(file));
}

function hasOneNameOnly(file: string, cause: unknown): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    message:
      "it cannot be given a second name, without which a rename might overwrite another file: its file system has no hard links, or forbids this one",
    hint: `rename it by hand: mv --no-clobber ${file} …`,
    cause,
  });
}
