import { readFileSync } from "node:fs";

import { say } from "./run.mjs";

/** The kernel's clock ticks in a second, as /proc has them. */
const ticksPerSecond = 100;
const slowest = 10;

/**
 * Processor time of all children of this process that have ended, and of theirs.
 *
 * @param {{ withOwn?: boolean }} [options] the process's own, too
 * @returns {number} seconds
 */
export function childrenCpu({ withOwn = false } = {}) {
  // Behind the name, which may hold spaces: utime, stime, cutime, cstime are the 12th to the 15th.
  const fields = readFileSync("/proc/self/stat", "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const ticks = fields.slice(withOwn ? 11 : 13, 15).map(Number);
  return ticks.reduce((total, count) => total + count, 0) / ticksPerSecond;
}

/**
 * What each step and the slowest files of tests cost.
 *
 * @param {readonly { name: string, wall: number, cpu: number }[]} steps
 * @param {readonly import("./results.mjs").FileCost[]} files
 */
export function sayCosts(steps, files) {
  say("\n| step | wall, s | CPU, s |\n|---|---:|---:|");
  for (const { name, wall, cpu } of steps) say(row(name, wall, cpu));
  const add = (/** @type {"wall" | "cpu"} */ key) =>
    steps.reduce((total, step) => total + step[key], 0);
  say(row("all", add("wall"), add("cpu")));

  const sorted = files.toSorted((left, right) => right.wall - left.wall).slice(0, slowest);
  if (sorted.length === 0) return;
  say(`\n| the ${sorted.length} slowest files of tests | wall, s | CPU, s |\n|---|---:|---:|`);
  for (const { file, wall, cpu } of sorted) say(row(file, wall, cpu));
}

/**
 * @param {string} name
 * @param {number} wall
 * @param {number | undefined} cpu
 */
function row(name, wall, cpu) {
  return `| ${name} | ${Math.round(wall)} | ${cpu === undefined ? "" : Math.round(cpu)} |`;
}
