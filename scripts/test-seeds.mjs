// npm run test:seeds [-- --count N] [-- --from N]   simulated jobs, each by a seed of its own, on all processors;
//                                                   10,000 from 1 on, unless told
// npm run test:seeds -- --seed N                    replays one

import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { compileTests, configure } from "./lib/cmake.mjs";
import { installPackages } from "./lib/prepare.mjs";
import { recordCount } from "./lib/results.mjs";
import { main, root, Stop, say, tryRun } from "./lib/run.mjs";

/** Seeds that one process runs: a few seconds of work. */
const share = 1000;

await main(async () => {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "10000" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
    },
  });
  const count = wholeNumber("count", values.count);
  const from = wholeNumber("from", values.from);
  await installPackages(["build", "test"]);
  const folder = await configure("native", ["tests"]);
  await compileTests(folder, "native");
  const binary = path.join(root, folder, "blockhaul_tests");
  if (values.seed !== undefined) {
    const seed = wholeNumber("seed", values.seed);
    const { status, output } = await runSeeds(binary, seed, 1);
    say(output.trimEnd());
    if (status !== 0) throw new Stop("");
    return;
  }
  await runAll(binary, from, count);
  recordCount("seeded-jobs-each-resumed-until-its-bytes-are-identical", {
    what: "seeded jobs, each resumed until its bytes are identical",
    count,
    command: "npm run test:seeds",
  });
});

/**
 * Runs `count` seeds, as many processes at once as there are processors, until one fails.
 *
 * @param {string} binary
 * @param {number} from
 * @param {number} count
 */
async function runAll(binary, from, count) {
  const began = Date.now();
  let next = from;
  let done = 0;
  let reported = 0;
  /** @type {string[]} */
  const failures = [];
  const work = async () => {
    while (next < from + count && failures.length === 0) {
      const first = next;
      const length = Math.min(share, from + count - first);
      next += length;
      const { status, output } = await runSeeds(binary, first, length);
      if (status !== 0) failures.push(output.trimEnd());
      done += length;
      if (done - reported < count / 10) continue;
      reported = done;
      say(`${done} of ${count} seeds in ${Math.round((Date.now() - began) / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  if (failures.length > 0) throw new Stop(failures.join("\n\n"));
}

/**
 * @param {string} binary
 * @param {number} first
 * @param {number} count
 */
function runSeeds(binary, first, count) {
  return tryRun(binary, ["--gtest_brief=1", "--gtest_filter=ProofSeedsTest.*"], {
    capture: true,
    env: {
      BLOCKHAUL_SEED: undefined,
      BLOCKHAUL_SEEDS_FROM: String(first),
      BLOCKHAUL_SEEDS: String(count),
    },
  });
}

/**
 * @param {string} name
 * @param {string} text
 */
function wholeNumber(name, text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Stop(`--${name} is a whole number, at least 1`, 2);
  return value;
}
