import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";

import { randomFrom } from "./random.mjs";

/** The longest that a killed run is let live, in milliseconds: a little more than it takes. */
const LONGEST_LIFE = 900;
/** A run that takes longer hangs. */
const DEADLINE = 90_000;

/**
 * @typedef {object} Kills
 * @property {number} kills processes that were ended with SIGKILL while they worked
 * @property {number} resumes of journals, the last ones included
 * @property {number} again copies that were begun anew, because nothing was recorded yet
 * @property {string[]} faults what must not be
 */

/**
 * One case: a copy that is killed, and resumed, and perhaps killed again, until it is let end.
 *
 * @param {object} options
 * @param {string} options.seed
 * @param {string} options.command the file that is the command
 * @param {string} options.folder
 * @param {{ file: string, size: number }} options.source
 * @param {import("./targets.mjs").MakeTarget} options.makeTarget
 * @returns {Promise<Kills>}
 */
export async function killAndResume({ seed, command, folder, source, makeTarget }) {
  const random = randomFrom(seed);
  const id = `k${seed.replace(/\W/g, "")}`;
  const state = path.join(folder, `${id}.state`);
  mkdirSync(state);
  const target = await makeTarget(id, source.size, random.chance(0.5));
  /** @type {Kills} */
  const done = { kills: 0, resumes: 0, again: 0, faults: [] };
  const common = ["--json", "--progress", "none"];
  const copy = async () => {
    const isThere = await target.exists();
    // A cluster shows a client that was killed for a while; without a journal nobody knows that it was ours.
    const flags = isThere ? ["--allow-watched"] : target.flags;
    return ["copy", source.file, target.ref, ...flags, ...common, ...engineFlags(random)];
  };
  const run = (/** @type {string[]} */ args, /** @type {number | undefined} */ life) =>
    runCommand([command, ...args], { BLOCKHAUL_STATE_DIR: state }, life);

  let refusals = 0;
  let args = await copy();
  for (let left = 1 + random.below(3); ; left -= 1) {
    const life = left > 0 ? random.below(LONGEST_LIFE) : undefined;
    const ended = await run(args, life);
    if (ended.killed) done.kills += 1;
    if (!ended.killed) {
      // Killed behind its end: the journal says that nothing is left to do.
      const wasDone = ended.code === 2 && /job \w+ is done/.test(ended.output);
      // The image that a killed run was just making came into being after it was looked for.
      const isRefused = args.includes("--create") && /"ERR_EXISTS"/.test(ended.output);
      if (isRefused && done.again > refusals) {
        refusals += 1;
        // Or it was killed in the midst of making it: librbd knows the name then, and nothing that could be opened.
        if (!(await target.exists())) await target.clear?.();
        args = await copy();
        continue;
      }
      if (ended.code !== 0 && !wasDone) {
        done.faults.push(`exit ${ended.code}: ${ended.output.slice(-500)}`);
      }
      break;
    }
    const job = newestJob(state);
    if (job === undefined) done.again += 1;
    else done.resumes += 1;
    args = job === undefined ? await copy() : ["resume", job, ...common];
  }
  if (done.faults.length === 0) {
    const difference = await target.difference(source.file);
    if (difference !== "") done.faults.push(`not identical: ${difference}`);
    const job = newestJob(state);
    const { output } = await run(["jobs", "show", job ?? "none", "--json"], undefined);
    if (!/"state":"done"/.test(output)) done.faults.push(`the job is not done: ${output}`);
  }
  await target.remove();
  rmSync(state, { recursive: true });
  return done;
}

/** @param {ReturnType<typeof randomFrom>} random */
function engineFlags(random) {
  return [
    `--checkpoint-interval=${random.pick(["0.01", "0.03", "0.1"])}`,
    `--request-size=${random.pick(["64KiB", "256KiB", "1MiB", "4MiB"])}`,
    `--requests=${random.pick(["1", "7", "32"])}`,
    `--threads=${random.pick(["1", "1", "3"])}`,
    `--bwlimit=${random.pick(["100MiB", "150MiB", "400MiB"])}`,
    `--digest=${random.pick(["xxh3", "xxh3", "sha256", "none"])}`,
  ];
}

/** @param {string} state */
function newestJob(state) {
  const folder = path.join(state, "jobs");
  if (!existsSync(folder)) return undefined;
  const journals = readdirSync(folder).filter((name) => name.endsWith(".journal"));
  const byAge = journals.sort(
    (one, other) =>
      statSync(path.join(folder, other)).mtimeMs - statSync(path.join(folder, one)).mtimeMs,
  );
  // A journal without a header was made by a process that was killed right then.
  return byAge
    .find((name) => statSync(path.join(folder, name)).size > 0)
    ?.replace(/\.journal$/, "");
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} env
 * @param {number | undefined} life milliseconds until it is killed; undefined: it is let end
 * @returns {Promise<{ killed: boolean, code: number | null, output: string }>}
 */
function runCommand(args, env, life) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        output += data;
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), life ?? DEADLINE);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      const killed = signal === "SIGKILL";
      const hung = killed && life === undefined;
      resolve({
        killed: killed && !hung,
        code: hung ? -1 : code,
        output: hung ? "it hangs" : output,
      });
    });
  });
}
