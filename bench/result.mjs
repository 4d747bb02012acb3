// What a run of the benchmark found: the content of result.json.

import { readFileSync } from "node:fs";

import { Stop } from "../scripts/lib/run.mjs";

/**
 * @typedef {object} Result
 * @property {1} format
 * @property {string} at when it began
 * @property {ResultOptions} options
 * @property {import("./machine.mjs").Machine} machine
 * @property {import("./contest.mjs").ContestResult[]} contests
 * @property {import("./native.mjs").NativeFigure[]} native
 * @property {import("./targets.mjs").Verdict[]} verdicts
 * @property {Failure[]} failures contests that did not come to their end, by an error or wrong bytes
 *
 * @typedef {{ contest: string, error: string }} Failure
 *
 * @typedef {object} ResultOptions
 * @property {boolean} quick
 * @property {number} scale of the amount of data
 * @property {number} rounds
 * @property {number} seed
 */

/**
 * @param {string} file
 * @returns {Result}
 * @throws {Stop} where it is none
 */
export function readResult(file) {
  let result;
  try {
    result = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Stop(`${file}: ${error instanceof Error ? error.message : error}`, 2);
  }
  if (result?.format !== 1) throw new Stop(`${file} is no result of this benchmark`, 2);
  return result;
}
