import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { root, say } from "./run.mjs";

// Every test run leaves a small file in out/results; .ci/run adds them up.

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {readonly string[]} failures what failed, a few words or lines each, for the summary
 * @property {readonly Skip[]} skips
 * @property {readonly FileCost[]} files
 *
 * @typedef {object} Skip a test that was not run
 * @property {string} what
 * @property {string} why
 *
 * @typedef {object} FileCost what a file of tests cost
 * @property {string} file from the root; of GoogleTest's: the suite
 * @property {number} wall seconds
 * @property {number} [cpu] seconds, its processes' that have ended; not known of one suite of GoogleTest's
 */

const folder = path.join(root, "out", "results");

/** What a run without tests counts. */
export const nothing = /** @type {Counts} */ (
  Object.freeze({ passed: 0, failed: 0, failures: [], skips: [], files: [] })
);

/**
 * A place for a runner's own report, without an old one.
 *
 * @param {string} name
 */
export function reportFile(name) {
  mkdirSync(path.join(folder, "reports"), { recursive: true });
  const file = path.join(folder, "reports", `${name}.json`);
  rmSync(file, { force: true });
  return file;
}

/**
 * The counts that a run left, or, where it crashed and left none, one failure.
 *
 * @param {string} file the runner's report
 * @param {number} status the runner's exit status
 * @param {(report: any) => Counts} read
 * @returns {Counts}
 */
export function countsOf(file, status, read) {
  if (!existsSync(file)) {
    const failure = `${path.basename(file, ".json")}: ended with ${status}, without a report`;
    return { ...nothing, failed: 1, failures: [failure] };
  }
  const counts = read(JSON.parse(readFileSync(file, "utf8")));
  // A runner may fail without a failed test: a file that does not load, a leak found at the end.
  if (status === 0 || counts.failed > 0) return counts;
  const unnamed = [`a run ended with ${status}, and no test failed`];
  return { ...counts, failed: 1, failures: counts.failures.length > 0 ? counts.failures : unnamed };
}

/**
 * A failed test in the summary.
 *
 * @param {string} name
 * @param {string} message
 * @param {string} again the command that runs it again
 */
export function failureInWords(name, message, again) {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  return [name, ...lines.slice(0, 6).map((line) => `    ${line}`), `    again: ${again}`].join(
    "\n",
  );
}

/**
 * @param {string} name of the run; a later run of that name replaces it
 * @param {Counts} counts
 */
export function record(name, counts) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(counts));
}

/**
 * What one of the proofs has counted, for the table that .ci/run prints.
 *
 * @typedef {object} ProofCount
 * @property {string} what
 * @property {number} count
 * @property {string} command that makes it
 */

/**
 * @param {string} name of the proof; a later run of that name replaces it
 * @param {ProofCount} count
 */
export function recordCount(name, count) {
  mkdirSync(path.join(folder, "counts"), { recursive: true });
  writeFileSync(path.join(folder, "counts", `${name}.json`), `${JSON.stringify(count)}\n`);
}

/** @returns {ProofCount[]} in the order of their names */
export function recordedCounts() {
  return filesIn(path.join(folder, "counts"));
}

/** @returns {Counts} the sum of what was recorded */
export function recorded() {
  return sum(filesIn(folder));
}

/** Forgets what earlier runs have left. */
export function forgetResults() {
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string} from */
function filesIn(from) {
  const names = existsSync(from) ? readdirSync(from).sort() : [];
  return names
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(path.join(from, name), "utf8")));
}

/**
 * @param {readonly Counts[]} all
 * @returns {Counts}
 */
export function sum(all) {
  return {
    passed: all.reduce((total, { passed }) => total + passed, 0),
    failed: all.reduce((total, { failed }) => total + failed, 0),
    failures: all.flatMap(({ failures }) => failures),
    skips: all.flatMap(({ skips }) => skips),
    files: all.flatMap(({ files }) => files),
  };
}

/** @param {Counts} counts */
export function inWords({ passed, failed, skips }) {
  const skipped = skips.length > 0 ? `, ${skips.length} skipped` : "";
  return `${passed} passed, ${failed} failed${skipped}`;
}

/**
 * The end of a run: what failed, what was not tested here and why, and as the last line the counts.
 *
 * @param {Counts} counts
 */
export function sayResults(counts) {
  if (counts.failures.length > 0) say(`\nFailed (${counts.failures.length}):`);
  for (const failure of counts.failures) say(`- ${failure}`);
  if (counts.skips.length > 0) say(`\nNot tested on this machine (${counts.skips.length}):`);
  for (const [why, what] of grouped(counts.skips)) {
    say(
      `- ${why}: ${what.length > 3 ? `${what.slice(0, 2).join("; ")}; and ${what.length - 2} more` : what.join("; ")}`,
    );
  }
  say(`\n${inWords(counts)}`);
}

/**
 * @param {readonly Skip[]} skips
 * @returns {Map<string, string[]>} what was skipped, by the reason
 */
function grouped(skips) {
  /** @type {Map<string, string[]>} */
  const reasons = new Map();
  for (const { what, why } of skips) {
    const known = reasons.get(why) ?? [];
    reasons.set(why, known.includes(what) ? known : [...known, what]);
  }
  return reasons;
}
