// npm run test:planted                   plants bugs of test/planted in copies of this checkout, and demands that the
//                                        tests that the patch names catch it: one fails, crashes or hangs. This
//                                        week's part of them
// npm run test:planted -- --all          all of them; --part 2/6 for another part
// npm run test:planted -- NAME…          some of them
// npm run test:planted -- --save NAME    writes the uncommitted changes of native/ and src/ into that patch, below the
//                                        text that it has: how a bug is kept, or planted anew once the code has changed

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { prepare } from "./lib/prepare.mjs";
import { nothing, record, recordCount, sayResults } from "./lib/results.mjs";
import {
  chosenPart,
  isTimeOver,
  itemsOf,
  partInWords,
  partOption,
  rotationOptions,
} from "./lib/rotation.mjs";
import { main, root, run, Stop, say } from "./lib/run.mjs";
import { withTemporaryFolder } from "./lib/temporary.mjs";
import { folder, parsePatch, readBugs, splitPatch } from "./planted/patch.mjs";
import { buildNative, checkTypes, configureNative, runNative, runUnit } from "./planted/runs.mjs";
import { Scratch } from "./planted/scratch.mjs";
import { deadlineFor, judge, named } from "./planted/verdict.mjs";

/** @typedef {import("./planted/patch.mjs").Catcher} Catcher */
/** @typedef {import("./planted/patch.mjs").PlantedBug} PlantedBug */
/** @typedef {import("./planted/verdict.mjs").Test} Test */
/** @typedef {{ verdict: import("./planted/verdict.mjs").Verdict, how: string, seconds: number, detail?: string }} Finding */

/** Seconds; of all named tests together, without any bug. */
const deadlineWithoutBugs = 900;

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ...rotationOptions, save: { type: "string" } },
  });
  if (values.save !== undefined) return save(values.save);
  const part = chosenPart("planted bugs", positionals.length > 0 ? { all: true } : values);
  const bugs = itemsOf(choose(positionals), part);
  await prepare(["build", "test"]);
  say(`Planting ${bugs.length} bugs (${partInWords(part)})`);
  const findings = await withTemporaryFolder(() => plantAll(bugs));

  const counts = countFindings(findings);
  record("planted", counts);
  const left = bugs.length - findings.size;
  const command = `npm run test:planted -- ${partOption(part)}`;
  if (positionals.length === 0) {
    const what = `planted bugs caught, ${partInWords(part)}`;
    const without = left === 0 ? "" : `; ${left} more not planted, for lack of time`;
    recordCount("planted", { what: `${what}${without}`, count: counts.passed, command });
  }
  for (const [{ name }, { verdict, how, detail }] of findings) {
    if (verdict === "not caught") say(`\n${`${name}: ${how}\n${detail ?? ""}`.trim()}`);
  }
  if (left > 0) say(`\n${left} bugs were not planted: no time was left. All of them: ${command}`);
  sayResults(counts);
  if (counts.failed > 0) throw new Stop("");
});

/**
 * Plants the bugs one after another, in as many copies side by side as there are processors.
 *
 * @param {readonly PlantedBug[]} bugs
 * @returns {Promise<Map<PlantedBug, Finding>>} what was found of each; without those that no time was left for
 */
async function plantAll(bugs) {
  const width = Math.max(...bugs.map(({ name }) => name.length));
  const scratches = Array.from(
    { length: Math.min(availableParallelism(), bugs.length) },
    (_, index) => new Scratch(index + 1),
  );
  // One after another: what the first has compiled, the others find in the cache.
  for (const scratch of scratches) {
    await scratch.refresh();
    await buildAtFirst(scratch, bugs);
  }
  const [first] = scratches;
  const healthy = first === undefined ? [] : await runWithoutBugs(first, bugs);
  /** @type {Map<PlantedBug, Finding>} */
  const findings = new Map();
  const waiting = [...bugs];
  const work = async (/** @type {Scratch} */ scratch) => {
    for (let bug = waiting.shift(); bug !== undefined && !isTimeOver(); bug = waiting.shift()) {
      const finding = await look(scratch, bug, healthy);
      findings.set(bug, finding);
      const { verdict, how, seconds } = finding;
      say(
        `${bug.name.padEnd(width)}  ${verdict.padEnd(10)}  ${seconds.toFixed(1).padStart(5)} s  ${how}`,
      );
    }
  };
  await Promise.all(scratches.map(work));
  return findings;
}

/**
 * @param {ReadonlyMap<PlantedBug, Finding>} findings
 * @returns {import("./lib/results.mjs").Counts}
 */
function countFindings(findings) {
  const all = [...findings].map(([{ name }, finding]) => ({ name: `planted ${name}`, ...finding }));
  const missed = all.filter(({ verdict }) => verdict === "not caught");
  return {
    ...nothing,
    passed: all.filter(({ verdict }) => verdict === "caught").length,
    failed: missed.length,
    failures: missed.map(
      ({ name, how }) =>
        `${name}: ${how}\n    again: npm run test:planted -- ${name.replace("planted ", "")}`,
    ),
    skips: all
      .filter(({ verdict }) => verdict === "skipped")
      .map(({ name, how }) => ({ what: name, why: how })),
  };
}

