// Proofs that are too long for every run take turns: each week another part of them is run. All of them choose their
// part here, by the same options:
//
//   (none)        this week's part
//   --part 2/5    the second of five parts
//   --all         everything
//
// .ci/run gives a proof the time that is left (BLOCKHAUL_PROOF_UNTIL). What does not fit is left out, and is said.

import { Stop } from "./run.mjs";

/** In how many weeks each proof has been run as a whole. Six at the most: a change is then looked at within that time. */
export const weeks = {
  "planted bugs": 6,
  /** Odd: the cases alternate between resume and abort, and each part must have both. */
  "kills of migrations": 5,
  "long tests": 6,
  "changed ends": 3,
  "kinds of copies": 3,
  "kills on Ceph": 2,
  sanitizers: 2,
  "fuzzed inputs": 6,
  "C++ checks": 4,
};

/** @typedef {keyof typeof weeks} Proof */

/**
 * The `index`th of `of` parts, from 1: all parts together are everything.
 *
 * @typedef {{ index: number, of: number }} Part
 */

/** What these options look like to node:util's parseArgs. */
export const rotationOptions = /** @type {const} */ ({
  all: { type: "boolean", default: false },
  part: { type: "string" },
});

/**
 * @param {Proof} proof
 * @param {{ all?: boolean | undefined, part?: string | undefined }} options
 * @param {Date} [today]
 * @returns {Part} 1/1 is everything
 * @throws {Stop} exit 2 for a part that is not like 2/5
 */
export function chosenPart(proof, { all = false, part }, today = new Date()) {
  if (all) return { index: 1, of: 1 };
  if (part === undefined) return partOfWeek(proof, today);
  const [, index, of] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(part) ?? [];
  if (index === undefined || Number(index) > Number(of)) {
    throw new Stop(`--part ${part}: say which of how many, as in 2/5`, 2);
  }
  return { index: Number(index), of: Number(of) };
}

/**
 * @param {Proof} proof
 * @param {Date} today
 * @returns {Part}
 */
export function partOfWeek(proof, today) {
  const week = Math.floor(today.getTime() / (7 * 24 * 3600 * 1000));
  return { index: (week % weeks[proof]) + 1, of: weeks[proof] };
}

/**
 * Every `of`th item: neighbours, which are often alike, come to different parts.
 *
 * @template Item
 * @param {readonly Item[]} items
 * @param {Part} part
 * @returns {Item[]}
 */
export function itemsOf(items, { index, of }) {
  return items.filter((_, position) => position % of === index - 1);
}

/** @param {Part} part */
export function isWhole({ of }) {
  return of === 1;
}

/** @param {Part} part */
export function partInWords(part) {
  return isWhole(part) ? "all" : `part ${part.index} of ${part.of}`;
}

/** @param {Part} part the options that choose it again */
export function partOption(part) {
  return isWhole(part) ? "--all" : `--part ${part.index}/${part.of}`;
}

/** @returns {boolean} whether the time that .ci/run gave is over; never, unless it gave some */
export function isTimeOver() {
  const until = Number(process.env.BLOCKHAUL_PROOF_UNTIL);
  return until > 0 && Date.now() >= until;
}
