import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

import { configure } from "../lib/cmake.mjs";
import { tryRun } from "../lib/run.mjs";

/** @typedef {import("./verdict.mjs").Test} Test */
/** @typedef {import("./verdict.mjs").TestRun} TestRun */

/** @typedef {import("./scratch.mjs").Scratch} Scratch */

/** The build that the checkout's own tests have, so that what these have compiled is not compiled again. */
const variant = "native";

/** @param {Scratch} scratch */
export async function configureNative({ tree }) {
  // A bug may leave something unused: that is no reason not to plant it.
  await configure(variant, ["tests"], { source: tree, warningsAreErrors: false });
}

/**
 * @param {Scratch} scratch
 * @returns {Promise<string | undefined>} what the compiler said where it failed
 */
export async function buildNative({ tree }) {
  const args = ["--build", `out/${variant}`, "--target", "blockhaul_tests"];
  const { status, output } = await tryRun("cmake", args, { cwd: tree, capture: true });
  return status === 0 ? undefined : output.trim();
}

/**
 * @param {Scratch} scratch
 * @returns {Promise<string | undefined>} what the TypeScript compiler has to say against src/
 */
export async function checkTypes({ tree }) {
  const compiler = path.join(tree, "node_modules", "typescript", "bin", "tsc");
  // What has not changed since the last look is not looked at again.
  const memory = [
    "--incremental",
    "--tsBuildInfoFile",
    path.join(tree, "out", "types.tsbuildinfo"),
  ];
  const { status, output } = await tryRun(
    process.execPath,
    [compiler, "-p", "tsconfig.build.json", "--noEmit", ...memory],
    { cwd: tree, capture: true },
  );
  return status === 0 ? undefined : output.trim();
}

/**
 * @param {Scratch} scratch
 * @param {readonly string[]} filters
 * @param {{ deadline: number, untilFirstFailure?: boolean }} options
 * @returns {Promise<TestRun & { output: string }>}
 */
export async function runNative({ tree }, filters, { deadline, untilFirstFailure = false }) {
  const report = reportIn(tree);
  const args = [`--gtest_filter=${filters.join(":")}`, `--gtest_output=json:${report}`];
  if (untilFirstFailure) args.push("--gtest_fail_fast");
  const binary = path.join(tree, "out", variant, "blockhaul_tests");
  const ended = await runUntil(deadline, tree, binary, args);
  const tests = readReport(report)?.testsuites.flatMap(
    (/** @type {{ name: string, testsuite: GoogleTest[] }} */ suite) =>
      suite.testsuite.flatMap((test) => googleTest(suite.name, test)),
  );
  return { ...ended, tests };
}

/**
 * @typedef {{ name: string, status: string, result: string, time: string, failures?: unknown }} GoogleTest
 * @param {string} suite
 * @param {GoogleTest} test
 * @returns {Test[]}
 */
function googleTest(suite, { name, status, result, time, failures }) {
  if (status === "NOTRUN") return [];
  const outcome = failures ? "failed" : result === "SKIPPED" ? "skipped" : "passed";
  return [{ name: `${suite}.${name}`, outcome, seconds: Number.parseFloat(time) }];
}

/**
 * @param {Scratch} scratch
 * @param {readonly string[]} files of tests, from the root
 * @param {{ deadline: number, pattern?: string | undefined }} options
 * @returns {Promise<TestRun & { output: string }>}
 */
export async function runUnit({ tree }, files, { deadline, pattern }) {
  const report = reportIn(tree);
  const vitest = path.join(tree, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = ["run", "--project", "unit", ...reporters];
  // Nothing in a planted bug's tests takes long: what waits, hangs.
  args.push("--testTimeout=10000");
  if (pattern !== undefined) args.push("-t", pattern);
  const ended = await runUntil(deadline, tree, process.execPath, [vitest, ...args, ...files]);
  const tests = readReport(report)?.testResults.flatMap(
    (/** @type {{ name: string, assertionResults: VitestTest[] }} */ { name, assertionResults }) =>
      assertionResults.flatMap((test) => vitestTest(path.relative(tree, name), test)),
  );
  // A file that does not load has a report without tests.
  return { ...ended, tests: tests?.length > 0 ? tests : undefined };
}

/**
 * @typedef {{ fullName: string, status: string, duration?: number | null }} VitestTest
 * @param {string} file
 * @param {VitestTest} test
 * @returns {Test[]}
 */
function vitestTest(file, { fullName, status, duration }) {
  if (status !== "passed" && status !== "failed") return [];
  return [{ name: fullName, file, outcome: status, seconds: (duration ?? 0) / 1000 }];
}

/**
 * Runs a command, and kills it with all that it started when it takes too long.
 *
 * @param {number} deadline seconds
 * @param {string} tree
 * @param {string} command
 * @param {readonly string[]} args
 */
async function runUntil(deadline, tree, command, args) {
  const begin = performance.now();
  const { status, output } = await tryRun(
    "timeout",
    ["--signal=KILL", `${deadline}`, command, ...args],
    { cwd: tree, capture: true, env: { NO_COLOR: "1", GTEST_COLOR: "no" } },
  );
  const hung = status === 137 && performance.now() - begin >= deadline * 1000;
  return { status, hung, output };
}

/**
 * A place for a runner's report, without an old one.
 *
 * @param {string} tree
 */
function reportIn(tree) {
  const file = path.join(tree, "out", "report.json");
  mkdirSync(path.dirname(file), { recursive: true });
  rmSync(file, { force: true });
  return file;
}

/** @param {string} report */
function readReport(report) {
  return existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined;
}
