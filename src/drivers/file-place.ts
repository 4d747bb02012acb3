/** A directory of image files: what it holds, and how much room it has. */
import { readdir, stat, statfs } from "node:fs/promises";
import path from "node:path";
import type { DriverPlaces, ListedVolume, PlaceStats } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { lstatIfThere } from "../system/trusted.js";
import { lazySettings } from "./lazy-settings.js";
import type { PathLocation } from "./path.js";

/** A directory. */
export interface FilePlace {
  readonly directory: string;
}

/** What stat counts blocks in, whatever the file system's own are. */
const STAT_BLOCK = 512;
/** Bytes; ext4, XFS, Btrfs and NFS take as many. */
const LONGEST_NAME = 255;

export const filePlaces: DriverPlaces<PathLocation, FilePlace> = {
  settings: lazySettings(async () => (await import("./file-settings.js")).fileSettings),
  locate: ({ directory }, name) => ({
    path: path.join(directory, checkFileName(name)),
    noLinks: true,
  }),
};

/** What a file is called in its directory. */
export function fileInPlace({ path: file }: PathLocation): string {
  return path.basename(file);
}

/** A file of that name in the same directory. @throws BlockhaulError ERR_INVALID_REF */
export function fileBeside(location: PathLocation, name: string): PathLocation {
  return { ...location, path: path.join(path.dirname(location.path), checkFileName(name)) };
}

/** The name, where a file in a directory can have it. @throws BlockhaulError ERR_INVALID_REF */
export function checkFileName(name: string): string {
  const shown = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: `${shown} cannot be the name of a file`,
    });
  }
  const length = Buffer.byteLength(name);
  if (length <= LONGEST_NAME) return name;
  throw new BlockhaulError("ERR_INVALID_REF", {
    message: `${shown} has ${length} bytes, and the name of a file has ${LONGEST_NAME} at the most`,
  });
}

/**
 * The image files of a directory. Links are left out, since nothing here renames or removes one; so are
 * hidden files, as which programs keep what is not finished.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_PERMISSION
 */
export async function listFiles({ directory }: FilePlace): Promise<ListedVolume[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .sort();
  const found: ListedVolume[] = [];
  for (const name of names) {
    const status = await lstatIfThere(path.join(directory, name));
    if (status === undefined || !status.isFile()) continue;
    found.push({ name, size: status.size, allocated: status.blocks * STAT_BLOCK });
  }
  return found;
}

/** The folder itself, behind whatever links: its device, inode and birth. */
export async function identifyFolder({ path: file }: PathLocation): Promise<string | undefined> {
  const found = await native().lookAtPath(path.dirname(path.resolve(file)));
  return found && `folder ${found.major}:${found.minor}/${found.inode}, born ${found.born}`;
}

/** @throws BlockhaulError ERR_NOT_FOUND, ERR_PERMISSION */
export async function statsOfDirectory({ directory }: FilePlace): Promise<PlaceStats> {
  const { blocks, bavail, bsize } = await statfs(directory);
  const { dev } = await stat(directory, { bigint: true });
  // What is kept for root is no room for anybody else.
  return {
    capacity: blocks * bsize,
    free: bavail * bsize,
    granularity: 1,
    room: `file system ${dev}`,
  };
}
