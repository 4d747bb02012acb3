/** Whether an image file could be renamed or removed: what can be known of that without doing it. */
import { access, constants, lstat, stat } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { PathLocation } from "./path.js";

/** Of a folder's mode: who may write to it changes only what is his. */
const STICKY = 0o1000;

/**
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_NOT_A_VOLUME of a link, which is neither renamed nor removed; ERR_READ_ONLY,
 *   ERR_PERMISSION where the file, or its folder, cannot be changed, also by root
 */
export async function checkFileChange({ path: file }: PathLocation): Promise<void> {
  const folder = path.dirname(file);
  await requireFile(file);
  await refuseMarked(file, "it");
  await checkFolder(folder);
  const user = process.geteuid?.() ?? 0;
  const [own, its] = await Promise.all([stat(file), stat(folder)]);
  const isSticky = (its.mode & STICKY) !== 0;
  if (isSticky && user !== 0 && own.uid !== user && its.uid !== user) {
    throw forbidden(
      `it is another user's, and in its folder ${folder} only that one may change it`,
    );
  }
}

/** @throws BlockhaulError ERR_NOT_FOUND for its folder; ERR_READ_ONLY, ERR_PERMISSION where nothing can be made there */
export async function checkFileCreation({ path: file }: PathLocation): Promise<void> {
  // The file would be renamed in the end, which a folder that only grows does not allow.
  await checkFolder(path.dirname(path.resolve(file)));
}

async function checkFolder(folder: string): Promise<void> {
  await refuseMarked(folder, `its folder ${folder}`);
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EROFS") {
      throw new BlockhaulError("ERR_READ_ONLY", {
        message: `its folder ${folder} is on a file system that is mounted read-only`,
        cause,
      });
    }
    if (cause.code !== "EACCES" && cause.code !== "EPERM") throw cause;
    throw forbidden(`this user may not change its folder ${folder}`, cause);
  });
}

/** @throws BlockhaulError ERR_NOT_FOUND; ERR_NOT_A_VOLUME of a link, and of what is no file */
export async function requireFile(file: string): Promise<void> {
  const status = await lstat(file);
  if (status.isFile()) return;
  const isLink = status.isSymbolicLink();
  throw new BlockhaulError("ERR_NOT_A_VOLUME", {
    message: isLink ? "is a symbolic link, not the image file itself" : "is not an image file",
    ...(isLink ? { hint: "name the file that it leads to, as `realpath` shows it" } : {}),
  });
}

async function refuseMarked(file: string, what: string): Promise<void> {
  const look = await native().lookAtPath(file);
  const mark = look?.isImmutable ? "i" : look?.isAppendOnly ? "a" : undefined;
  if (mark === undefined) return;
  throw forbidden(
    `${what} is marked ${mark === "i" ? "immutable" : "append-only"}: it is neither renamed nor removed`,
    undefined,
    `take the mark away first: chattr -${mark} ${file}`,
  );
}

function forbidden(message: string, cause?: unknown, hint?: string): BlockhaulError {
  return new BlockhaulError("ERR_PERMISSION", {
    message,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
