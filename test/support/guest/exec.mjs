// Programs that a scenario runs in the guest.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// Scenarios and what they use change whatever system they run on: never the host.
if (!readFileSync("/proc/cpuinfo", "utf8").includes("User Mode Linux")) {
  throw new Error("this is for a guest only: node test/support/guest/run.mjs SCENARIO");
}

/** For scratch files of a scenario: in memory, without O_DIRECT. */
export const scratch = "/run/blockhaul-test";
mkdirSync(scratch, { recursive: true });

/**
 * @typedef {object} ExecOptions
 * @property {string | Uint8Array} [input] for stdin
 * @property {Readonly<Record<string, string | undefined>>} [env] added to this process's; undefined removes
 * @property {string} [cwd]
 * @property {number} [timeoutMs] after which it is killed; 120 s unless told
 *
 * @typedef {object} Ended
 * @property {number | null} status null where a signal ended it
 * @property {NodeJS.Signals | null} signal
 * @property {string} stdout
 * @property {string} stderr
 */

/**
 * Runs a program to its end, whatever that is.
 *
 * @param {string} program
 * @param {readonly string[]} [args]
 * @param {ExecOptions} [options]
 * @returns {Promise<Ended>}
 */
export async function exec(program, args = [], { input, env, cwd, timeoutMs = 600_000 } = {}) {
  const child = spawn(program, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(input);
  const [status, signal] = await once(child, "close");
  return { status, signal, stdout, stderr };
}

/**
 * Runs a program that has to succeed.
 *
 * @param {string} program
 * @param {readonly string[]} [args]
 * @param {ExecOptions} [options]
 * @returns {Promise<string>} its stdout
 */
export async function must(program, args = [], options = {}) {
  const { status, signal, stdout, stderr } = await exec(program, args, options);
  if (status !== 0) {
    const line = [program, ...args].join(" ");
    throw new Error(`${line}: ended with ${status ?? signal}\n${stdout}${stderr}`);
  }
  return stdout;
}

/**
 * Waits for what cannot be waited for otherwise.
 *
 * @template T
 * @param {string} what for the error: "the session is gone"
 * @param {() => T | Promise<T>} condition asked again until it gives something true
 * @param {number} [timeoutMs] 60 s unless told
 * @returns {Promise<Exclude<T, false | undefined>>} what it gave
 */
export async function until(what, condition, timeoutMs = 300_000) {
  const deadline = performance.now() + timeoutMs;
  // A condition may run a program, and what it waits for needs the same, only processor.
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.5, 300)) {
    const value = await condition();
    if (value) return /** @type {Exclude<T, false | undefined>} */ (value);
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(pauseMs);
  }
}

/** A program that runs in the foreground beside the scenario and ends with the guest; what it says goes to a file. */
export class Daemon {
  /**
   * @param {string} program
   * @param {readonly string[]} [args]
   */
  constructor(program, args = []) {
    this.name = program;
    this.logFile = `${scratch}/${program}.log`;
    const log = openSync(this.logFile, "a");
    this.child = spawn(program, args, { detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    /** Settles when it has ended, however that was. */
    this.ended = once(this.child, "exit");
    this.ended.catch(() => {}); // there may be no such program; `until` below says so
  }

  get pid() {
    return this.child.pid ?? 0;
  }

  get isRunning() {
    return this.pid !== 0 && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @returns {string} what it has said */
  log() {
    return readFileSync(this.logFile, "utf8");
  }

  /**
   * Waits until it does what it is there for.
   *
   * @param {() => unknown} condition
   */
  async ready(condition) {
    await until(`${this.name} is ready\n${this.log()}`, async () => {
      if (!this.isRunning) throw new Error(`${this.name} ended:\n${this.log()}`);
      return condition();
    });
    return this;
  }

  /** @param {NodeJS.Signals} name */
  signal(name) {
    if (this.isRunning) process.kill(this.pid, name);
  }

  /**
   * Ends it and waits for that.
   *
   * @param {NodeJS.Signals} [name]
   */
  async stop(name = "SIGTERM") {
    if (!this.isRunning) return;
    this.signal(name);
    await this.ended;
  }
}