/** @param {readonly string[]} names none: all */
function choose(names) {
  const all = readBugs();
  const unknown = names.find((name) => !all.some((bug) => bug.name === name));
  if (unknown !== undefined) throw new Stop(`there is no test/planted/${unknown}.patch`, 2);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/**
 * @param {Scratch} scratch
 * @param {readonly PlantedBug[]} bugs
 */
async function buildAtFirst(scratch, bugs) {
  const types = bugs.some(isInTypeScript) ? await checkTypes(scratch) : undefined;
  if (types !== undefined) throw new Stop(types);
  if (!isAnyNative(bugs)) return;
  say("Building the native tests, without any bug");
  await configureNative(scratch);
  const failure = await buildNative(scratch);
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
 * @param {Scratch} scratch
 * @param {readonly PlantedBug[]} bugs
 * @returns {Promise<Test[]>}
 */
async function runWithoutBugs(scratch, bugs) {
  say("Running the tests that are to catch the bugs, without any bug");
  const catchers = bugs.flatMap((bug) => bug.catchers);
  const options = { deadline: deadlineWithoutBugs };
  const filters = new Set(catchers.flatMap((one) => (one.kind === "native" ? [one.filter] : [])));
  const files = new Set(catchers.flatMap((one) => (one.kind === "unit" ? [one.file] : [])));
  const absent = [...files].find((file) => !existsSync(path.join(root, file)));
  if (absent !== undefined) throw new Stop(`a patch names ${absent}, which is not there`);
  const runs = [];
  if (filters.size > 0) runs.push(await runNative(scratch, [...filters], options));
  if (files.size > 0) runs.push(await runUnit(scratch, [...files], options));
  for (const { status, output } of runs) {
    if (status !== 0) throw new Stop(`${output}\n\nnamed tests fail without any bug`);
  }
  return runs.flatMap(({ tests }) => tests ?? []);
}

/**
 * Plants one bug, runs its tests until they catch it, and takes it out again.
 *
 * @param {Scratch} scratch
 * @param {PlantedBug} bug
 * @param {readonly Test[]} healthy the tests, as they are without any bug
 * @returns {Promise<Finding>}
 */
async function look(scratch, bug, healthy) {
  const begin = performance.now();
  const found = await lookWhilePlanted(scratch, bug, healthy);
  scratch.takeOut(bug);
  return { ...found, seconds: (performance.now() - begin) / 1000 };
}

/**
 * @param {Scratch} scratch
 * @param {PlantedBug} bug
 * @param {readonly Test[]} healthy
 * @returns {Promise<Omit<Finding, "seconds">>}
 */
async function lookWhilePlanted(scratch, bug, healthy) {
  const misfit = await scratch.plant(bug);
  if (misfit !== undefined) {
    const detail = `${misfit}
The code has changed there. Plant the bug anew: edit the code so that it has it, then
  npm run test:planted -- --save ${bug.name}
and take the edit back.`;
    return { verdict: "not caught", how: "no longer applies", detail };
  }
  const failure = isAnyNative([bug]) ? await buildNative(scratch) : undefined;
  if (failure !== undefined) {
    return { verdict: "not caught", how: "does not compile", detail: failure };
  }
  // A bug that the compiler sees is none that could have been made.
  const [types, found] = await Promise.all([
    isInTypeScript(bug) ? checkTypes(scratch) : undefined,
    runCatchers(scratch, bug, healthy),
  ]);
  if (types === undefined) return found;
  return { verdict: "not caught", how: "does not compile", detail: types };
}

/**
 * @param {Scratch} scratch
 * @param {PlantedBug} bug
 * @param {readonly Test[]} healthy
 * @returns {Promise<Omit<Finding, "seconds">>}
 */
async function runCatchers(scratch, bug, healthy) {
  /** @type {Omit<Finding, "seconds">} */
  let found = { verdict: "skipped", how: "" };
  for (const catcher of bug.catchers) {
    const run = await runCatcher(scratch, catcher, healthy);
    const next = { ...judge(run), detail: run.output };
    if (next.verdict !== "skipped" || found.how === "") found = next;
    if (found.verdict === "caught") break;
  }
  return found;
}

/**
 * @param {Scratch} scratch
 * @param {Catcher} catcher
 * @param {readonly Test[]} healthy
 */
function runCatcher(scratch, catcher, healthy) {
  const deadline = deadlineFor(named(catcher, healthy));
  return catcher.kind === "native"
    ? runNative(scratch, [catcher.filter], { deadline, untilFirstFailure: true })
    : runUnit(scratch, [catcher.file], { deadline, pattern: catcher.pattern });
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
