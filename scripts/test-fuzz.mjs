// npm run test:fuzz                         inputs that nobody expects, this week's part of them: command lines, journals
//                                           and records of migrations with right checksums, manifests. Nothing of them
//                                           may end in a fault of the program's own, hang, or be called done or the same
//                                           where it is not
// npm run test:fuzz -- --all                all of them; --part 2/6 for another part
// npm run test:fuzz -- --seed random        others than those that are always tried; --seed S: those of that seed
// … -- --only journals [--input 17]         one kind, or one input of it alone

import { fork } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { prepare } from "./lib/prepare.mjs";
import { nothing, record, recordCount } from "./lib/results.mjs";
import {
  chosenPart,
  isTimeOver,
  itemsOf,
  partInWords,
  partOption,
  rotationOptions,
} from "./lib/rotation.mjs";
import { main, root, Stop, say } from "./lib/run.mjs";
import { withTemporaryFolder } from "./lib/temporary.mjs";

/** How many there are of each. */
const COUNTS = { "command lines": 2000, journals: 2000, migrations: 900, manifests: 2000 };
/** An input that takes longer hangs, in milliseconds. */
const DEADLINE = 90_000;
const MOST_FAULTS = 20;

/** @typedef {{ kind: string, number: number }} Input */

await main(async () => {
  const { values } = parseArgs({
    options: {
      // Always the same ones: what a change did is seen, and not what chance found at the same time.
      seed: { type: "string", default: "1" },
      only: { type: "string" },
      input: { type: "string" },
      ...rotationOptions,
    },
  });
  const { only, input } = values;
  const seed = values.seed === "random" ? String(randomInt(2 ** 31)) : values.seed;
  if (only !== undefined && !(only in COUNTS)) {
    throw new Stop(`--only is one of ${Object.keys(COUNTS).join(", ")}`, 2);
  }
  const part = chosenPart("fuzzed inputs", values);
  const all = Object.entries(COUNTS)
    .filter(([kind]) => only === undefined || kind === only)
    .flatMap(([kind, count]) => Array.from({ length: count }, (_, number) => ({ kind, number })));
  const inputs =
    input === undefined ? itemsOf(all, part) : all.filter(({ number }) => number === Number(input));
  await prepare(["build", "test"]);
  say(`${inputs.length} inputs (${partInWords(part)}), seed ${seed}`);
  await withTemporaryFolder(() => fuzzAll(inputs, seed, part));
});

/**
 * @param {readonly Input[]} inputs
 * @param {string} seed
 * @param {import("./lib/rotation.mjs").Part} part
 */
async function fuzzAll(inputs, seed, part) {
  const folder = mkdtempSync(path.join(tmpdir(), "fuzz-"));
  const waiting = [...inputs];
  /** @type {string[]} */
  const failures = [];
  /** @type {Map<string, number>} */
  const ends = new Map();
  let done = 0;
  const work = async (/** @type {number} */ index) => {
    const own = path.join(folder, `worker-${index}`);
    mkdirSync(own);
    /** @type {import("node:child_process").ChildProcess | undefined} */
    let worker;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (isTimeOver() || failures.length >= MOST_FAULTS) break;
      const { kind, number } = next;
      worker ??= start();
      const found = await ask(worker, { kind, seed: `${seed} ${kind} ${number}`, folder: own });
      done += 1;
      const end = `${kind}: ${found.ended}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (found.faults.length > 0) {
        const again = `npm run test:fuzz -- --seed ${seed} --only "${kind}" --input ${number}`;
        const failure = `${kind} ${number}: ${found.faults.join("\n    ")}\n    input: ${found.input}\n    again: ${again}`;
        say(failure);
        failures.push(failure);
      }
      if (!found.isTired) continue;
      worker.kill("SIGKILL");
      worker = undefined;
    }
    worker?.kill("SIGKILL");
  };
  await Promise.all(Array.from({ length: availableParallelism() }, (_, index) => work(index)));
  const strangers = readdirSync(folder).filter((name) => !/^worker-\d+$/.test(name));
  if (strangers.length > 0) failures.push(`made outside of the folder: ${strangers.join(", ")}`);

  for (const [end, count] of [...ends].sort()) say(`${String(count).padStart(6)}  ${end}`);
  const left = inputs.length - done;
  say(`${done} inputs, ${failures.length} failed${left > 0 ? `; ${left} not run` : ""}`);
  record("fuzz", { ...nothing, passed: done - failures.length, failed: failures.length, failures });
  recordCount("fuzz", {
    what: `fuzzed inputs, ${partInWords(part)}`,
    count: done,
    command: `npm run test:fuzz -- ${partOption(part)}`,
  });
  if (failures.length > 0) throw new Stop("");
}

function start() {
  return fork(path.join(root, "test/fuzz/worker.mjs"), {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

/**
 * @param {import("node:child_process").ChildProcess} worker
 * @param {{ kind: string, seed: string, folder: string }} input
 * @returns {Promise<import("../test/fuzz/worker.mjs").Finding>}
 */
function ask(worker, input) {
  return new Promise((resolve) => {
    const gone = (/** @type {string} */ ended, /** @type {string} */ fault) =>
      end({ input: "", ended, isTired: true, faults: [fault] });
    const timer = setTimeout(() => gone("hung", "it hangs"), DEADLINE);
    const onExit = (/** @type {number | null} */ code, /** @type {string | null} */ signal) =>
      gone("crashed", `the process ended with ${code ?? signal}`);
    const end = (/** @type {import("../test/fuzz/worker.mjs").Finding} */ found) => {
      clearTimeout(timer);
      worker.off("message", end).off("exit", onExit);
      resolve(found);
    };
    worker.once("message", end).once("exit", onExit);
    worker.send(input);
  });
}
