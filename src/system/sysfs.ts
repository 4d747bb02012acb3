/** The kernel's own account of devices. What is absent is undefined or empty: devices come and go. */
import { constants } from "node:fs";
import { readdir, readFile, realpath, writeFile } from "node:fs/promises";

/** Bytes: in these are the sizes of all devices given, whatever their own sectors are. */
export const SYSFS_SECTOR = 512;

/** An attribute without its newline; undefined where it is absent or cannot be read. */
export async function readAttribute(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, "latin1")).replace(/\s+$/, "");
  } catch {
    return undefined;
  }
}

/** What a folder holds, in order; nothing where it is absent. */
export async function listFolder(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}

/** A path without symbolic links; undefined where it leads nowhere. */
export async function resolvePath(file: string): Promise<string | undefined> {
  return realpath(file).catch(() => undefined);
}

/** Writes an attribute; the kernel does what that asks for before the call returns. */
export function writeAttribute(file: string, value: string | Uint8Array): Promise<void> {
  // Some can only be written to, and none is to be made.
  return writeFile(file, value, { flag: constants.O_WRONLY });
}
