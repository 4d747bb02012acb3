// Every moment of every kind of migration, or some of them: each with a resume and with an abort behind it.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

import { randomFrom } from "../random.mjs";
import { Scene } from "./case.mjs";

/** What a resume and an abort may say of a target that nobody can tell to be the migration's. */
const UNKNOWN = "ERR_EXISTS";
/** Kills while bytes are moved and compared, of a run that is slowed down. */
const IN_PROGRESS = [2, 3, 5];
const SLOW = { bandwidthLimit: 2 * 1024 ** 2, requestSize: 64 * 1024 };
/** How often the resume or the abort is killed as well. */
const AGAIN = 0.4;

/** Cases between two lines of progress. */
const TOLD_EACH = 20;

const WAYS = /** @type {const} */ (["resume", "abort"]);

/**
 * @typedef {import("../../../scripts/lib/rotation.mjs").Part} Part
 *
 * @typedef {object} Counts
 * @property {number} moments of undisturbed runs
 * @property {number} cases that there are, of which a sample or a part was run
 * @property {number} left cases that were not run, for lack of time
 * @property {number} kills
 * @property {number} resumed to the end
 * @property {number} aborted
 * @property {number} unknown where a person has to look at a target first
 * @property {string[]} faults
 *
 * @typedef {{ name: string } & Pick<import("./case.mjs").Task, "killAt" | "killAtProgress" | "options">} Kill
 * @typedef {{ kill: Kill, way: "resume" | "abort", expected: string, counts: Counts, seed: string }} Case
 */

/**
 * @param {object} options
 * @param {string} options.folder
 * @param {readonly import("./variants.mjs").Variant[]} options.variants
 * @param {string} options.seed
 * @param {number} [options.sample] about how many cases of each variant, by the seed; all unless told
 * @param {Part} [options.part] one part of all cases; all unless told
 * @param {number} options.atOnce
 * @param {() => boolean} [options.isTimeOver] whether to begin no further case
 * @param {(fault: string) => void} [options.onFault]
 * @param {(line: string) => void} [options.onProgress] takes a line now and then
 * @returns {Promise<Counts>}
 */
export async function killMigrations({
  folder,
  variants,
  seed,
  sample,
  part,
  atOnce,
  isTimeOver = () => false,
  onFault,
  onProgress,
}) {
  /** @type {Counts} */
  const counts = {
    moments: 0,
    cases: 0,
    left: 0,
    kills: 0,
    resumed: 0,
    aborted: 0,
    unknown: 0,
    faults: [],
  };
  const fault = (/** @type {string} */ text) => {
    counts.faults.push(text);
    onFault?.(text);
  };
  /** @type {(() => Promise<void>)[]} */
  const cases = [];
  for (const variant of variants) {
    const { expected, kills } = await undisturbed(folder, variant, counts, fault);
    const random = randomFrom(`${seed} ${variant.name}`);
    const share = sample === undefined ? 1 : sample / (kills.length * WAYS.length);
    for (const kill of kills) {
      for (const way of WAYS) {
        counts.cases += 1;
        const isOther = part !== undefined && counts.cases % part.of !== part.index % part.of;
        if (isOther || !random.chance(share)) continue;
        cases.push(async () => {
          const own = path.join(folder, `case-${cases.length}`);
          const scene = new Scene(own, variant);
          await killOnce(scene, { kill, way, expected, counts, seed }).catch((error) => {
            scene.faults.push(String(error));
          });
          const at = kill.killAt === undefined ? "" : ` ${kill.killAt}`;
          const where = `${variant.name}, killed at${at} ${kill.name}, ${way}, seed ${seed}`;
          for (const one of scene.faults) fault(`${where}: ${one}`);
          if (scene.faults.length === 0) scene.remove();
        });
      }
    }
  }
  const all = cases.length;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (!isTimeOver()) {
        const next = cases.shift();
        if (next === undefined) return;
        await next();
        const done = all - cases.length;
        if (done % TOLD_EACH === 0) onProgress?.(`${done} of ${all} cases, ${counts.kills} kills`);
      }
    }),
  );
  counts.left = cases.length;
  return counts;
}

