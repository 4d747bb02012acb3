import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/** The repository's (or the installed package's) root, without a slash at its end. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

// mke2fs, e2fsck and losetup are not in an ordinary user's path on Debian.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Exit code for "something is missing on this host", as the command itself has it. */
export const exitMissing = 8;

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

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] the repository's root unless told
 * @property {Record<string, string | undefined>} [env] added to this process's; undefined removes
 * @property {boolean} [capture] collect the output instead of showing it
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
export function tryRun(command, args, { cwd = root, env = {}, capture = false, signal } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: capture ? ["ignore", "pipe", "pipe"] : "inherit",
      ...(signal && { signal }),
    });
    let output = "";
    const collect = (/** @type {Buffer} */ data) => {
      output += data.toString();
    };
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
 * Runs a compiler or what drives one. On a terminal its progress is shown; elsewhere only what it warns of.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Record<string, string>} [env]
 */
export async function compile(command, args, env = {}) {
  if (process.stdout.isTTY) {
    await run(command, args, { env });
    return;
  }
  const output = await run(command, args, { env, capture: true });
  if (/\bwarning\b/i.test(output)) say(output);
}

/**
 * Runs npm quietly. `npm run --silent` around us would silence its errors too.
 *
 * @param {...string} args
 */
export async function npm(...args) {
  await run("npm", args, { capture: true, env: { npm_config_loglevel: "warn" } });
}
