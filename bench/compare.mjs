// What changed between two results.

import { figure, inMiB, table } from "./markdown.mjs";
import { pairRatios, summarize } from "./stats.mjs";
import { valuesOf } from "./targets.mjs";

/** @typedef {import("./contest.mjs").ContestResult} ContestResult */
/** @typedef {import("./contest.mjs").Entry} Entry */
/** @typedef {import("./result.mjs").Result} Result */

/**
 * Two results of one machine can be compared by their times. Of two machines only the ratios mean something, so
 * these stand beside them.
 *
 * @param {Result} before
 * @param {Result} after
 * @returns {string} Markdown
 */
export function compare(before, after) {
  const notes = [
    `From ${before.at} (commit ${before.machine.commit}) to ${after.at} (commit ${after.machine.commit}).`,
    ...differences(before, after),
  ];
  const rows = after.contests.flatMap((contest) => {
    const old = before.contests.find(({ id }) => id === contest.id);
    return old === undefined ? [] : compareContest(old, contest);
  });
  const headings = ["contest", "figure", "before", "after", "change", "beyond the spread"];
  const changed = rows.length > 0 ? table(headings, rows) : "They have no contest in common.";
  return `${["# What changed", notes.join("\n"), changed, compareVerdicts(before, after)].join("\n\n")}\n`;
}

/**
 * @param {Result} before
 * @param {Result} after
 */
function differences(before, after) {
  const found = [];
  const { machine: a, options: x } = before;
  const { machine: b, options: y } = after;
  if (a.cpu !== b.cpu || a.cores !== b.cores || a.kernel !== b.kernel || a.disk !== b.disk) {
    found.push("The machines differ: only ratios can be compared.");
  }
  if (x.scale !== y.scale) {
    found.push(`The amounts of data differ (${x.scale} and ${y.scale}): times cannot be compared.`);
  }
  const names = new Set([...Object.keys(a.versions), ...Object.keys(b.versions)]);
  for (const name of names) {
    const versions = [a.versions[name] ?? "none", b.versions[name] ?? "none"];
    if (versions[0] !== versions[1]) found.push(`${name}: ${versions.join(" → ")}`);
  }
  return found;
}

/**
 * @param {ContestResult} before
 * @param {ContestResult} after
 * @returns {string[][]}
 */
function compareContest(before, after) {
  const [ours] = after.entries;
  const old = before.entries.find(({ name }) => name === ours?.name);
  if (ours === undefined || old === undefined) return [];
  const own = /** @type {const} */ (["wall", "cpu", "memory"]).map((measure) =>
    row(
      after.id,
      `${ours.name}, ${measure}`,
      summarize(valuesOf(old, measure)),
      summarize(valuesOf(ours, measure)),
      measure === "memory" ? inMiB : figure,
    ),
  );
  const ratios = after.entries.slice(1).flatMap((peer) => {
    const oldPeer = before.entries.find(({ name }) => name === peer.name);
    if (oldPeer === undefined) return [];
    return /** @type {const} */ (["wall", "cpu"]).map((measure) =>
      row(
        after.id,
        `÷ ${peer.name}, ${measure}`,
        ratioSpread(old, oldPeer, measure),
        ratioSpread(ours, peer, measure),
        (value) => value.toFixed(2),
      ),
    );
  });
  return [...own, ...ratios];
}

/**
 * @param {Entry} ours
 * @param {Entry} peer
 * @param {"wall" | "cpu"} measure
 */
function ratioSpread(ours, peer, measure) {
  const { min, median, max } = pairRatios(valuesOf(ours, measure), valuesOf(peer, measure));
  return { lower: min, median, upper: max };
}

/** @typedef {{ lower: number, median: number, upper: number }} Middle */

/**
 * @param {string} contest
 * @param {string} what
 * @param {Middle} before
 * @param {Middle} after
 * @param {(value: number) => string} write
 * @returns {string[]}
 */
function row(contest, what, before, after, write) {
  const part = before.median > 0 ? (after.median / before.median - 1) * 100 : 0;
  const change = `${part > 0 ? "+" : ""}${part.toFixed(0)} %`;
  const apart = after.lower > before.upper || after.upper < before.lower;
  const verdict = apart ? (after.median < before.median ? "better" : "**worse**") : "";
  return [contest, what, write(before.median), write(after.median), change, verdict];
}

/**
 * @param {Result} before
 * @param {Result} after
 */
function compareVerdicts(before, after) {
  const keyOf = (/** @type {Result["verdicts"][number]} */ one) =>
    [one.what, one.contest, one.against, one.measure].join(" · ");
  const old = new Map(before.verdicts.map((one) => [keyOf(one), one]));
  const lines = after.verdicts.flatMap((one) => {
    const was = old.get(keyOf(one));
    if (was === undefined || was.hit === one.hit) return [];
    return [`- ${keyOf(one)}: ${one.hit ? "missed → hit" : "hit → **missed**"}`];
  });
  return lines.length > 0 ? lines.join("\n") : "No verdict changed.";
}
