// Every moment of every kind of migration, or a sample of them.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

import { randomFrom } from "../random.mjs";
import { Scene } from "./case.mjs";

/** What an abort and a resume may say of a target that nobody can tell to be the migration's. */
const UNKNOWN = "ERR_EXISTS";

/**
 * @typedef {object} Counts
 * @property {number} moments of undisturbed runs
 * @property {number} kills
 * @property {number} resumed to the end
 * @property {number} aborted
 * @property {number} unknown where a person has to look at a target first
 * @property {string[]} faults
 */

/**
 * @param {object} options
 * @param {string} options.folder
 * @param {readonly import("./variants.mjs").Variant[]} options.variants
 * @param {string} options.seed
 * @param {number | undefined} options.sample how many moments of each variant; all unless told
 * @param {number} options.atOnce
 * @param {(fault: string) => void} [options.onFault]
 * @returns {Promise<Counts>}
 */
export async function killMigrations({ folder, variants, seed, sample, atOnce, onFault }) {
  /** @type {Counts} */
  const counts = { moments: 0, kills: 0, resumed: 0, aborted: 0, unknown: 0, faults: [] };
  /** @type {(() => Promise<void>)[]} */
  const cases = [];
  for (const variant of variants) {
    const { expected, moments } = await undisturbed(folder, variant, counts);
    counts.moments += moments.length;
    const all = moments.map((name, index) => ({ name, killAt: index + 1 }));
    const random = randomFrom(`${seed} ${variant.name}`);
    const chosen =
      sample === undefined ? all : all.filter(() => random.chance(sample / all.length));
    for (const { name, killAt } of chosen) {
      for (const way of /** @type {const} */ (["resume", "abort"])) {
        cases.push(async () => {
          const own = path.join(folder, `${variants.indexOf(variant)}-${killAt}-${way}`);
          const scene = new Scene(own, variant);
          await killOnce(scene, { killAt, way, expected, counts, seed }).catch((error) => {
            scene.faults.push(String(error));
          });
          for (const fault of scene.faults) {
            const where = `${variant.name}, killed at ${killAt} (${name}), ${way}`;
            counts.faults.push(`${where}: ${fault}`);
            onFault?.(`${where}: ${fault}`);
          }
          if (scene.faults.length === 0) scene.remove();
        });
      }
    }
  }
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = cases.shift(); next !== undefined; next = cases.shift()) await next();
    }),
  );
  return counts;
}

/**
 * @param {string} folder
 * @param {import("./variants.mjs").Variant} variant
 * @param {Counts} counts
 */
async function undisturbed(folder, variant, counts) {
  const own = path.join(folder, "undisturbed");
  mkdirSync(own, { recursive: true });
  const scene = new Scene(own, variant);
  const log = path.join(own, "moments");
  const ended = await scene.run({ action: "migrate", log });
  scene.expect("undisturbed", ended.state ?? ended.message, "done");
  const id = (await scene.migration())?.id ?? "none";
  const expected = scene.listing().replaceAll(id, "ID");
  await scene.checkDone(expected);
  counts.faults.push(...scene.faults.map((fault) => `${variant.name}: ${fault}`));
  const moments = readFileSync(log, "utf8").split("\n");
  rmSync(own, { recursive: true });
  return { expected, moments };
}

/**
 * @param {Scene} scene
 * @param {{ killAt: number, way: "resume" | "abort", expected: string, counts: Counts, seed: string }} options
 */
async function killOnce(scene, { killAt, way, expected, counts, seed }) {
  const first = await scene.run({ action: "migrate", killAt });
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
  const random = randomFrom(`${seed} ${scene.variant.name} ${killAt} ${way}`);
  // What comes to the aid is killed, too, now and then.
  if (random.chance(0.4)) {
    const again = await scene.run({ action: way, id, killAt: 1 + random.below(60) });
    if (again.killed) counts.kills += 1;
  }
  await bringToEnd(scene, { id, way, expected, counts });
}

/**
 * @param {Scene} scene
 * @param {{ id: string, way: "resume" | "abort", expected: string, counts: Counts }} options
 */
async function bringToEnd(scene, { id, way, expected, counts }) {
  const now = await scene.migration();
  const ended = await scene.run({ action: way, id });
  const wasOver = now?.state === "done" || now?.state === "aborted";
  if (wasOver) scene.expect(`${way} of what has ended`, ended.code, "ERR_INVALID_ARGUMENT");
  else if (way === "abort" && now?.abortable === false) {
    // The source is going already: it can only go on.
    scene.expect("abort of what deletes its source", ended.code, "ERR_INVALID_ARGUMENT");
    const resumed = await scene.run({ action: "resume", id });
    scene.expect("resume", resumed.state ?? resumed.message, "done");
  } else if (ended.code === UNKNOWN && scene.variant.name.startsWith("no temporary name")) {
    counts.unknown += 1;
    await scene.checkSourceBytes(id);
    scene.expect("state", (await scene.migration())?.state, "failed");
    rmSync(path.join(scene.folder, "to/disk"));
    const again = await scene.run({ action: way, id });
    scene.expect(way, again.state ?? again.message, way === "abort" ? "aborted" : "done");
  } else scene.expect(way, ended.state ?? ended.message, way === "abort" ? "aborted" : "done");
  if ((await scene.migration())?.state === "aborted") {
    counts.aborted += 1;
    await scene.checkUndone();
  } else {
    counts.resumed += 1;
    await scene.checkDone(expected);
  }
}
