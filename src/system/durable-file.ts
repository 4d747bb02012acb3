import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { namedAs, type OpenFolder, openFolder } from "./open-folder.js";
import { faultOf, isTrustedUser, lstatIfThere } from "./trusted.js";

/** No link, and nothing that is there: who may write to the folder can have put it there. */
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Bytes of a name; ext4, XFS and most others take as many. */
const LONGEST_NAME = 255;
/** Milliseconds after which nobody writes to a draft any more that nobody wrote to. */
const DRAFT_OLD_MS = 60 * 60 * 1000;

/**
 * Puts a text into a file such that whoever reads it, also after a crash, finds all of the old text or
 * all of the new: a new file that is flushed, given the name, and its folder flushed. Only the owner
 * can read it. Whoever else may write to the folder leads it nowhere else. A process that is killed meanwhile may leave
 * the new file: `isDraftOf()`.
 *
 * @throws BlockhaulError ERR_PERMISSION where others may write to the folder, and what has the name is a link, no file,
 *   or another user's; or where a link of another user's leads to the folder; by errno what else is in the way
 */
export async function writeDurably(
  file: string,
  text: string | Uint8Array | AsyncIterable<string>,
): Promise<void> {
  const name = path.basename(file);
  const folder = await openFolder(path.dirname(file), { make: true });
  try {
    const draft = folder.at(draftNameOf(name));
    const handle = await open(draft, NEW, 0o600);
    try {
      try {
        await writeFile(handle, text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await refusePlanted(folder, file);
      await rename(draft, folder.at(name));
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw error;
    }
    await folder.sync();
  } catch (error) {
    throw namedAs(file, error);
  } finally {
    await folder.close();
  }
}

/**
 * Looks whether `writeDurably` would refuse a file for who it belongs to, before there is anything to write.
 *
 * @throws BlockhaulError ERR_PERMISSION
 */
export async function checkDurable(file: string): Promise<void> {
  let folder: OpenFolder;
  try {
    folder = await openFolder(path.dirname(file));
  } catch (error) {
    // It is made then.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    await refusePlanted(folder, file);
  } catch (error) {
    throw namedAs(file, error);
  } finally {
    await folder.close();
  }
}

/** In a folder that is not ours alone, what has the name may have been put there to be taken for ours. */
async function refusePlanted(folder: OpenFolder, file: string): Promise<void> {
  if (faultOf(await folder.status()) === undefined) return;
  const found = await lstatIfThere(folder.at(path.basename(file)));
  if (found === undefined || (found.isFile() && isTrustedUser(found.uid))) return;
  const what = found.isSymbolicLink()
    ? "a link"
    : found.isFile()
      ? `another user's (${found.uid})`
      : "no file";
  throw new BlockhaulError("ERR_PERMISSION", {
    message: `${file} is ${what}, in a folder that others can write to: nothing is put in its place`,
    hint: "name another file, in a folder of your own",
  });
}

/** Removes a file for good; one that is not there is fine. */
export async function removeDurably(file: string): Promise<void> {
  await rm(file, { force: true });
  await syncFolder(path.dirname(file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

/** The name of a file's text while it is being written: one that nobody can know before. */
function draftNameOf(name: string): string {
  const end = `.${randomBytes(8).toString("hex")}.new`;
  const whole = `.${name}${end}`;
  return Buffer.byteLength(whole) > LONGEST_NAME ? `.blockhaul${end}` : whole;
}

/** The path that a draft is to get; undefined of what is no draft. */
export function fileOfDraft(draft: string): string | undefined {
  const name = /^\.(.+)\.[0-9a-f]{16}\.new$/.exec(path.basename(draft))?.[1];
  return name === undefined ? undefined : path.join(path.dirname(draft), name);
}

/**
 * Removes the drafts of a folder that killed processes left.
 *
 * @param isOurs of the file that a draft is of
 * @param age milliseconds that nobody has written to a draft: an hour unless told, for who does not know whether
 *   somebody is writing it
 */
export async function removeDrafts(
  folder: string,
  isOurs: (file: string) => boolean,
  age = DRAFT_OLD_MS,
): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  for (const name of names) {
    const draft = path.join(folder, name);
    const file = fileOfDraft(draft);
    if (file === undefined || !isOurs(file)) continue;
    const status = await lstat(draft).catch(() => undefined);
    if (status !== undefined && Date.now() - status.mtimeMs >= age)
      await rm(draft, { force: true });
  }
}

/** Makes the names of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
