// npm run test:planted                   plants each bug of test/planted in a copy of this checkout, and demands that
//                                        the tests that the patch names catch it: one fails, crashes or hangs
// npm run test:planted -- NAME…          some of them
// npm run test:planted -- --shard 1/4    a part of them, for several machines
// npm run test:planted -- --save NAME    writes the uncommitted changes of native/ and src/ into that patch, below the
//                                        text that it has: how a bug is kept, or planted anew once the code has changed

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { prepare } from "./lib/prepare.mjs";
import { record, recordCount } from "./lib/results.mjs";
import { main, root, run, Stop, say } from "./lib/run.mjs";
import { folder, parsePatch, readBugs, shardOf, splitPatch } from "./planted/patch.mjs";
import { buildNative, checkTypes, configureNative, runNative, runUnit } from "./planted/runs.mjs";
import { plant, refreshTree, takeOut } from "./planted/scratch.mjs";
import { deadlineFor, judge, named } from "./planted/verdict.mjs";

/** @typedef {import("./planted/patch.mjs").Catcher} Catcher */
/** @typedef {import("./planted/patch.mjs").PlantedBug} PlantedBug */
/** @typedef {import("./planted/verdict.mjs").Test} Test */
/** @typedef {{ verdict: import("./planted/verdict.mjs").Verdict, how: string, seconds: number, detail?: string }} Finding */

/** Seconds; of all named tests together, without any bug. */
const deadlineWithoutBugs = 300;

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { shard: { type: "string" }, save: { type: "string" } },
  });
  if (values.save !== undefined) return save(values.save);
  const bugs = choose(positionals, values.shard);
  await prepare(["build", "test"]);
  await refreshTree();
  await buildAtFirst(bugs);
  const healthy = await runWithoutBugs(bugs);

  const width = Math.max(...bugs.map(({ name }) => name.length));
  const counts = { passed: 0, failed: 0, skipped: 0, failures: /** @type {string[]} */ ([]) };
  const complaints = [];
  for (const bug of bugs) {
    const finding = await look(bug, healthy);
    const { verdict, how, seconds, detail } = finding;
    counts[verdict === "caught" ? "passed" : verdict === "skipped" ? "skipped" : "failed"]++;
    say(
      `${bug.name.padEnd(width)}  ${verdict.padEnd(10)}  ${seconds.toFixed(1).padStart(5)} s  ${how}`,
    );
    if (verdict !== "not caught") continue;
    counts.failures.push(`planted ${bug.name}: ${how}`);
    complaints.push(`${bug.name}: ${how}\n${detail ?? ""}`.trim());
  }

  const part = values.shard === undefined ? "" : `-${values.shard.replace("/", "-of-")}`;
  record(`planted${part}`, counts);
  if (positionals.length === 0) {
    const command = `npm run test:planted${values.shard === undefined ? "" : ` -- --shard ${values.shard}`}`;
    recordCount(`planted${part}`, {
      what: "planted bugs caught",
      count: counts.passed,
      command,
    });
  }
  for (const complaint of complaints) say(`\n${complaint}`);
  const skipped = counts.skipped > 0 ? ` (${counts.skipped} cannot be tried on this host)` : "";
  say(`\n${counts.passed} of ${bugs.length - counts.skipped} planted bugs caught${skipped}`);
  if (counts.failed > 0) throw new Stop("");
});

/**
 * @param {readonly string[]} names none: all
 * @param {string | undefined} shard
 */
function choose(names, shard) {
  const all = readBugs();
  const unknown = names.find((name) => !all.some((bug) => bug.name === name));
  if (unknown !== undefined) throw new Stop(`there is no test/planted/${unknown}.patch`, 2);
  const chosen = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  return shard === undefined ? chosen : shardOf(chosen, shard);
}

/** @param {readonly PlantedBug[]} bugs */
async function buildAtFirst(bugs) {
  const types = bugs.some(isInTypeScript) ? await checkTypes() : undefined;
  if (types !== undefined) throw new Stop(types);
  if (!isAnyNative(bugs)) return;
  say("Building the native tests, without any bug");
  await configureNative();
  const failure = await buildNative();
  if (failure !== undefined) throw new Stop(failure);
}

/** @param {PlantedBug} bug */
function isInTypeScript({ touched }) {
  return touched.some((file) => file.endsWith(".ts"));
}

