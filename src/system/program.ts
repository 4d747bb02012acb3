import { spawn } from "node:child_process";
import { accessSync, constants as fileConstants } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { onAbort } from "./abort.js";

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
  /** Ends it, and the run fails with ERR_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** A descriptor that the program has too: a lock that it keeps, should this process be killed. */
  readonly inherited?: number | undefined;
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
/** Characters; programs that say more are none that are read here. */
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
 * @throws BlockhaulError ERR_DRIVER_UNAVAILABLE where the program is missing, ERR_TIMEOUT,
 *   ERR_CANCELLED
 */
export async function runProgram(
  program: Program,
  args: readonly string[],
  { deadlineMs, graceMs = GRACE_MS, signal, inherited }: RunOptions,
): Promise<Ended> {
  const { name } = program;
  const file = requireProgram(program);
  if (signal?.aborted) throw cancelled(name, signal);
  const child = start(file, args, inherited);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const timers: NodeJS.Timeout[] = [];
  let stopListening = () => {};
  const ended = new Promise<Ended>((resolve, reject) => {
    let reason: BlockhaulError | undefined;
    // What it does must have ended before others undo it, wherever that is possible.
    const end = (why: BlockhaulError) => {
      if (reason !== undefined) return;
      reason = why;
      child.kill("SIGTERM");
      timers.push(setTimeout(giveUp, graceMs));
    };
    const giveUp = () => {
      child.kill("SIGKILL");
      // One that waits for a dead device cannot even be killed: it is not waited for.
      child.unref();
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      reject(reason);
    };
    timers.push(setTimeout(() => end(tooLate(name, deadlineMs)), deadlineMs));
    stopListening = onAbort(signal, () => signal && end(cancelled(name, signal)));
    child.once("error", (error) => {
      reject(toBlockhaulError(error, { message: `cannot run ${file}: ${error.message}` }));
    });
    child.once("close", (code, killedBy) => {
      if (reason !== undefined) return reject(reason);
      if (stdout.isCut() || stderr.isCut()) return reject(tooTalkative(name));
      const status = code ?? 128 + (constants.signals[killedBy ?? "SIGKILL"] ?? 0);
      resolve({ status, stdout: stdout.text(), stderr: stderr.text() });
    });
  });
  return ended.finally(() => {
    for (const timer of timers) clearTimeout(timer);
    stopListening();
  });
}

function start(file: string, args: readonly string[], inherited: number | undefined) {
  try {
    return spawn(file, args, {
      env: ENVIRONMENT,
      stdio: ["ignore", "pipe", "pipe", ...(inherited === undefined ? [] : [inherited])],
    });
  } catch (error) {
    // An argument that none can be, such as one with a NUL in it.
    throw toBlockhaulError(error, { message: `cannot run ${file}: ${String(error)}` });
  }
}

/** What a program says, as far as it is kept. */
function collect(stream: Readable | null) {
  let text = "";
  stream?.setEncoding("utf8").on("data", (part: string) => {
    if (text.length <= MOST_OUTPUT) text += part;
  });
  return { text: () => text, isCut: () => text.length > MOST_OUTPUT };
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

function tooTalkative(name: string): BlockhaulError {
  return new BlockhaulError("ERR_INTERNAL", { message: `${name} says more than can be an answer` });
}

function cancelled(name: string, signal: AbortSignal | undefined): BlockhaulError {
  return new BlockhaulError("ERR_CANCELLED", {
    message: `${name} was stopped on request`,
    cause: signal?.reason,
  });
}
