import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's (or the installed package's) root, without a slash at its end. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

// mke2fs, e2fsck and losetup are not in an ordinary user's path on Debian.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Exit code for "something is missing on this host", as the command itself has it. */
export const exitMissing = 8;

refuseOldNode();

/** Ends the process before anything is installed or built, where this Node is older than package.json asks for. */
function refuseOldNode() {
  const { engines } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const [needed = 0, neededMinor = 0] = numbersOf(engines.node);
  const [major = 0, minor = 0] = numbersOf(process.versions.node);
  if (major > needed || (major === needed && minor >= neededMinor)) return;
  process.stderr.write(
    `blockhaul needs Node ${needed}.${neededMinor} or later. This is Node ${process.versions.node} (${process.execPath}).\n` +
      "Nothing was installed or built. Debian 12's own Node is too old: take Node 20 or later from nodejs.org.\n",
  );
  process.exit(exitMissing);
}

/** @param {string} version */
function numbersOf(version) {
  return (version.match(/\d+/g) ?? []).map(Number);
}

/** Ends a script with one message and no stack. */
export class Stop extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Runs a script's body; a `Stop` becomes its message and exit code.
 *
 * @param {() => Promise<void>} body
 */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    if (error.message) process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}

/** @param {string} text */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/** @type {(() => Promise<void> | void)[] | undefined} */
let cleanups;

/**
 * Has something undone when this process is told to stop: its commands are ended first, then what was named last comes
 * first, and the process exits.
 *
 * @param {() => Promise<void> | void} cleanup
 * @returns {() => void} takes it back
 */
export function atInterrupt(cleanup) {
  if (cleanups === undefined) {
    cleanups = [];
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
      process.on(signal, () => void interrupt(128 + constants.signals[signal]));
    }
  }
  const all = cleanups;
  all.push(cleanup);
  return () => {
    const at = all.indexOf(cleanup);
    if (at >= 0) all.splice(at, 1);
  };
}

/** @param {number} exitCode */
async function interrupt(exitCode) {
  const ending = [...running].map(
    (child) => new Promise((resolve) => child.once("close", resolve)),
  );
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(ending);
  for (let cleanup = cleanups?.pop(); cleanup !== undefined; cleanup = cleanups?.pop()) {
    await cleanup();
  }
  process.exit(exitCode);
}

/**
 * Counts a child among those that an interrupt ends.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
export function endAtInterrupt(child) {
  running.add(child);
  child.once("close", () => running.delete(child));
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] the repository's root unless told
 * @property {Record<string, string | undefined>} [env] added to this process's; undefined removes
 * @property {boolean} [capture] collect the output instead of showing it
 * @property {(text: string) => void} [onOutput] takes what is collected, as it comes
 * @property {(text: string) => void} [onStatus] with `capture`: takes what the command writes to its descriptor 3
 * @property {AbortSignal} [signal] ends the command with SIGTERM
 */

/**
 * Runs a command to its end, whatever that is.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ status: number, output: string }>} 128 + the signal where one ended it; 127 where
 *   there is no such command. `output` is stdout and stderr together, with `capture`.
 */
export function tryRun(
  command,
  args,
  { cwd = root, env = {}, capture = false, onOutput, onStatus, signal } = {},
) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: capture ? ["ignore", "pipe", "pipe", onStatus ? "pipe" : "ignore"] : "inherit",
      ...(signal && { signal }),
    });
    endAtInterrupt(child);
    let output = "";
    const collect = (/** @type {Buffer} */ data) => {
      output += data.toString();
      onOutput?.(data.toString());
    };
    const status = child.stdio[3];
    status?.on("data", (/** @type {Buffer} */ data) => onStatus?.(data.toString()));
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.once("error", (error) => {
      if (error.name !== "AbortError") resolve({ status: 127, output: error.message });
    });
    child.once("close", (code, endedBy) => {
      resolve({ status: code ?? 128 + (endedBy ? constants.signals[endedBy] : 0), output });
    });
  });
}

/**
 * Runs a command that has to succeed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string>} its output, with `capture`
 * @throws {Stop} names the command; with `capture`, shows its last lines
 */
export async function run(command, args, options = {}) {
  const { status, output } = await tryRun(command, args, options);
  if (status !== 0) {
    const tail = output.trimEnd().split("\n").slice(-80).join("\n");
    const line = [command, ...args].join(" ");
    throw new Stop(
      `${tail ? `${tail}\n` : ""}failed (${status}): ${line}`,
      status > 128 ? status : 1,
    );
  }
  return output;
}

/**
 * Runs npm quietly. `npm run --silent` around us would silence its errors too.
 *
 * @param {...string} args
 */
export async function npm(...args) {
  await run("npm", args, { capture: true, env: { npm_config_loglevel: "warn" } });
}
