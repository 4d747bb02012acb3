// Runs command lines in this process, one after the other, and says what must not be of them.

import { runProgram } from "../../out/modules/cli/program.js";
import { ProgressRequests } from "../../out/modules/cli/progress-requests.js";
import { ERROR_CODES } from "../../out/modules/index.js";

const requests = new ProgressRequests();

/** The command ends its process by itself where something may hang. */
class Ended extends Error {}

/** What JavaScript says of a program's own faults. */
const RAW =
  /\b(Type|Range|Syntax|Reference)Error\b|\n\s+at .*(\.js|node:)|is not (a function|iterable)|Cannot (read|set|convert|destructure)|is not valid JSON/;

/**
 * @typedef {object} Run
 * @property {number} exitCode
 * @property {string} stdout
 * @property {string} stderr
 * @property {string | undefined} code of the error, where -v was given
 * @property {boolean} isTired this process has to end before it runs another
 * @property {string[]} faults
 */

/**
 * @param {readonly string[]} args
 * @returns {Promise<Run>}
 */
export async function runCommand(args) {
  const texts = { stdout: "", stderr: "" };
  const writes = { stdout: process.stdout.write, stderr: process.stderr.write };
  const exit = process.exit;
  let isTired = false;
  /** @type {number | undefined} */
  let ended;
  for (const name of /** @type {const} */ (["stdout", "stderr"])) {
    process[name].write = /** @type {any} */ (
      (/** @type {any} */ chunk, /** @type {any} */ ...rest) => {
        texts[name] += String(chunk);
        const done = rest.find((/** @type {unknown} */ one) => typeof one === "function");
        if (done !== undefined) process.nextTick(done);
        return true;
      }
    );
  }
  process.exit = /** @type {any} */ (
    (/** @type {number | undefined} */ code) => {
      isTired = true;
      ended = code ?? Number(process.exitCode);
      throw new Ended();
    }
  );
  process.exitCode = 0;
  /** @type {string[]} */
  const faults = [];
  try {
    await runProgram(args, requests);
  } catch (error) {
    if (!(error instanceof Ended)) faults.push(`it threw ${String(error)}`);
  }
  const exitCode = ended ?? Number(process.exitCode);
  process.exitCode = 0;
  process.exit = exit;
  process.stdout.write = writes.stdout;
  process.stderr.write = writes.stderr;
  process.removeAllListeners("uncaughtException");
  const { stdout, stderr } = texts;
  const code = /^code: (\w+)/m.exec(stderr)?.[1];
  return {
    exitCode,
    stdout,
    stderr,
    code,
    isTired,
    faults: [...faults, ...judge(exitCode, stderr, code)],
  };
}

/**
 * @param {number} exitCode
 * @param {string} stderr
 * @param {string | undefined} code
 */
function judge(exitCode, stderr, code) {
  const faults = [];
  const documented = new Set([0, 2, 7, 129, 130, 143]);
  for (const { exitCode: one } of Object.values(ERROR_CODES)) documented.add(one);
  if (!documented.has(exitCode)) faults.push(`exit ${exitCode} is in no document`);
  const raw = RAW.exec(stderr);
  if (raw !== null) faults.push(`a raw error: ${raw[0]}`);
  if (/\bERR_INTERNAL\b/.test(stderr)) faults.push("ERR_INTERNAL");
  // Else nothing is tried, and all of it passes.
  if (code === "ERR_NATIVE_UNAVAILABLE") faults.push("the addon is not built");
  const known = /** @type {Record<string, { exitCode: number } | undefined>} */ (ERROR_CODES);
  if (code !== undefined && known[code] === undefined) faults.push(`${code} is in no document`);
  return faults.map((fault) => `${fault}; exit ${exitCode}: ${stderr.slice(0, 600)}`);
}