/** @param {readonly PlantedBug[]} bugs */
function isAnyNative(bugs) {
  return bugs.some(({ catchers }) => catchers.some(({ kind }) => kind === "native"));
}

/**
 * The named tests have to pass without a bug; else their failure with one would prove nothing.
 *
 * @param {readonly PlantedBug[]} bugs
 * @returns {Promise<Test[]>}
 */
async function runWithoutBugs(bugs) {
  say("Running the tests that are to catch the bugs, without any bug");
  const catchers = bugs.flatMap((bug) => bug.catchers);
  const options = { deadline: deadlineWithoutBugs };
  const filters = new Set(catchers.flatMap((one) => (one.kind === "native" ? [one.filter] : [])));
  const files = new Set(catchers.flatMap((one) => (one.kind === "unit" ? [one.file] : [])));
  const absent = [...files].find((file) => !existsSync(path.join(root, file)));
  if (absent !== undefined) throw new Stop(`a patch names ${absent}, which is not there`);
  const runs = [];
  if (filters.size > 0) runs.push(await runNative([...filters], options));
  if (files.size > 0) runs.push(await runUnit([...files], options));
  for (const { status, output } of runs) {
    if (status !== 0) throw new Stop(`${output}\n\nnamed tests fail without any bug`);
  }
  return runs.flatMap(({ tests }) => tests ?? []);
}

/**
 * Plants one bug, runs its tests until they catch it, and takes it out again.
 *
 * @param {PlantedBug} bug
 * @param {readonly Test[]} healthy the tests, as they are without any bug
 * @returns {Promise<Finding>}
 */
async function look(bug, healthy) {
  const begin = performance.now();
  const found = await lookWhilePlanted(bug, healthy);
  takeOut(bug);
  return { ...found, seconds: (performance.now() - begin) / 1000 };
}

/**
 * @param {PlantedBug} bug
 * @param {readonly Test[]} healthy
 * @returns {Promise<Omit<Finding, "seconds">>}
 */
async function lookWhilePlanted(bug, healthy) {
  const misfit = await plant(bug);
  if (misfit !== undefined) {
    const detail = `${misfit}
The code has changed there. Plant the bug anew: edit the code so that it has it, then
  npm run test:planted -- --save ${bug.name}
and take the edit back.`;
    return { verdict: "not caught", how: "no longer applies", detail };
  }
  const failure = isAnyNative([bug]) ? await buildNative() : undefined;
  if (failure !== undefined) {
    return { verdict: "not caught", how: "does not compile", detail: failure };
  }
  // A bug that the compiler sees is none that could have been made.
  const [types, found] = await Promise.all([
    isInTypeScript(bug) ? checkTypes() : undefined,
    runCatchers(bug, healthy),
  ]);
  if (types === undefined) return found;
  return { verdict: "not caught", how: "does not compile", detail: types };
}

/**
 * @param {PlantedBug} bug
 * @param {readonly Test[]} healthy
 * @returns {Promise<Omit<Finding, "seconds">>}
 */
async function runCatchers(bug, healthy) {
  /** @type {Omit<Finding, "seconds">} */
  let found = { verdict: "skipped", how: "" };
  for (const catcher of bug.catchers) {
    const run = await runCatcher(catcher, healthy);
    const next = { ...judge(run), detail: run.output };
    if (next.verdict !== "skipped" || found.how === "") found = next;
    if (found.verdict === "caught") break;
  }
  return found;
}

/**
 * @param {Catcher} catcher
 * @param {readonly Test[]} healthy
 */
function runCatcher(catcher, healthy) {
  const deadline = deadlineFor(named(catcher, healthy));
  return catcher.kind === "native"
    ? runNative([catcher.filter], { deadline, untilFirstFailure: true })
    : runUnit([catcher.file], { deadline, pattern: catcher.pattern });
}

/** @param {string} name */
async function save(name) {
  const file = path.join(folder, `${name}.patch`);
  const diff = await run("git", ["diff", "-U2", "HEAD", "--", "native", "src"], { capture: true });
  if (diff === "") throw new Stop("there is no uncommitted change in native/ or src/ to be saved");
  const header = existsSync(file)
    ? splitPatch(readFileSync(file, "utf8")).header
    : "What this would do to a user.\n\nCaught-by: native SomeTest.*\n\n";
  writeFileSync(file, header + diff);
  const { touched } = parsePatch(file, header + diff);
  say(`test/planted/${name}.patch changes ${touched.join(", ")}; git checkout takes the edit back`);
}
