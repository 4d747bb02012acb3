import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { root } from "./run.mjs";

// Every test run leaves a small file in out/results; .ci/run adds them up.

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {readonly string[]} failures what failed, a few words or lines each, for the summary
 */

const folder = path.join(root, "out", "results");

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
 * Reads GoogleTest's report. A run that crashed left none: one failure.
 *
 * @param {string} file
 * @param {number} status the runner's exit status
 * @returns {Counts}
 */
export function countGoogleTest(file, status) {
  if (!existsSync(file)) return withoutReport(file, status);
  const { testsuites } = JSON.parse(readFileSync(file, "utf8"));
  const tests = testsuites.flatMap(
    (/** @type {{ testsuite: unknown[] }} */ suite) => suite.testsuite,
  );
  /** @type {{ classname: string, name: string, failures: { failure: string }[] }[]} */
  const failedOnes = tests.filter((/** @type {{ failures?: unknown }} */ test) => test.failures);
  const failed = failedOnes.length;
  const failures = failedOnes.map((test) =>
    excerpt(`${test.classname}.${test.name}`, test.failures[0]?.failure),
  );
  const skipped = tests.filter(
    (/** @type {{ result: string }} */ test) => test.result === "SKIPPED",
  ).length;
  return atLeastOneFailed(
    { passed: tests.length - failed - skipped, failed, skipped, failures },
    status,
  );
}

/**
 * Adds up a number that tests note in GoogleTest's report (RecordProperty), by a text that they note with it.
 *
 * @param {string} file
 * @param {string} textName
 * @param {string} numberName
 * @returns {Map<string, { sum: number, suite: string }>} by the text; with the suite of the first test
 */
export function sumProperties(file, textName, numberName) {
  /** @type {Map<string, { sum: number, suite: string }>} */
  const sums = new Map();
  if (!existsSync(file)) return sums;
  const { testsuites } = JSON.parse(readFileSync(file, "utf8"));
  for (const { name: suite, testsuite } of testsuites) {
    for (const test of testsuite) {
      const text = test[textName];
      if (text === undefined) continue;
      const known = sums.get(text) ?? { sum: 0, suite };
      sums.set(text, { ...known, sum: known.sum + Number(test[numberName]) });
    }
  }
  return sums;
}

/**
 * Reads vitest's report.
 *
 * @param {string} file
 * @param {number} status the runner's exit status
 * @returns {Counts}
 */
export function countVitest(file, status) {
  if (!existsSync(file)) return withoutReport(file, status);
  const report = JSON.parse(readFileSync(file, "utf8"));
  /** @type {{ name: string, status: string, message: string, assertionResults: { fullName: string, status: string, failureMessages: string[] }[] }[]} */
  const files = report.testResults;
  const failures = files.flatMap(({ name, status: outcome, message, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === "failed");
    const at = path.relative(root, name);
    if (tests.length === 0) return outcome === "failed" ? [excerpt(at, message)] : [];
    return tests.map((test) => excerpt(`${at}: ${test.fullName}`, test.failureMessages[0]));
  });
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
  };
  return atLeastOneFailed(counts, status);
}

/**
 * @param {string} file the report that is not there
 * @param {number} status
 * @returns {Counts}
 */
function withoutReport(file, status) {
  const failure = `${path.basename(file, ".json")}: ended with ${status}, without a report`;
  return { passed: 0, failed: 1, skipped: 0, failures: [failure] };
}

/**
 * @param {string} name
 * @param {string} [message]
 */
function excerpt(name, message = "") {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  return [name, ...lines.slice(0, 6).map((line) => `    ${line}`)].join("\n");
}

/**
 * A runner may fail without a failed test: a file that does not load, a leak found at the end.
 *
 * @param {Counts} counts
 * @param {number} status
 */
function atLeastOneFailed(counts, status) {
  if (status === 0 || counts.failed > 0) return counts;
  const unnamed = [`a run ended with ${status}, and no test failed`];
  return { ...counts, failed: 1, failures: counts.failures.length > 0 ? counts.failures : unnamed };
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
  const counts = path.join(folder, "counts");
  const names = existsSync(counts) ? readdirSync(counts).sort() : [];
  return names.map((name) => JSON.parse(readFileSync(path.join(counts, name), "utf8")));
}

/** @returns {Counts} the sum of what was recorded */
export function recorded() {
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith(".json"))
    : [];
  return sum(names.map((name) => JSON.parse(readFileSync(path.join(folder, name), "utf8"))));
}

/** @param {readonly Counts[]} all */
export function sum(all) {
  const total = { passed: 0, failed: 0, skipped: 0, failures: /** @type {string[]} */ ([]) };
  for (const counts of all) {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    total.failures.push(...counts.failures);
  }
  return total;
}

/** @param {Counts} counts */
export function inWords({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
