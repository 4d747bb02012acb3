// npm run bench [-- --help]: blockhaul and the tools that people use instead, on the same work in the same run. Fails on
// errors and wrong bytes; a target that is missed is reported as missed.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { prepare } from "../scripts/lib/prepare.mjs";
import { exitMissing, main, Stop, say } from "../scripts/lib/run.mjs";
import { chart } from "./chart.mjs";
import { compare } from "./compare.mjs";
import { Contents } from "./content.mjs";
import { copyContests } from "./contest.mjs";
import { Lab } from "./lab.mjs";
import { describeMachine } from "./machine.mjs";
import { figure } from "./markdown.mjs";
import { nativeVerdicts, runNativeBenchmarks } from "./native.mjs";
import { readOptions, usage } from "./options.mjs";
import { contestTable, report } from "./report.mjs";
import { readResult } from "./result.mjs";
import { smallContests } from "./small.mjs";
import { judge } from "./targets.mjs";

/** @typedef {import("./contest.mjs").Contest} Contest */
/** @typedef {import("./options.mjs").Options} Options */
/** @typedef {import("./result.mjs").Result} Result */

const contests = [...copyContests(), ...smallContests()];

await main(async () => {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    say(usage);
    return;
  }
  if (options.list) {
    for (const { id, title, quick } of contests) {
      say(`${id.padEnd(20)} ${quick ? "quick" : "     "}  ${title}`);
    }
    return;
  }
  const before = options.compare === undefined ? undefined : readResult(options.compare);
  if (before !== undefined && options.with !== undefined) {
    say(compare(before, readResult(options.with)));
    return;
  }
  await prepare(["build", "demo", "ceph", "bench"]);
  if (process.getuid?.() !== 0) throw new Stop("loop devices need root", exitMissing);
  const result = await benchmark(options);
  keep(options, result);
  if (before !== undefined) say(compare(before, result));
  const { length } = result.failures;
  if (length > 0) throw new Stop(`${length} of ${length + result.contests.length} contests failed`);
});

/**
 * @param {Options} options
 * @returns {Promise<Result>}
 */
async function benchmark(options) {
  const chosen = options.native ? [] : choose(options);
  const lab = new Lab(options.dir);
  try {
    return await benchmarkIn(lab, chosen, options);
  } finally {
    await lab.close();
  }
}

/**
 * @param {Lab} lab
 * @param {readonly Contest[]} chosen
 * @param {Options} options
 * @returns {Promise<Result>}
 */
async function benchmarkIn(lab, chosen, options) {
  const { rounds, scale, seed, quick } = options;
  const at = new Date().toISOString();
  const machine = await describeMachine(lab.folder);
  say(`Seed ${seed}, ${rounds} rounds after a warm-up, ${scale} of the data, in ${lab.folder}\n`);

  const whole = !quick && options.only.length === 0;
  const native =
    options.native || whole || options.only.includes("native")
      ? await runNativeBenchmarks(lab.signal)
      : [];
  const contents = new Contents(lab, seed, scale);
  /** @type {Result["contests"]} */
  const held = [];
  /** @type {Result["failures"]} */
  const failures = [];
  for (const contest of chosen) {
    const begin = Date.now();
    say(contest.title);
    try {
      const result = await contest.hold(lab, contents, { rounds, quick });
      held.push(result);
      say(`\n${contestTable(result)}\n\nin ${figure((Date.now() - begin) / 1000)} s\n`);
    } catch (error) {
      lab.signal.throwIfAborted();
      // What the others take an hour to find out is not lost with one of them.
      if (!(error instanceof Stop)) throw error;
      say(`\nFAILED: ${error.message}\n`);
      failures.push({ contest: contest.id, error: error.message });
    }
  }
  const verdicts = [...judge(held), ...nativeVerdicts(native)];
  const kept = { quick, scale, rounds, seed };
  return { format: 1, at, options: kept, machine, contests: held, native, verdicts, failures };
}

/**
 * @param {Options} options
 * @returns {Contest[]}
 */
function choose({ quick, only }) {
  const chosen = contests.filter(
    (contest) =>
      (!quick || contest.quick) &&
      (only.length === 0 ||
        only.some((text) => contest.id.includes(text) || contest.title.includes(text))),
  );
  if (chosen.length === 0 && !only.includes("native")) {
    throw new Stop(`no contest has "${only.join('" or "')}" in its name; see --list`, 2);
  }
  return chosen;
}

/**
 * @param {Options} options
 * @param {Result} result
 */
function keep({ out }, result) {
  mkdirSync(out, { recursive: true });
  const written = report(result);
  say(written);
  writeFileSync(path.join(out, "result.json"), `${JSON.stringify(result, undefined, 1)}\n`);
  writeFileSync(path.join(out, "report.md"), written);
  writeFileSync(path.join(out, "chart.svg"), chart(result.contests));
  say(`Kept in ${path.relative(process.cwd(), out) || "."}: result.json, report.md, chart.svg`);
}
