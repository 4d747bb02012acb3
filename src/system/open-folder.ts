/** A folder to make and rename files in, however other users rename or link what lies on the way to it. */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readlink } from "node:fs/promises";

import { BlockhaulError } from "../errors.js";
import { isTrustedUser, MOST_LINKS } from "./trusted.js";

/** linux/fcntl.h; Node has no name for it. A descriptor that only stands for what it was opened at. */
const O_PATH = 0o10000000;
const ON_THE_WAY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** An open folder. What is done by `at()` is done in it, whatever its path leads to by now. */
export interface OpenFolder {
  /** The path of a name in it, for this process and while it is open. */
  at(name: string): string;
  status(): Promise<Stats>;
  /** Makes the names in it durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenFolderOptions {
  /** Makes what is missing on the way, for its owner only, and durable; false unless told. */
  readonly make?: boolean;
}

/**
 * Opens a folder, one name after the other from / on. A link on the way is followed where root or this user made it.
 *
 * @throws BlockhaulError ERR_PERMISSION for a link of another user's; by errno what else is in the way
 */
export async function openFolder(
  path: string,
  { make = false }: OpenFolderOptions = {},
): Promise<OpenFolder> {
  const way = new Way(path, make, await open("/", ON_THE_WAY));
  try {
    while (await way.step());
    return await way.end();
  } catch (error) {
    await way.close();
    throw namedAs(path, error);
  }
}

/** How far it came. */
class Way {
  readonly #path: string;
  readonly #make: boolean;
  readonly #names: string[];
  #at: FileHandle;
  #links = 0;
  /** Names that are left of what a link leads to: what that lacks is not ours to make. */
  #linked = 0;

  constructor(path: string, make: boolean, root: FileHandle) {
    this.#path = path;
    this.#make = make;
    this.#names = (path.startsWith("/") ? path : `${process.cwd()}/${path}`).split("/");
    this.#at = root;
  }

  /** One name further; false where there is none. */
  async step(): Promise<boolean> {
    const name = this.#names.shift();
    if (name === undefined) return false;
    const isLinked = this.#linked > 0;
    if (isLinked) this.#linked -= 1;
    if (name === "" || name === ".") return true;
    const next = inFolder(this.#at, name);
    const status = await this.#look(next, this.#make && !isLinked);
    if (status.isSymbolicLink()) await this.#follow(name, next, status);
    // Whatever has the name by now: no link is followed.
    else await this.#move(next, ON_THE_WAY);
    return true;
  }

  /** To be flushed, it has to be opened to be read. */
  async end(): Promise<OpenFolder> {
    await this.#move(inFolder(this.#at, "."), constants.O_RDONLY | constants.O_DIRECTORY);
    return opened(this.#at);
  }

  close(): Promise<void> {
    return this.#at.close();
  }

  async #look(file: string, make: boolean): Promise<Stats> {
    try {
      return await lstat(file);
    } catch (error) {
      if (!make || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    await mkdir(file, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await syncAt(this.#at);
    return lstat(file);
  }

  async #follow(name: string, link: string, { uid }: Stats): Promise<void> {
    if (!isTrustedUser(uid)) throw foreignLink(this.#path, name, uid);
    if (++this.#links > MOST_LINKS) throw tooManyLinks(this.#path);
    const target = await readlink(link);
    const names = target.split("/");
    this.#names.unshift(...names);
    this.#linked += names.length;
    if (target.startsWith("/")) await this.#move("/", ON_THE_WAY);
  }

  async #move(path: string, flags: number): Promise<void> {
    const before = this.#at;
    this.#at = await open(path, flags);
    await before.close();
  }
}

/** Its own descriptor can do nothing but stand for it. */
async function syncAt(folder: FileHandle): Promise<void> {
  const handle = await open(inFolder(folder, "."), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function opened(handle: FileHandle): OpenFolder {
  return {
    at: (name) => inFolder(handle, name),
    status: () => handle.stat(),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

/** Node has no openat(2): the kernel's own path of a descriptor does the same. */
function inFolder({ fd }: FileHandle, name: string): string {
  return `/proc/self/fd/${fd}/${name}`;
}

/** The same error, of the path that was named: nobody knows our descriptors. */
export function namedAs(path: string, thrown: unknown): unknown {
  if (thrown instanceof Error) {
    thrown.message = thrown.message.replaceAll(/\/proc\/self\/fd\/\d+\/[^']*/g, path);
  }
  return thrown;
}

function foreignLink(path: string, name: string, uid: number): BlockhaulError {
  return new BlockhaulError("ERR_PERMISSION", {
    message: `${path} leads through the link ${name}, which belongs to another user (${uid})`,
    hint: "name the folder that it leads to, as `realpath` shows it, if that is meant",
  });
}

function tooManyLinks(path: string): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", { message: `${path} leads through too many links` });
}
