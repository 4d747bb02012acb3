import path from "node:path";

import { countsOf, record, reportFile } from "./results.mjs";
import { root, tryRun } from "./run.mjs";

const ownReporter = path.join(root, "scripts", "lib", "vitest-reporter.mjs");

/**
 * @param {string} name of the run
 * @param {readonly string[]} projects of vitest.config.ts
 * @param {readonly string[] | { files: readonly string[] }} [args] vitest's own: files, options. Whoever gives some
 *   wants to see all that vitest says; of files that a script has chosen the summary is enough
 * @param {Record<string, string>} [env]
 * @returns {Promise<import("./results.mjs").Counts>}
 */
export async function runVitest(name, projects, args = [], env = {}) {
  const report = reportFile(name);
  const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs");
  const given = "files" in args ? args.files : args;
  const reporters = [ownReporter, ...(!("files" in args) && args.length > 0 ? ["default"] : [])];
  const options = reporters.map((reporter) => `--reporter=${reporter}`);
  const chosen = projects.flatMap((project) => ["--project", project]);
  const { status } = await tryRun(
    process.execPath,
    [vitest, "run", ...options, ...chosen, ...given],
    { env: { ...env, BLOCKHAUL_TEST_RESULT: report } },
  );
  const counts = countsOf(report, status, (left) => left);
  record(name, counts);
  return counts;
}