/**
 * What there is after a run that nobody kills, and when others are to be killed.
 *
 * @param {string} folder
 * @param {import("./variants.mjs").Variant} variant
 * @param {Counts} counts
 * @param {(fault: string) => void} fault
 */
async function undisturbed(folder, variant, counts, fault) {
  const own = path.join(folder, "undisturbed");
  const log = path.join(folder, "moments.json");
  mkdirSync(own, { recursive: true });
  const scene = new Scene(own, variant);
  const ended = await scene.run({ action: "migrate", log });
  scene.expect("undisturbed", ended.state ?? ended.message, "done");
  const id = (await scene.migration())?.id ?? "none";
  const expected = scene.listing().replaceAll(id, "ID");
  await scene.checkDone(expected);
  for (const one of scene.faults) fault(`${variant.name}: ${one}`);
  /** @type {import("./moments.mjs").Moment[]} */
  const moments = JSON.parse(readFileSync(log, "utf8"));
  counts.moments += moments.length;
  rmSync(own, { recursive: true });
  /** @type {Kill[]} */
  const kills = moments
    .map(({ name }, index) => ({ name, killAt: index + 1 }))
    .filter((_, index) => moments[index]?.disk !== moments[index - 1]?.disk);
  for (const killAtProgress of IN_PROGRESS) {
    kills.push({ name: `progress ${killAtProgress}`, killAtProgress, options: SLOW });
  }
  return { expected, kills };
}

/**
 * @param {Scene} scene
 * @param {Case} options
 */
async function killOnce(scene, { kill, way, expected, counts, seed }) {
  const { name, ...at } = kill;
  const first = await scene.run({ action: "migrate", ...at });
  if (!first.killed) {
    // Which moments there are is decided by threads, too: a few more or fewer at the end.
    scene.expect("the run that was to be killed", first.state ?? first.message, "done");
    return;
  }
  counts.kills += 1;
  const begun = await scene.migration();
  if (begun === undefined) {
    scene.expect("volumes, with nothing recorded", scene.listing(), scene.before);
    return;
  }
  const { id } = begun;
  const random = randomFrom(`${seed} ${scene.variant.name} ${name} ${kill.killAt} ${way}`);
  if (random.chance(AGAIN)) {
    const again = await scene.run({ action: way, id, killAt: 1 + random.below(60) });
    if (again.killed) counts.kills += 1;
  }
  await bringToEnd(scene, id, way, counts);
  if ((await scene.migration())?.state === "aborted") {
    counts.aborted += 1;
    await scene.checkUndone();
  } else {
    counts.resumed += 1;
    await scene.checkDone(expected);
  }
}

/**
 * @param {Scene} scene
 * @param {string} id
 * @param {"resume" | "abort"} way
 * @param {Counts} counts
 */
async function bringToEnd(scene, id, way, counts) {
  const now = await scene.migration();
  const ended = await scene.run({ action: way, id });
  const end = way === "abort" ? "aborted" : "done";
  if (now?.state === "done" || now?.state === "aborted") {
    return scene.expect(`${way} of what has ended`, ended.code, "ERR_INVALID_ARGUMENT");
  }
  // A removal that has taken nothing yet is taken back.
  if (way === "abort" && now?.abortable === false && ended.state !== end) {
    scene.expect("abort of what deletes its source", ended.code, "ERR_INVALID_ARGUMENT");
    const resumed = await scene.run({ action: "resume", id });
    return scene.expect("resume", resumed.state ?? resumed.message, "done");
  }
  if (ended.code === UNKNOWN && scene.variant.isNameless) {
    counts.unknown += 1;
    await scene.checkSourceBytes(id);
    scene.expect("state", (await scene.migration())?.state, "failed");
    rmSync(path.join(scene.folder, "to/disk"));
    const again = await scene.run({ action: way, id });
    return scene.expect(way, again.state ?? again.message, end);
  }
  scene.expect(way, ended.state ?? ended.message, end);
}
