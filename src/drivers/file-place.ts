/** Image files side by side in a directory, and what is done with them beside opening them. */
import { link, open, stat, unlink } from "node:fs/promises";
import path from "node:path";
import type { DriverPlaces } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { lazySettings } from "./lazy-settings.js";
import type { PathLocation } from "./path.js";

/** A directory. */
export interface FilePlace {
  readonly directory: string;
}

export const filePlaces: DriverPlaces<PathLocation, FilePlace> = {
  settings: lazySettings(async () => (await import("./file-settings.js")).fileSettings),
  locate: ({ directory }, name) => ({ path: path.join(directory, checkName(name)) }),
};

/** What a file is called in its directory. */
export function fileInPlace({ path: file }: PathLocation): string {
  return path.basename(file);
}

export function fileBeside({ path: file }: PathLocation, name: string): PathLocation {
  return { path: path.join(path.dirname(file), checkName(name)) };
}

/** @throws BlockhaulError ERR_NOT_FOUND, ERR_NOT_A_VOLUME */
export async function deleteFile({ path: file }: PathLocation): Promise<void> {
  if (!(await stat(file)).isFile()) throw new BlockhaulError("ERR_NOT_A_VOLUME", { volume: file });
  await unlink(file);
  await syncFolderOf(file);
}

/** By a second link, which unlike a rename overwrites nothing. */
export async function renameFile(
  { path: file }: PathLocation,
  name: string,
): Promise<PathLocation> {
  const renamed = path.join(path.dirname(file), checkName(name));
  await link(file, renamed);
  await unlink(file);
  await syncFolderOf(file);
  return { path: renamed };
}

function checkName(name: string): string {
  if (name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name)) return name;
  throw new BlockhaulError("ERR_INVALID_REF", {
    message: `${JSON.stringify(name)} cannot be the name of a file`,
  });
}

async function syncFolderOf(file: string): Promise<void> {
  const folder = await open(path.dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
