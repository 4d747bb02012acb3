import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const sampleMs = 100;

/**
 * The processor that was idle the longest for a moment, of those that this process may use. A guest stays on one:
 * two test runs on a machine shall not choose the same.
 */
export async function quietestCpu() {
  const before = idleTimes();
  await sleep(sampleMs);
  const after = idleTimes();
  const idle = (/** @type {number} */ cpu) => (after.get(cpu) ?? 0) - (before.get(cpu) ?? 0);
  const [quietest = 0] = allowedCpus().sort((a, b) => idle(b) - idle(a));
  return quietest;
}

/** @returns {Map<number, number>} clock ticks that each processor has been idle since the start */
function idleTimes() {
  const lines = readFileSync("/proc/stat", "utf8").matchAll(/^cpu(\d+) \d+ \d+ \d+ (\d+)/gm);
  return new Map([...lines].map(([, cpu, idle]) => [Number(cpu), Number(idle)]));
}

/** @returns {number[]} those that this process may use */
export function allowedCpus() {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
