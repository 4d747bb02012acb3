import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";

import { BlockhaulError } from "../errors.js";

/** How a program ended. */
export interface Ended {
  /** 128 + the signal's number where a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Milliseconds after which it is ended and the run fails with ERR_TIMEOUT. */
  readonly deadlineMs: number;
}

/** A program of this host, and what brings it. */
export interface Program {
  readonly name: string;
  /** Of Debian; others call it much the same. */
  readonly package: string;
}

/** Where system programs are: never the caller's PATH, which may lead elsewhere. */
const FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin"] as const;

/** Nothing of the caller's environment reaches a program, and its output is in English. */
const ENVIRONMENT = { LC_ALL: "C", PATH: FOLDERS.join(":") } as const;

const MOST_OUTPUT = 16 * 1024 ** 2;

/** The absolute path of a program; undefined where this host does not have it. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => path.join(folder, name)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Runs a program to its end: by its absolute path, with an argument array, without a shell, and with
 * an environment of its own. An exit status is an answer, not an error.
 *
 * @throws BlockhaulError ERR_DRIVER_UNAVAILABLE where the program is missing, ERR_TIMEOUT
 */
export function runProgram(
  { name, package: bringsIt }: Program,
  args: readonly string[],
  { deadlineMs }: RunOptions,
): Promise<Ended> {
  const file = findProgram(name);
  if (file === undefined) {
    throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
      message: `the program ${name} is missing`,
      hint: `install it: apt-get install ${bringsIt}`,
    });
  }
  return new Promise((resolve, reject) => {
    const options = {
      env: ENVIRONMENT,
      timeout: deadlineMs,
      maxBuffer: MOST_OUTPUT,
      windowsHide: true,
    };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ status: 0, stdout, stderr });
      if (error.killed) return reject(tooLate(name, deadlineMs));
      if (typeof error.code === "number") return resolve({ status: error.code, stdout, stderr });
      reject(
        new BlockhaulError("ERR_INTERNAL", { message: `${name}: ${error.message}`, cause: error }),
      );
    });
    child.stdin?.end();
  });
}

function tooLate(name: string, deadlineMs: number): BlockhaulError {
  return new BlockhaulError("ERR_TIMEOUT", {
    message: `${name} did not end within ${deadlineMs / 1000} seconds`,
  });
}
