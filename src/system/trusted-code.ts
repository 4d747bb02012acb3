/** Whether code may be loaded from a file: nobody else can have written it, or what it imports beside it. */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { faultOf, isTrustedUser, lstatIfThere, refused, requireTrusted } from "./trusted.js";

/** A folder that holds more than code is a home, or a disk: to look at all of it takes for ever. */
const MOST_ENTRIES = 50_000;

/**
 * The real path of a file of code, once it is sure that nobody else can change it, or what it may import: all below its
 * folder, or below its package's, and where Node looks for packages above that.
 *
 * @param home the folder of the package that it belongs to; the file's own unless told
 * @throws BlockhaulError ERR_PERMISSION, whose message begins with the path of what is at fault; ERR_NOT_FOUND;
 *   ERR_INVALID_ARGUMENT where it is no file, or there is too much beside it
 */
export async function requireTrustedCode(file: string, home?: string): Promise<string> {
  const { real, status } = await named(file, requireTrusted(file, "file"));
  if (status === undefined) throw fault("ERR_NOT_FOUND", `${file} does not exist`);
  if (!status.isFile()) throw fault("ERR_INVALID_ARGUMENT", `${file} is no file`);
  const top = home === undefined ? path.dirname(real) : (await requireTrusted(home, "entry")).real;
  await new TreeLook().lookAt(top);
  for (let at = top; at !== path.dirname(at); at = path.dirname(at)) {
    await lookAbove(path.dirname(at));
  }
  return real;
}

/** All files and folders below some, each looked at once. */
class TreeLook {
  readonly #tops: string[] = [];
  #count = 0;

  async lookAt(top: string): Promise<void> {
    if (this.#tops.some((seen) => top === seen || top.startsWith(`${seen}/`))) return;
    this.#tops.push(top);
    const folders = [top];
    const links: string[] = [];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const entries = await readdir(folder, { withFileTypes: true });
      this.#count += entries.length;
      if (this.#count > MOST_ENTRIES) throw tooMuch(top);
      const at = folder;
      await Promise.all(entries.map((entry) => lookAtEntry(at, entry)));
      for (const entry of entries) {
        const file = path.join(folder, entry.name);
        if (entry.isDirectory()) folders.push(file);
        else if (entry.isSymbolicLink()) links.push(file);
      }
    }
    for (const link of links) await this.#follow(link);
  }

  /** Packages are linked to where they are kept. What is not there must not be for others to put there. */
  async #follow(link: string): Promise<void> {
    const { real, status } = await named(link, requireTrusted(link, "entry"));
    if (status?.isDirectory()) await this.lookAt(real);
    else await named(link, requireTrusted(link, "file"));
  }
}

async function lookAtEntry(folder: string, entry: Dirent): Promise<void> {
  // Nobody reads code from a socket, and their modes let others connect.
  if (entry.isSocket()) return;
  const file = path.join(folder, entry.name);
  const status = await lstatIfThere(file);
  if (status === undefined) return;
  // Links have no mode of their own.
  const reason = faultOf(status.isSymbolicLink() ? { uid: status.uid, mode: 0 } : status);
  if (reason === undefined) return;
  throw refused(`${file} `, reason, isTrustedUser(status.uid) ? `chmod go-w ${file}` : undefined);
}

/** What Node reads of a folder above: what kind of modules lie below it, and packages. */
async function lookAbove(folder: string): Promise<void> {
  const settings = path.join(folder, "package.json");
  await named(settings, requireTrusted(settings, "entry"));
  const packages = path.join(folder, "node_modules");
  await lookAtPackages(packages);
}

/** A folder of packages: each of them, and not what lies in it. */
async function lookAtPackages(folder: string): Promise<void> {
  const { real, status } = await named(folder, requireTrusted(folder, "entry"));
  if (!status?.isDirectory()) return;
  const entries = await readdir(real, { withFileTypes: true });
  const look = async ({ name }: Dirent) => {
    const file = path.join(real, name);
    await named(file, requireTrusted(file, "entry"));
    if (name.startsWith("@")) await lookAtPackages(file);
  };
  await Promise.all(entries.map(look));
}

/** Says of what it is that a look at a path has found something. */
async function named<Result>(file: string, look: Promise<Result>): Promise<Result> {
  try {
    return await look;
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_PERMISSION") throw error;
    throw refused(`${file} `, error.message);
  }
}

function tooMuch(folder: string): BlockhaulError {
  return fault(
    "ERR_INVALID_ARGUMENT",
    `there are more than ${MOST_ENTRIES} files below ${folder}, and all that a driver may import is looked at: give it a folder of its own`,
  );
}

function fault(code: "ERR_NOT_FOUND" | "ERR_INVALID_ARGUMENT", message: string): BlockhaulError {
  return new BlockhaulError(code, { message });
}
