import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";

import { compileTests, configure } from "./cmake.mjs";
import { countGoogleTest, GoogleTestRun, sumProperties } from "./google-test.mjs";
import { Progress } from "./progress.mjs";
import { countsOf, record, recordCount, reportFile, sum } from "./results.mjs";
import { root } from "./run.mjs";

/** @typedef {import("./results.mjs").Counts} Counts */

/** Suites that run in a simulation: to them, all ways of doing I/O are one. */
const simulated = "*Proof*";

/** A part of the native tests that one process runs. */
/** @typedef {{ io: string, index: number, of: number }} Share */

/**
 * Builds the native tests and runs them, once for every way of doing I/O, as many processes at once as there are
 * processors.
 *
 * @param {string} variant names the build's folder and the run
 * @param {{ sanitize?: string, withAddon?: boolean, env?: Record<string, string>, filter?: string | undefined }} [options]
 * @returns {Promise<Counts>}
 */
export async function runNativeTests(
  variant,
  { sanitize = "", withAddon = false, env = {}, filter } = {},
) {
  const folder = await configure(variant, withAddon ? ["tests", "addon"] : ["tests"], {
    sanitize,
  });
  await compileTests(folder, variant);
  const binary = path.join(root, folder, "blockhaul_tests");

  const of = availableParallelism();
  const shares = ["uring", "threads"].flatMap((io) =>
    Array.from({ length: of }, (_, index) => ({ io, index, of })),
  );
  /** @type {GoogleTestRun[]} */
  const runs = [];
  /** @type {Counts[]} */
  const counts = [];
  /** @type {string[]} */
  const reports = [];
  const parts = shares.length;
  const progress = new Progress(() => inProgress(variant, runs, parts));
  const work = async () => {
    for (let share = shares.shift(); share !== undefined; share = shares.shift()) {
      const run = new GoogleTestRun();
      runs.push(run);
      const report = reportFile(`${variant}-${share.io}-${share.index + 1}`);
      reports.push(report);
      const status = await run.run(binary, argumentsOf(share, report, filter), {
        ...env,
        BLOCKHAUL_IO: share.io,
        GTEST_TOTAL_SHARDS: String(share.of),
        GTEST_SHARD_INDEX: String(share.index),
      });
      counts.push(countsOf(report, status, (left) => countGoogleTest(left, run.skips)));
    }
  };
  await Promise.all(Array.from({ length: of }, work));
  progress.end();
  const total = sum(counts);
  record(variant, total);
  if (sanitize === "") recordProofs(reports);
  return total;
}

/**
 * @param {Share} share
 * @param {string} report
 * @param {string | undefined} filter
 */
function argumentsOf({ io }, report, filter) {
  const chosen = io === "uring" ? (filter ?? "*") : without(simulated, filter);
  return [`--gtest_output=json:${report}`, `--gtest_filter=${chosen}`];
}

/**
 * @param {string} variant
 * @param {readonly GoogleTestRun[]} runs
 * @param {number} parts that there are, one process each
 */
function inProgress(variant, runs, parts) {
  const ended = runs.reduce((total, run) => total + run.ended, 0);
  const failed = runs.reduce((total, run) => total + run.failed, 0);
  const which = variant === "native" ? "native tests" : `native tests (${variant})`;
  return `${which}: ${ended} ended, ${failed} failed, part ${runs.length} of ${parts}`;
}

/**
 * @param {string} suites
 * @param {string} [filter] GoogleTest's: patterns, then perhaps a "-" and those that are left out
 */
function without(suites, filter = "*") {
  return `${filter}${filter.includes("-") ? ":" : "-"}${suites}`;
}

/**
 * Notes for the summary what the proofs have counted (count_cases() in test/native/support/counted.h).
 *
 * @param {readonly string[]} files GoogleTest's reports
 */
function recordProofs(files) {
  const reports = files.filter(existsSync).map((file) => JSON.parse(readFileSync(file, "utf8")));
  for (const [what, { sum: count, suite }] of sumProperties(reports, "counted", "cases")) {
    const command = suite.includes("Seeds")
      ? "npm run test:seeds"
      : `npm run test:native -- '*${suite.replace(/^.*\//, "")}*'`;
    recordCount(what.replaceAll(/[^a-z]+/gi, "-").toLowerCase(), { what, count, command });
  }
}
