// .ci/run [--all]   everything that has to hold. Each step goes on after another's failure; the last line adds up the
//                   tests of all of them, where a failed step counts as a test. Of the long proofs each week another
//                   part is run (scripts/lib/rotation.mjs); --all runs them as a whole, which takes hours

import { parseArgs } from "node:util";

import { childrenCpu, sayCosts } from "./lib/costs.mjs";
import { inMinutes } from "./lib/progress.mjs";
import { forgetResults, recorded, recordedCounts, sayResults } from "./lib/results.mjs";
import { main, say, tryRun } from "./lib/run.mjs";

/**
 * Minutes. A run is to take less than an hour: on a machine that is slow, or busy with other work, the long proofs stop in
 * time, and the end says what they left out.
 */
const endsBy = 58;
/** Of a proof that can stop in its middle: how much of it has to fit, for it to be worth its beginning. */
const worthwhile = 1 / 4;

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {readonly string[]} command of npm's
 * @property {number} minutes that it takes on two quiet processors
 * @property {boolean} [takesTurns] a long proof, whose part of the week is run
 * @property {boolean} [stops] it can stop after each of its items
 * @property {{ file: string, seconds: number }} [like] tests that were run before, and that take so long on the same two
 *   processors: a guest needs five times as long where the host's kernel is slow, while most else does not
 */

/** In this order: what finds most, and what others need, comes first. Behind them come the long proofs. */
const steps = /** @type {readonly Step[]} */ ([
  { name: "setup", command: ["setup", "--", "--all"], minutes: 2 },
  { name: "tests", command: ["test"], minutes: 11 },
  { name: "lint", command: ["lint"], minutes: 2, takesTurns: true },
  { name: "release build and package", command: ["test:package"], minutes: 2 },
  { name: "bench", command: ["bench", "--", "--quick"], minutes: 2 },
  { name: "soak", command: ["test:soak", "--", "--minutes", "1"], minutes: 1 },
]);

/** Each day another of them comes first: where there is not time for all, each has its day. */
const proofs = /** @type {readonly Step[]} */ ([
  { name: "fuzzed inputs", command: ["test:fuzz"], minutes: 2, takesTurns: true, stops: true },
  { name: "planted bugs", command: ["test:planted"], minutes: 5, takesTurns: true, stops: true },
  { name: "sanitizers", command: ["test:sanitize"], minutes: 7, takesTurns: true },
  { name: "kills", command: ["test:kills"], minutes: 9, takesTurns: true, stops: true },
  {
    name: "long tests",
    command: ["test:long"],
    minutes: 7,
    takesTurns: true,
    like: { file: "test/guest/smoke.test.ts", seconds: 30 },
  },
]);

await main(async () => {
  const { values } = parseArgs({ options: { all: { type: "boolean", default: false } } });
  forgetResults();
  const began = Date.now();
  const until = values.all ? Number.MAX_SAFE_INTEGER : began + endsBy * 60_000;
  const costs = [];
  let expected = 0;
  for (const step of [...steps, ...inOrderOfDay(proofs)]) {
    // How many times as long as on a quiet machine everything takes here.
    const overall = Math.max(1, (Date.now() - began) / 60_000 / Math.max(1, expected));
    const slowness = Math.max(overall, slownessOf(step));
    const least = step.stops ? worthwhile : 1;
    const end = Date.now() + least * step.minutes * slowness * 60_000;
    if (step.takesTurns && end > until) {
      costs.push({ name: step.name, status: undefined, wall: 0, cpu: 0 });
      continue;
    }
    costs.push(await runStep(step, values.all, until));
    expected += step.minutes;
  }

  sayProofs();
  const failed = costs.filter(({ status }) => status !== undefined && status !== 0);
  const left = costs.filter(({ status }) => status === undefined);
  const counts = recorded();
  sayCosts(costs, counts.files);
  const passed = costs.length - failed.length - left.length;
  const total = inMinutes((Date.now() - began) / 1000);
  say(`\n${passed} steps passed, ${failed.length} failed, in ${total}`);
  for (const { name } of failed) say(`Failed: ${name}`);
  for (const { name } of left) say(`Not run, for lack of time: ${name}`);
  // A step without tests, or one that died before it counted any, must not pass unseen.
  const all = { ...counts, failed: Math.max(counts.failed, failed.length) };
  sayResults(all);
  process.exitCode = all.failed > 0 || all.passed === 0 ? 1 : 0;
});

/** @param {readonly Step[]} all */
function inOrderOfDay(all) {
  const first = Math.floor(Date.now() / (24 * 3600 * 1000)) % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

/**
 * By tests that were run before; 0 where nothing like it was.
 *
 * @param {Step} step
 */
function slownessOf({ like }) {
  if (like === undefined) return 0;
  const found = recorded().files.find(({ file }) => file === like.file);
  return found === undefined ? 0 : found.wall / like.seconds;
}

/**
 * @param {Step} step
 * @param {boolean} all
 * @param {number} until when its proof is to begin nothing more
 */
async function runStep({ name, command, takesTurns = false }, all, until) {
  say(`\n=== ${name}`);
  const began = performance.now();
  const cpuBefore = childrenCpu();
  const [script = "", ...rest] = command;
  const args =
    all && takesTurns ? [script, ...(rest.length > 0 ? rest : ["--"]), "--all"] : command;
  const { status } = await tryRun("npm", ["run", "--silent", ...args], {
    env: takesTurns ? { BLOCKHAUL_PROOF_UNTIL: String(until) } : {},
  });
  const wall = (performance.now() - began) / 1000;
  const ended = status === 0 ? "passed" : `FAILED (${status})`;
  say(`--- ${name}: ${ended} in ${inMinutes(wall)}`);
  return { name, status, wall, cpu: childrenCpu() - cpuBefore };
}

/** What the proofs have counted. */
function sayProofs() {
  const proofs = recordedCounts();
  if (proofs.length === 0) return;
  say("\n| proof | count | command |\n|---|---|---|");
  for (const { what, count, command } of proofs) {
    say(`| ${what} | ${count.toLocaleString("en")} | \`${command}\` |`);
  }
}
