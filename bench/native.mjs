// The engine's parts by themselves, with google-benchmark (bench/native): built as users' binaries are, held against
// memcpy in the same run.

import path from "node:path";

import { configure } from "../scripts/lib/cmake.mjs";
import { compile } from "../scripts/lib/progress.mjs";
import { root, Stop, say, tryRun } from "../scripts/lib/run.mjs";

/**
 * @typedef {object} NativeFigure
 * @property {string} name
 * @property {number} nanoseconds of processor time, of all threads, for one operation; else for one iteration
 * @property {number} [gibPerSecond] of processor time
 * @property {number} [bytesPerCycle] at the clock that the processor says it has
 * @property {number} [memcpyRatio] its processor time over memcpy's, for the same bytes
 *
 * @typedef {object} Reported by google-benchmark
 * @property {{ mhz_per_cpu: number }} context
 * @property {ReportedBenchmark[]} benchmarks
 *
 * @typedef {object} ReportedBenchmark
 * @property {string} run_name
 * @property {string} [aggregate_name]
 * @property {boolean} [error_occurred]
 * @property {string} [error_message]
 * @property {number} cpu_time
 * @property {"ns" | "us" | "ms" | "s"} time_unit
 * @property {number} [bytes] of an iteration
 * @property {number} [operations] of an iteration
 */

/** Of the engine as a whole; of processor time, which on one core is the time that it takes. */
const targets = [
  { name: "engine, pattern to null, xxh3", atMost: 1.5 },
  { name: "engine, pattern to null, no digest", atMost: 0.2 },
  { name: "engine, untouched to null, xxh3", atMost: 1.5 },
  { name: "engine, untouched to null, no digest", atMost: 0.2 },
];

/**
 * @param {AbortSignal} signal
 * @param {{ quick?: boolean }} [options]
 * @returns {Promise<NativeFigure[]>}
 */
export async function runNativeBenchmarks(signal, { quick = false } = {}) {
  const folder = await configure("bench-native", ["bench"]);
  await compile("Building the native benchmarks (1 to 3 minutes)", "cmake", ["--build", folder]);
  say("Native benchmarks");
  const { status, output } = await tryRun(
    path.join(root, folder, "blockhaul_bench"),
    [
      "--benchmark_format=json",
      `--benchmark_min_time=${quick ? 0.05 : 0.2}`,
      `--benchmark_repetitions=${quick ? 3 : 7}`,
      // In turns, so that a slow moment of the machine does not meet one of them alone.
      "--benchmark_enable_random_interleaving=true",
      "--benchmark_report_aggregates_only=true",
    ],
    { capture: true, signal },
  );
  signal.throwIfAborted();
  if (status !== 0) throw new Stop(`${output}\nthe native benchmarks failed (${status})`);
  // Warnings come first.
  return figuresOf(JSON.parse(output.slice(output.indexOf("{"))));
}

const nanosecondsIn = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/**
 * @param {Reported} reported
 * @returns {NativeFigure[]}
 */
export function figuresOf({ context, benchmarks }) {
  const failed = benchmarks.find(({ error_occurred }) => error_occurred);
  if (failed) throw new Stop(`${failed.run_name}: ${failed.error_message}`);
  const medians = benchmarks
    .filter(({ aggregate_name }) => aggregate_name === "median")
    // They ran in a random order.
    .sort((a, b) => a.run_name.localeCompare(b.run_name, "en", { numeric: true }));
  const memcpy = medians.find((one) => nameOf(one) === "memcpy");
  const memcpyByte = memcpy?.bytes && timeOf(memcpy) / memcpy.bytes;
  return medians.map((one) => {
    const name = nameOf(one);
    const time = timeOf(one);
    const { bytes, operations = 1 } = one;
    if (bytes === undefined) return { name, nanoseconds: time / operations };
    return {
      name,
      nanoseconds: time,
      gibPerSecond: bytes / 2 ** 30 / (time / 1e9),
      bytesPerCycle: bytes / ((time / 1e3) * context.mhz_per_cpu),
      ...(memcpyByte && { memcpyRatio: time / bytes / memcpyByte }),
    };
  });
}

/** @param {ReportedBenchmark} benchmark */
function timeOf({ cpu_time, time_unit }) {
  return cpu_time * nanosecondsIn[time_unit];
}

/**
 * Without what google-benchmark adds about how it measured.
 *
 * @param {ReportedBenchmark} benchmark
 */
function nameOf({ run_name }) {
  return run_name.replace(/(\/(process_time|real_time))+$/, "").replaceAll("/", " ");
}

/**
 * @param {readonly NativeFigure[]} figures
 * @returns {import("./targets.mjs").Verdict[]}
 */
export function nativeVerdicts(figures) {
  return targets.flatMap(({ name, atMost }) => {
    const value = figures.find((one) => one.name === name)?.memcpyRatio;
    if (value === undefined) return [];
    const hit = value <= atMost;
    return [
      { what: name, contest: "native", against: "memcpy", measure: "time", value, atMost, hit },
    ];
  });
}
