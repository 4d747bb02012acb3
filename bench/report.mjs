// The report of a run, in Markdown.

import { figure, inMiB, table } from "./markdown.mjs";
import { pairRatios, summarize } from "./stats.mjs";
import { valuesOf } from "./targets.mjs";

/** @typedef {import("./contest.mjs").ContestResult} ContestResult */
/** @typedef {import("./contest.mjs").Entry} Entry */
/** @typedef {import("./result.mjs").Result} Result */
/** @typedef {import("./targets.mjs").Verdict} Verdict */

/**
 * @param {Result} result
 * @returns {string}
 */
export function report(result) {
  const parts = [
    "# Benchmark",
    conditions(result),
    ...(result.options.quick || result.options.scale !== 1
      ? [
          `**Smaller than the real thing**: ${result.options.scale} of the data, ${result.options.rounds} rounds. Times show little.`,
        ]
      : []),
    ...(result.failures.length > 0 ? ["## Failed", failed(result.failures)] : []),
    "## Targets",
    verdicts(result.verdicts),
    ...(result.native.length > 0 ? ["## Engine", nativeTable(result.native)] : []),
    ...result.contests.flatMap((contest) => [`## ${contest.title}`, contestTable(contest)]),
    ...(result.contests.length > 0 ? ["## How each was run", settings(result.contests)] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** @param {Result["failures"]} failures */
function failed(failures) {
  return failures
    .map(({ contest, error }) => `**${contest}**\n\n\`\`\`\n${error.trim()}\n\`\`\``)
    .join("\n\n");
}

/** @param {Result} result */
function conditions({ at, options, machine }) {
  const { cpu, cores, memory, system, kernel, disk, commit, versions } = machine;
  return [
    `${at}, commit ${commit}, ${options.rounds} rounds after a warm-up, seed ${options.seed}.`,
    `${cpu}, ${cores} cores, ${figure(memory / 2 ** 30)} GiB, ${system}, kernel ${kernel}, volumes on ${disk}.`,
    `${Object.entries(versions)
      .map(([name, version]) => `${name}: ${version}`)
      .join("; ")}.`,
  ].join("\n");
}

/** @param {readonly Verdict[]} all */
export function verdicts(all) {
  if (all.length === 0) return "None of the targets was measured.";
  const rows = all.map(({ what, contest, against, measure, value, atMost, hit }) => [
    what,
    contest,
    against || "–",
    nameOf(measure),
    inUnit(measure, value, against),
    inUnit(measure, atMost, against),
    hit ? "hit" : "**missed**",
  ]);
  const count = all.filter(({ hit }) => hit).length;
  const headings = ["work", "contest", "against", "measure", "measured", "at most", "verdict"];
  return `${table(headings, rows)}\n\n${count} of ${all.length} hit.`;
}

/** @param {Verdict["measure"]} measure */
function nameOf(measure) {
  return { wall: "wall", cpu: "CPU seconds", memory: "peak memory", time: "CPU time" }[measure];
}

/**
 * @param {Verdict["measure"]} measure
 * @param {number} value
 * @param {string} against
 */
function inUnit(measure, value, against) {
  if (against !== "") return value.toFixed(2);
  return measure === "memory" ? `${inMiB(value)} MiB` : `${figure(value)} s`;
}

/**
 * Ours, the first entry, against each of the others.
 *
 * @param {ContestResult} contest
 */
export function contestTable({ entries, gib, librbd }) {
  const [ours] = entries;
  const rows = entries.map((entry) => {
    const wall = summarize(valuesOf(entry, "wall"));
    const cpu = summarize(valuesOf(entry, "cpu"));
    const memory = summarize(valuesOf(entry, "memory"));
    const medianOf = (/** @type {"read" | "written" | "cluster"} */ key) =>
      summarize(entry.runs.map((run) => run[key])).median;
    return [
      entry.name,
      figure(wall.median),
      `${figure(wall.lower)}–${figure(wall.upper)}`,
      figure(cpu.median),
      gib > 0 ? figure(cpu.median / gib) : "–",
      inMiB(memory.max),
      inMiB(medianOf("read")),
      inMiB(medianOf("written")),
      ...(librbd ? [figure(medianOf("cluster"))] : []),
      ratio(ours, entry, "wall"),
      ratio(ours, entry, "cpu"),
    ];
  });
  const name = ours?.name ?? "";
  const headings = [
    "tool",
    "wall s",
    "quartiles",
    "CPU s",
    "CPU s/GiB",
    "peak MiB",
    "read MiB",
    "written MiB",
    ...(librbd ? ["cluster CPU s"] : []),
    `${name} ÷ it, wall`,
    `${name} ÷ it, CPU`,
  ];
  return table(headings, rows);
}

/**
 * @param {Entry | undefined} ours
 * @param {Entry} entry
 * @param {"wall" | "cpu"} measure
 */
function ratio(ours, entry, measure) {
  if (ours === undefined || ours === entry) return "";
  // fio's time is of the transfer alone, its processor time is not.
  if (entry.name.startsWith("fio") && measure === "cpu") return "";
  const { min, median, max } = pairRatios(valuesOf(ours, measure), valuesOf(entry, measure));
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

/** @param {Result["native"]} native */
function nativeTable(native) {
  const rows = native.map(({ name, gibPerSecond, bytesPerCycle, nanoseconds, memcpyRatio }) => [
    name,
    gibPerSecond === undefined ? "–" : figure(gibPerSecond),
    bytesPerCycle === undefined ? "–" : figure(bytesPerCycle),
    memcpyRatio === undefined ? "–" : figure(memcpyRatio),
    figure(nanoseconds),
  ]);
  return table(["figure", "GiB/s", "bytes/cycle", "time ÷ memcpy's", "ns an operation"], rows);
}

/** @param {readonly ContestResult[]} contests */
function settings(contests) {
  const all = contests.flatMap(({ entries }) => entries);
  // The fullest words about a tool come first: those of the copies.
  const known = new Map(all.toReversed().map(({ name, settings: text }) => [name, text]));
  return [...known].map(([name, text]) => `- **${name}**: ${text}`).join("\n");
}
