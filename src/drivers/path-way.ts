/**
 * The way to an image file or a device that somebody named. Who named it did not mean what another user's link leads to:
 * such a link is not followed, wherever it lies. Nor is any at a name within a backend.
 */
import { readlink } from "node:fs/promises";
import path from "node:path";
import { getSystemErrorMap } from "node:util";

import { BlockhaulError, errnoOf, toBlockhaulError } from "../errors.js";
import type { NativePosixOptions } from "../native.js";
import { namedAs, type OpenFolder, openFolder } from "../system/open-folder.js";
import { isTrustedUser, lstatIfThere, MOST_LINKS } from "../system/trusted.js";
import type { PathLocation } from "./path.js";

/** Of a folder's mode. */
const WRITABLE_BY_ALL = 0o002;

/** Where a path leads, which nobody changes while it is gone. */
export interface PathWay {
  /** What `openPosix` is told: what was found has this path for now, and no link is followed in it. */
  readonly place: Pick<NativePosixOptions, "path" | "at">;
  /** By what path the system finds it for now. */
  readonly at: string;
  /**
   * Refuses a file of another user's in a folder that everybody may write to: who was to write to a new one would give it to
   * that user.
   *
   * @throws BlockhaulError ERR_PERMISSION
   */
  refusePlanted(): Promise<void>;
  /** Makes the name durable. */
  sync(): Promise<void>;
}

/**
 * Goes to a path, does something there, and lets go of it.
 *
 * @param isNew nothing is to be there: a link that has the name is left to whoever finds it in the way
 * @throws BlockhaulError ERR_PERMISSION for a link of another user's; ERR_NOT_A_VOLUME for a link within a backend;
 *   ERR_NOT_FOUND for a folder on the way; and others by errno
 */
export async function onTheWay<Result>(
  { path: named, noLinks = false }: PathLocation,
  action: (way: PathWay) => Promise<Result>,
  isNew = false,
): Promise<Result> {
  // No file has such a path: the system says why.
  if (/(^|\/)\.{0,2}$/.test(named)) {
    const nothing = async () => {};
    return action({ place: { path: named }, at: named, refusePlanted: nothing, sync: nothing });
  }
  let file = path.isAbsolute(named) ? named : `${process.cwd()}/${named}`;
  for (let links = 0; ; links += 1) {
    const folder = await openFolder(path.dirname(file)).catch((error: unknown) => {
      throw cannotGo(named, error);
    });
    try {
      const at = folder.at(path.basename(file));
      const mayFollow = !isNew || noLinks;
      const target = mayFollow ? await linkAt(at, { named, noLinks, links }) : undefined;
      if (target === undefined) {
        return await action({
          place: { path: named, at },
          at,
          refusePlanted: () => refusePlanted(folder, at, named),
          sync: () => folder.sync(),
        });
      }
      file = path.isAbsolute(target) ? target : `${path.dirname(file)}/${target}`;
    } catch (error) {
      throw namedAs(named, error);
    } finally {
      await folder.close();
    }
  }
}

/** What a link leads to that may be followed; undefined of what is none. */
async function linkAt(
  at: string,
  { named, noLinks, links }: { named: string; noLinks: boolean; links: number },
): Promise<string | undefined> {
  const status = await lstatIfThere(at);
  if (!status?.isSymbolicLink()) return undefined;
  if (noLinks) {
    throw new BlockhaulError("ERR_NOT_A_VOLUME", {
      volume: named,
      message: "is a symbolic link, and none is followed within a backend",
      hint: "name the file that it leads to by its path, as `realpath` shows it",
    });
  }
  if (!isTrustedUser(status.uid)) {
    throw new BlockhaulError("ERR_PERMISSION", {
      volume: named,
      message: `leads through a link that belongs to another user (${status.uid}), which is not followed`,
      hint: "name what it leads to by its path, as `realpath` shows it, if that is meant",
    });
  }
  if (links >= MOST_LINKS) {
    throw new BlockhaulError("ERR_INVALID_REF", {
      volume: named,
      message: "leads through too many links",
    });
  }
  return readlink(at);
}

/** @throws BlockhaulError ERR_PERMISSION */
async function refusePlanted(folder: OpenFolder, at: string, named: string): Promise<void> {
  const status = await lstatIfThere(at);
  if (!status?.isFile() || isTrustedUser(status.uid)) return;
  if (((await folder.status()).mode & WRITABLE_BY_ALL) === 0) return;
  throw new BlockhaulError("ERR_PERMISSION", {
    volume: named,
    message: `is another user's (${status.uid}), in a folder that everybody can write to: it may have been put there to get what is written`,
    hint: "name a file in a folder of your own",
  });
}

/** In the words that the system has for it, as of all that is opened. */
function cannotGo(named: string, thrown: unknown): BlockhaulError {
  const errno = errnoOf(thrown);
  const [, words = ""] = (errno !== undefined && getSystemErrorMap().get(-errno)) || [];
  return toBlockhaulError(thrown, {
    volume: named,
    operation: "open",
    ...(words === "" ? {} : { message: words.charAt(0).toUpperCase() + words.slice(1) }),
  });
}
