// One contest: tools that do the same work in turns, each on a target of its own, whose bytes are checked.

import { rmSync } from "node:fs";

import { Stop } from "../scripts/lib/run.mjs";
import { check, checkTheCheck } from "./check.mjs";
import { ends } from "./ends/end.mjs";
import { measure } from "./measure.mjs";
import { alternate } from "./rounds.mjs";
import { toolOf } from "./tools/tool.mjs";
import { volumes } from "./volumes.mjs";
import { works } from "./works.mjs";

/**
 * @typedef {import("./content.mjs").Contents} Contents
 * @typedef {import("./lab.mjs").Lab} Lab
 * @typedef {import("./measure.mjs").Measurement} Measurement
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} settings
 * @property {Measurement[]} runs by round
 *
 * @typedef {object} ContestResult
 * @property {string} id "dense/file-rbd"
 * @property {string} title
 * @property {number} gib GiB of data that are copied; 0 where there is nothing to
 * @property {boolean} librbd whether images take part
 * @property {Entry[]} entries ours first
 *
 * @typedef {object} Contest
 * @property {string} id
 * @property {string} title
 * @property {boolean} quick whether a quick run has it
 * @property {(lab: Lab, contents: Contents, options: ContestOptions) => Promise<ContestResult>} hold
 *
 * @typedef {object} ContestOptions
 * @property {number} rounds
 * @property {boolean} quick
 */

/** @returns {Contest[]} of each work and pair */
export function copyContests() {
  return works.flatMap((work) =>
    work.pairs.map((pair) => {
      const id = `${work.name}/${pair.from}-${pair.to}`;
      const title = `${work.title}: ${pair.from} → ${pair.to}`;
      return {
        id,
        title,
        quick: pair.quick !== undefined,
        hold: (lab, contents, options) => hold({ id, title }, work, pair, lab, contents, options),
      };
    }),
  );
}

/**
 * @param {{ id: string, title: string }} named
 * @param {import("./works.mjs").Work} work
 * @param {import("./works.mjs").Pair} pair
 * @param {Lab} lab
 * @param {Contents} contents
 * @param {ContestOptions} options
 * @returns {Promise<ContestResult>}
 */
async function hold(named, work, pair, lab, contents, { rounds, quick }) {
  const tools = ((quick && pair.quick) || pair.tools).map(toolOf);
  const original = await contents.original(work.content);
  const source = await ends[pair.from].load(lab, original.path, original.size, work.store);
  let checkIsChecked = false;

  const turn = async (/** @type {import("./tools/tool.mjs").Tool} */ tool) => {
    const target = await ends[pair.to].reserve(lab, original.size, work.store);
    const folder = lab.newFolder("run");
    try {
      if (work.overwrite || !tool.makesTarget(pair.to)) await ends[pair.to].create(lab, target);
      if (work.overwrite) {
        await volumes(lab, "fill", { place: target, seed: contents.random(folder).below(2 ** 32) });
      }
      const job = { source, target, verify: !!work.verify, fresh: !work.overwrite, folder };
      const evict = [...new Set([...source.cached, ...target.cached])];
      const surroundings = { folder, signal: lab.signal, daemons: lab.daemons(work.store), evict };
      const measured = await measure(tool.steps(job), surroundings);
      if (tool.copies !== false) {
        await check(lab, original, target);
        if (!checkIsChecked) {
          await checkTheCheck(lab, original, target, contents.random(named.id).below(2 ** 32));
          checkIsChecked = true;
        }
      }
      return measured;
    } finally {
      rmSync(folder, { recursive: true });
      // After Ctrl-C the lab takes down what is left.
      if (!lab.signal.aborted) await removeIfThere(lab, tool, pair.to, target);
    }
  };

  let results;
  try {
    results = await alternate(tools, rounds, (tool) => nameInErrors(tool.name, () => turn(tool)));
  } finally {
    if (!lab.signal.aborted) await ends[pair.from].remove(lab, source);
  }
  return {
    ...named,
    gib: original.data / 2 ** 30,
    librbd: pair.from === "rbd" || pair.to === "rbd",
    entries: tools.map(({ name, settings }) => ({
      name,
      settings,
      runs: results.get(name) ?? [],
    })),
  };
}

/**
 * @param {Lab} lab
 * @param {import("./tools/tool.mjs").Tool} tool
 * @param {import("./ends/end.mjs").EndKind} kind
 * @param {import("./ends/end.mjs").Place} target
 */
async function removeIfThere(lab, tool, kind, target) {
  try {
    await ends[kind].remove(lab, target);
  } catch (error) {
    // A tool that failed may not have made its image; its own error says more.
    if (kind !== "rbd" || !tool.makesTarget(kind)) throw error;
  }
}

/**
 * @template T
 * @param {string} name of a tool
 * @param {() => Promise<T>} turn
 * @returns {Promise<T>}
 */
async function nameInErrors(name, turn) {
  try {
    return await turn();
  } catch (error) {
    if (!(error instanceof Stop) || error.message === "") throw error;
    throw new Stop(`${name}: ${error.message}`, error.exitCode);
  }
}
