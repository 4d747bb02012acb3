import { execFile } from "node:child_process";
import { accessSync, constants as fileConstants } from "node:fs";
import { constants } from "node:os";
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

const VERSION_DEADLINE_MS = 10_000;
const MOST_OUTPUT = 16 * 1024 ** 2;

/** The absolute path of a program; undefined where this host does not have it. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => path.join(folder, name)).find((file) => {
    try {
      accessSync(file, fileConstants.X_OK);
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
    const options = { env: ENVIRONMENT, maxBuffer: MOST_OUTPUT };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      clearTimeout(timer);
      const status =
        child.exitCode ?? 128 + (constants.signals[child.signalCode ?? "SIGKILL"] ?? 0);
      if (error === null || child.exitCode !== null) return resolve({ status, stdout, stderr });
      if (child.signalCode !== null) return resolve({ status, stdout, stderr });
      reject(new BlockhaulError("ERR_INTERNAL", { message: `${name}: ${error.message}` }));
    });
    child.stdin?.end();
    // One that waits for a dead device cannot even be killed: it is not waited for.
    const timer = setTimeout(() => {
      child.kill("SIGTERM");
      child.unref();
      reject(tooLate(name, deadlineMs));
    }, deadlineMs);
  });
}

/** The version that a program says it is, "2.1.8"; undefined where it is missing. */
export async function programVersion(
  program: Program,
  args: readonly string[],
): Promise<string | undefined> {
  if (findProgram(program.name) === undefined) return undefined;
  const { stdout, stderr } = await runProgram(program, args, { deadlineMs: VERSION_DEADLINE_MS });
  return /\d+(?:\.\d+)+/.exec(`${stdout}\n${stderr}`)?.[0] ?? "";
}

function tooLate(name: string, deadlineMs: number): BlockhaulError {
  return new BlockhaulError("ERR_TIMEOUT", {
    message: `${name} did not end within ${deadlineMs / 1000} seconds`,
  });
}
