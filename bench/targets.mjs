// What is aimed at, and whether a result meets it.

import { median, pairRatios, quantile } from "./stats.mjs";

/**
 * @typedef {import("./contest.mjs").ContestResult} ContestResult
 * @typedef {import("./contest.mjs").Entry} Entry
 * @typedef {import("./measure.mjs").Measurement} Measurement
 *
 * @typedef {"wall" | "cpu" | "memory"} Measure
 *
 * @typedef {object} Target
 * @property {string} what in words
 * @property {(contest: ContestResult) => boolean} applies
 * @property {string} ours the entry that is judged
 * @property {string} [against] in words; nothing where the figure is not a ratio
 * @property {readonly string[]} [peers] the ratio's other side: the best of these, each measure for itself
 * @property {boolean} [limit] the other side is the slowest of `peers`, round by round: the limit of a copy
 * @property {Partial<Record<Measure, number>>} atMost ratios; else seconds and bytes
 *
 * @typedef {object} Verdict
 * @property {string} what
 * @property {string} contest its id
 * @property {string} against "" where the figure is not a ratio
 * @property {Measure | "time"} measure time: of what runs within one process
 * @property {number} value
 * @property {number} atMost
 * @property {boolean} hit
 */

const mib = 2 ** 20;

/**
 * @param {...string} ids
 * @returns {(contest: ContestResult) => boolean}
 */
const only =
  (...ids) =>
  ({ id }) =>
    ids.includes(id);

/** @param {string} work */
const all =
  (work) =>
  (/** @type {ContestResult} */ { id }) =>
    id.startsWith(`${work}/`);

/** @type {readonly Target[]} */
export const targets = [
  versus("dense file → file", only("dense/file-file"), ["qemu-img"], { wall: 1, cpu: 0.45 }),
  versus("dense file → rbd", only("dense/file-rbd"), ["qemu-img", "rbd import"], {
    wall: 1,
    cpu: 0.65,
  }),
  versus("dense rbd → file", only("dense/rbd-file"), ["qemu-img", "rbd export"], {
    wall: 1,
    cpu: 0.85,
  }),
  versus("dense file → rbd", only("dense/file-rbd"), ["cinder"], { wall: 0.7, cpu: 0.65 }),
  versus("dense rbd → file", only("dense/rbd-file"), ["cinder"], { wall: 0.55, cpu: 0.65 }),
  versus("thin file → rbd", only("thin/file-rbd"), ["qemu-img"], { wall: 0.6, cpu: 0.6 }),
  versus("thin file → rbd", only("thin/file-rbd"), ["rbd import"], { wall: 0.05, cpu: 0.6 }),
  versus("thin rbd → file", only("thin/rbd-file"), ["qemu-img"], { wall: 0.6, cpu: 0.5 }),
  versus("thin rbd → file", only("thin/rbd-file"), ["rbd export"], { wall: 0.06, cpu: 0.5 }),
  versus("thin rbd → rbd", only("thin/rbd-rbd"), ["rbd deep cp"], { wall: 1, cpu: 1 }),
  { what: "empty 8 TiB", applies: all("empty"), ours: "blockhaul", atMost: { wall: 1 } },
  versus("copy and verify", all("verify"), ["qemu-img"], { wall: 0.75, cpu: 0.5 }),
  {
    what: "dense copy",
    applies: all("dense"),
    ours: "blockhaul",
    against: "max(fio read, fio write)",
    peers: ["fio read", "fio write"],
    limit: true,
    atMost: { wall: 1.1 },
  },
  {
    ...versus("200 small volumes", all("small"), ["qemu-img"], { wall: 0.3, cpu: 0.3 }),
    ours: "blockhaul library",
  },
  {
    what: "peak memory, file and block",
    applies: ({ id, librbd }) => !librbd && !/^(small|start)/.test(id),
    ours: "blockhaul",
    atMost: { memory: 160 * mib },
  },
  {
    what: "peak memory, librbd",
    applies: ({ librbd }) => librbd,
    ours: "blockhaul",
    atMost: { memory: 220 * mib },
  },
  {
    ...versus("start-up", all("start"), ["node -e 0"], { wall: 1.5 }),
    ours: "blockhaul --version",
  },
  { ...versus("start-up", all("start"), ["node -e 0"], { wall: 3 }), ours: "blockhaul copy" },
];

/**
 * @param {string} what
 * @param {(contest: ContestResult) => boolean} applies
 * @param {readonly string[]} peers
 * @param {Partial<Record<Measure, number>>} atMost
 * @returns {Target}
 */
function versus(what, applies, peers, atMost) {
  const against = peers.length > 1 ? `best of ${peers.join(", ")}` : peers.join();
  return { what, applies, ours: "blockhaul", against, peers, atMost };
}

/**
 * @param {readonly ContestResult[]} contests
 * @param {readonly Target[]} [wanted]
 * @returns {Verdict[]} of each target in each contest that was held with who takes part in it
 */
export function judge(contests, wanted = targets) {
  return wanted.flatMap((target) =>
    contests.filter(target.applies).flatMap((contest) => judgeOne(target, contest)),
  );
}

/**
 * @param {Target} target
 * @param {ContestResult} contest
 * @returns {Verdict[]}
 */
function judgeOne(target, contest) {
  const ours = contest.entries.find(({ name }) => name === target.ours);
  if (ours === undefined) return [];
  const measures = /** @type {[Measure, number][]} */ (Object.entries(target.atMost));
  return measures.flatMap(([measure, atMost]) => {
    const value = measured(target, contest, ours, measure);
    if (value === undefined) return [];
    const { what, against = "" } = target;
    const subject = ours.name === "blockhaul" ? what : `${what}: ${ours.name}`;
    const hit = value <= atMost;
    return [{ what: subject, contest: contest.id, against, measure, value, atMost, hit }];
  });
}

/**
 * @param {Target} target
 * @param {ContestResult} contest
 * @param {Entry} ours
 * @param {Measure} measure
 * @returns {number | undefined} nothing where the other side did not take part
 */
function measured(target, contest, ours, measure) {
  const values = valuesOf(ours, measure);
  // Of memory the worst run counts: it is a promise.
  if (target.peers === undefined)
    return measure === "memory" ? Math.max(...values) : median(values);
  const others = target.peers.flatMap((name) => {
    const entry = contest.entries.find((one) => one.name === name);
    return entry ? [valuesOf(entry, measure)] : [];
  });
  if (target.limit) {
    if (others.length < target.peers.length) return undefined;
    const slowest = values.map((_, round) => Math.max(...others.map((one) => one[round] ?? 0)));
    return pairRatios(values, slowest).median;
  }
  const [best] = others.toSorted((a, b) => median(a) - median(b));
  return best && pairRatios(values, best).median;
}

/**
 * @param {Entry} entry
 * @param {Measure} measure
 * @returns {number[]} by round
 */
export function valuesOf({ runs }, measure) {
  if (measure === "cpu") return runs.map(({ user, system }) => user + system);
  return runs.map((run) => run[measure]);
}

/**
 * How steady a measure was: the distance of its quartiles, in parts of its median.
 *
 * @param {readonly number[]} values
 */
export function unsteadiness(values) {
  const middle = median(values);
  return middle > 0 ? (quantile(values, 0.75) - quantile(values, 0.25)) / middle : 0;
}
