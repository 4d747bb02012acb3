/** Where a configuration is looked for, and who may have written it. */
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

import { errnoName } from "../errno.js";
import { errnoOf } from "../errors.js";
import type { Faults } from "./faults.js";

const NAME = "blockhaul.yaml";
const WRITABLE_BY_OTHERS = 0o002;

/**
 * The files that count, the first before the next: the one that is named, by the caller or by
 * BLOCKHAUL_CONFIG, else those of the folder, the user and the host.
 */
export function placesOfConfig(named: string | undefined): {
  readonly paths: readonly string[];
  readonly isNamed: boolean;
} {
  const { BLOCKHAUL_CONFIG, XDG_CONFIG_HOME = "" } = process.env;
  const file = named ?? (BLOCKHAUL_CONFIG || undefined);
  if (file !== undefined) return { paths: [file], isNamed: true };
  // A relative one is to be ignored, says its specification.
  const own = path.isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : path.join(homedir(), ".config");
  const paths = [path.resolve(NAME), path.join(own, "blockhaul", NAME), `/etc/blockhaul/${NAME}`];
  return { paths: [...new Set(paths)], isNamed: false };
}

/**
 * The text of a file that is there, and that nobody else can have written.
 *
 * @returns undefined where it is missing, and where it cannot be used, which is then among the faults
 */
export async function readConfigFile(file: string, faults: Faults): Promise<string | undefined> {
  try {
    // A named pipe must not keep us waiting.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const fault = faultOfStatus(await handle.stat());
      if (fault === undefined) return decode(await handle.readFile(), faults);
      faults.add(undefined, fault);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isMissing(error)) faults.add(undefined, `cannot be read: ${reasonOf(error)}`);
  }
  return undefined;
}

/** Why code must not be loaded from a file; undefined: it may. */
export async function faultOfCode(file: string): Promise<string | undefined> {
  try {
    return faultOfStatus(await stat(file));
  } catch (error) {
    return isMissing(error) ? "does not exist" : `cannot be read: ${reasonOf(error)}`;
  }
}

/** Whoever can write to it can have this process run any code. */
function faultOfStatus(status: Awaited<ReturnType<typeof stat>>): string | undefined {
  const own = process.getuid?.();
  if (!status.isFile()) return "is no file";
  if ((Number(status.mode) & WRITABLE_BY_OTHERS) !== 0) {
    return "can be written to by everybody, and names code to load: chmod o-w";
  }
  if (status.uid !== 0 && status.uid !== own) {
    return "belongs to another user, and names code to load: it has to be root's or your own";
  }
  return undefined;
}

/** Not with other characters in the place of what is no text. */
function decode(bytes: Uint8Array, faults: Faults): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    faults.add(undefined, "is no text in UTF-8");
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

function reasonOf(error: unknown): string {
  const errno = errnoOf(error);
  return (errno === undefined ? undefined : errnoName(errno)) ?? "no reason given";
}
