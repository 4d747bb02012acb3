import path from "node:path";

import { countVitest, record, reportFile } from "./results.mjs";
import { root, tryRun } from "./run.mjs";

/**
 * @param {string} name of the run
 * @param {readonly string[]} projects of vitest.config.ts
 * @param {readonly string[]} [args] vitest's own: files, options
 * @param {Record<string, string>} [env]
 * @returns {Promise<import("./results.mjs").Counts>}
 */
export async function runVitest(name, projects, args = [], env = {}) {
  const report = reportFile(name);
  const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs");
  const options = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const chosen = projects.flatMap((project) => ["--project", project]);
  const { status } = await tryRun(
    process.execPath,
    [vitest, "run", ...options, ...chosen, ...args],
    { env },
  );
  const counts = countVitest(report, status);
  record(name, counts);
  return counts;
}
