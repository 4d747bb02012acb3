/** Where a configuration is looked for, and who may have written it. */
import { lstat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

import { toBlockhaulError } from "../errors.js";
import { readTrusted } from "../system/trusted.js";

const NAME = "blockhaul.yaml";
/** Bytes. What holds more takes seconds to be understood, and has more in it than may be. */
const LARGEST = 256 * 1024;

/** A file that counts where it is there. */
export interface ConfigPlace {
  readonly path: string;
  /** "named": it has to be there. "here": nobody asked for the one of the working folder, which may be anybody's. */
  readonly kind: "named" | "here" | "own";
}

/**
 * The files that count, the first before the next: the one that is named, by the caller or by
 * BLOCKHAUL_CONFIG, else those of the folder, the user and the host.
 */
export function placesOfConfig(named: string | undefined): readonly ConfigPlace[] {
  const { BLOCKHAUL_CONFIG, XDG_CONFIG_HOME = "" } = process.env;
  const file = named ?? (BLOCKHAUL_CONFIG || undefined);
  if (file !== undefined) return [{ path: file, kind: "named" }];
  // A relative one is to be ignored, says its specification.
  const home = path.isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : path.join(homedir(), ".config");
  const own = [path.join(home, "blockhaul", NAME), `/etc/blockhaul/${NAME}`];
  const here = workingFolder();
  const places: ConfigPlace[] = own.map((path) => ({ path, kind: "own" }));
  if (here === undefined || own.includes(path.join(here, NAME))) return places;
  return [{ path: path.join(here, NAME), kind: "here" }, ...places];
}

/** Undefined where it was removed. */
export function workingFolder(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/** What came of reading a file: its text, or why it cannot be used. Neither: it is missing. */
export interface ReadConfigFile {
  readonly text?: string;
  readonly fault?: string;
  /** The fault: somebody else could have written it, or this user may not look at it. */
  readonly isForeign?: boolean;
}

/** Reads a file that nobody else can have written: it names code to load. */
export async function readConfigFile(file: string): Promise<ReadConfigFile> {
  try {
    const bytes = await readTrusted(file, LARGEST);
    return bytes === undefined ? {} : decode(bytes);
  } catch (thrown) {
    const error = toBlockhaulError(thrown);
    if (error.code === "ERR_NOT_FOUND") return {};
    const { errno, errnoName, message } = error;
    const isForeign = error.code === "ERR_PERMISSION";
    if (isForeign && (await isMissing(file))) return {};
    return { fault: errno === undefined ? message : `cannot be read: ${errnoName}`, isForeign };
  }
}

/** Not with other characters in the place of what is no text. */
function decode(bytes: Uint8Array): ReadConfigFile {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { fault: "is no text in UTF-8" };
  }
}

/** What cannot be looked at is not known to be missing. */
async function isMissing(file: string): Promise<boolean> {
  return lstat(file).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === "ENOENT" || code === "ENOTDIR",
  );
}
