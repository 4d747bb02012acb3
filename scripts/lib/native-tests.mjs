import path from "node:path";

import { countGoogleTest, record, recordCount, reportFile, sumProperties } from "./results.mjs";
import { compile, root, run, say, tryRun } from "./run.mjs";

/** @typedef {import("./results.mjs").Counts} Counts */

/**
 * Configures a CMake build of its own under out/, without building anything.
 *
 * @param {string} variant names the folder
 * @param {readonly ("addon" | "tests" | "bench")[]} parts what is to be built on top of the engine
 * @param {string} [sanitize]
 * @returns {Promise<string>} the folder, from the root
 */
export async function configure(variant, parts, sanitize = "") {
  const folder = `out/${variant}`;
  const settings = [
    // A benchmark of what users do not run would say nothing.
    `CMAKE_BUILD_TYPE=${parts.includes("bench") ? "Release" : "RelWithDebInfo"}`,
    `CMAKE_COMPILE_WARNING_AS_ERROR=${process.env.CI ? "ON" : "OFF"}`,
    `BLOCKHAUL_ADDON=${parts.includes("addon") ? "ON" : "OFF"}`,
    `BLOCKHAUL_TESTS=${parts.includes("tests") ? "ON" : "OFF"}`,
    `BLOCKHAUL_BENCH=${parts.includes("bench") ? "ON" : "OFF"}`,
    `BLOCKHAUL_SANITIZE=${sanitize}`,
  ];
  const defines = settings.map((setting) => `-D${setting}`);
  await run("cmake", ["-S", ".", "-B", folder, "-G", "Ninja", ...defines], { capture: true });
  return folder;
}

/** Suites that run in a simulation: to them, all ways of doing I/O are one. */
const simulated = "*Proof*";

/**
 * Builds the native tests and runs them, once for every way of doing I/O.
 *
 * @param {string} variant names the build's folder and the run
 * @param {{ sanitize?: string, withAddon?: boolean, env?: Record<string, string>, filter?: string | undefined }} [options]
 * @returns {Promise<Counts[]>}
 */
export async function runNativeTests(
  variant,
  { sanitize = "", withAddon = false, env = {}, filter } = {},
) {
  say(`Building the native tests (${variant})`);
  const folder = await configure(variant, withAddon ? ["tests", "addon"] : ["tests"], sanitize);
  await compile("cmake", ["--build", folder]);
  const all = [];
  for (const io of ["uring", "threads"]) {
    const name = `${variant}-${io}`;
    say(`Native tests (${variant}, BLOCKHAUL_IO=${io})`);
    const report = reportFile(name);
    const args = ["--gtest_brief=1", `--gtest_output=json:${report}`];
    args.push(`--gtest_filter=${io === "uring" ? (filter ?? "*") : without(simulated, filter)}`);
    const binary = path.join(root, folder, "blockhaul_tests");
    const { status } = await tryRun(binary, args, { env: { ...env, BLOCKHAUL_IO: io } });
    const counts = countGoogleTest(report, status);
    record(name, counts);
    if (sanitize === "") recordProofs(report);
    all.push(counts);
  }
  return all;
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
 * @param {string} report GoogleTest's
 */
function recordProofs(report) {
  for (const [what, { sum: count, suite }] of sumProperties(report, "counted", "cases")) {
    const command = suite.includes("Seeds")
      ? "npm run test:seeds"
      : `npm run test:native -- '*${suite.replace(/^.*\//, "")}*'`;
    recordCount(what.replaceAll(/[^a-z]+/gi, "-").toLowerCase(), { what, count, command });
  }
}
