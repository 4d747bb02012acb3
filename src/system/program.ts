import { execFile } from "node:child_process";
import { accessSync, constants as fileConstants } from "node:fs";
import { constants } from "node:os";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";

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
  /** Milliseconds that it may take to end then, before it is killed; 3000 unless told. */
  readonly graceMs?: number;
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
/** A killed iscsiadm leaves a lock behind; one that was asked to end does not. */
const GRACE_MS = 3000;
const OPTIONS = { env: ENVIRONMENT, maxBuffer: 16 * 1024 ** 2 } as const;

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
 * The absolute path of a program.
 *
 * @throws BlockhaulError ERR_DRIVER_UNAVAILABLE where this host does not have it
 */
export function requireProgram({ name, package: bringsIt }: Program): string {
  const file = findProgram(name);
  if (file !== undefined) return file;
  throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
    message: `the program ${name} is missing`,
    hint: `install it: apt-get install ${bringsIt}`,
  });
}

/**
 * Runs a program to its end: by its absolute path, with an argument array, without a shell, and with
 * an environment of its own. An exit status is an answer, not an error.
 *
 * @throws BlockhaulError ERR_DRIVER_UNAVAILABLE where the program is missing, ERR_TIMEOUT
 */
export async function runProgram(
  program: Program,
  args: readonly string[],
  { deadlineMs, graceMs = GRACE_MS }: RunOptions,
): Promise<Ended> {
  const { name } = program;
  const file = requireProgram(program);
  const ended = new Promise<Ended>((resolve, reject) => {
    const timers: NodeJS.Timeout[] = [];
    let isLate = false;
    const child = execFile(file, args, OPTIONS, (error, stdout, stderr) => {
      for (const timer of timers) clearTimeout(timer);
      if (isLate) return reject(tooLate(name, deadlineMs));
      // A word, not a status: it could not be started, or says more than can be kept.
      if (typeof error?.code === "string") return reject(error);
      const signal = child.signalCode === null ? undefined : constants.signals[child.signalCode];
      const status = signal === undefined ? (child.exitCode ?? 0) : 128 + signal;
      resolve({ status, stdout, stderr });
    });
    child.stdin?.end();
    // What it does must have ended before others undo it, wherever that is possible.
    const end = () => {
      isLate = true;
      child.kill("SIGTERM");
      timers.push(setTimeout(giveUp, graceMs));
    };
    const giveUp = () => {
      child.kill("SIGKILL");
      // One that waits for a dead device cannot even be killed: it is not waited for.
      child.unref();
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      reject(tooLate(name, deadlineMs));
    };
    timers.push(setTimeout(end, deadlineMs));
  });
  return ended.catch((error: unknown) => {
    if (error instanceof BlockhaulError) throw error;
    throw toBlockhaulError(error, { message: `cannot run ${file}: ${messageOf(error)}` });
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function tooLate(name: string, deadlineMs: number): BlockhaulError {
  return new BlockhaulError("ERR_TIMEOUT", {
    message: `${name} did not end within ${deadlineMs / 1000} seconds`,
  });
}
