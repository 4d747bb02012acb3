// The benchmark's command line.

import { randomInt } from "node:crypto";
import path from "node:path";
import { parseArgs } from "node:util";

import { root, Stop } from "../scripts/lib/run.mjs";

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} list
 * @property {boolean} quick
 * @property {boolean} native the native benchmarks, and nothing else
 * @property {number} rounds
 * @property {number} scale
 * @property {number} seed
 * @property {readonly string[]} only all of them, where it is empty
 * @property {string} out
 * @property {string | undefined} dir
 * @property {string | undefined} compare an older result
 * @property {string | undefined} with a newer one, instead of a run
 */

export const usage = `npm run bench [-- OPTIONS]
npm run bench -- --compare OLD.json NEW.json

  --quick          a representative part with less data, in a few minutes
  --native         the native microbenchmarks alone
  --only TEXT      contests whose name or title has TEXT in it, "native" among them; may be given again; see --list
  --list           the contests, and whether a quick run has them
  --rounds N       that count, after a warm-up (5; quick: 2)
  --scale N        of the amount of data (1; quick: 0.25)
  --seed N         of all content (a new one for each run)
  --dir DIR        where volumes are made: on the disk to measure (the system's temporary folder)
  --out DIR        for result.json, report.md and chart.svg (out/bench)
  --compare OLD    says what changed since that result.json, or between two of them
  --help`;

/**
 * @param {readonly string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const { values, positionals } = parse(args);
  const quick = values.quick ?? false;
  if (positionals.length > (values.compare === undefined ? 0 : 1)) {
    throw new Stop(`too many arguments\n\n${usage}`, 2);
  }
  return {
    help: values.help ?? false,
    list: values.list ?? false,
    quick,
    native: values.native ?? false,
    rounds: numberOf("--rounds", values.rounds, quick ? 2 : 5, Number.isSafeInteger),
    scale: numberOf("--scale", values.scale, quick ? 0.25 : 1, Number.isFinite),
    seed: numberOf("--seed", values.seed, randomInt(1, 2 ** 31), Number.isSafeInteger),
    only: values.only ?? [],
    out: path.resolve(values.out ?? path.join(root, "out", "bench")),
    dir: values.dir,
    compare: values.compare,
    with: positionals[0],
  };
}

/** @param {readonly string[]} args */
function parse(args) {
  const text = /** @type {const} */ ({ type: "string" });
  const flag = /** @type {const} */ ({ type: "boolean" });
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: flag,
        list: flag,
        quick: flag,
        native: flag,
        rounds: text,
        scale: text,
        seed: text,
        only: { ...text, multiple: true },
        out: text,
        dir: text,
        compare: text,
      },
    });
  } catch (error) {
    throw new Stop(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2);
  }
}

/**
 * @param {string} name
 * @param {string | undefined} value
 * @param {number} otherwise
 * @param {(value: number) => boolean} valid
 */
function numberOf(name, value, otherwise, valid) {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (!valid(number) || number <= 0) throw new Stop(`${name} is a number above 0`, 2);
  return number;
}
