// One run of a tool: how long, how much processor time and memory, how many bytes at the devices.

import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Stop, tryRun } from "../scripts/lib/run.mjs";

/**
 * A command that is measured, and servers that have to run meanwhile, which count with it.
 *
 * @typedef {object} Step
 * @property {readonly string[]} command
 * @property {readonly { command: readonly string[], socket: string }[]} [servers] each ready once its socket is there
 * @property {(output: string) => number} [seconds] takes the time from what the command printed, in place of ours
 *
 * @typedef {object} Measurement
 * @property {number} wall seconds
 * @property {number} user seconds
 * @property {number} system seconds
 * @property {number} memory bytes, the peak; of several processes the sum of their peaks
 * @property {number} read bytes from devices: a loop device's own count where there is one, else what the kernel
 *   charged to the process
 * @property {number} written
 * @property {number} cluster seconds of processor time of Ceph's daemons meanwhile
 *
 * @typedef {object} Surroundings
 * @property {string} folder for logs and sockets
 * @property {AbortSignal} signal
 * @property {readonly number[]} [daemons] processes whose time counts as the cluster's
 * @property {readonly string[]} evict files and devices that the page cache forgets first
 */

const measurer = fileURLToPath(new URL("measure.py", import.meta.url));

/** What a workplace tells every Node: with a file of certificates its start takes twice as long. */
export const nodeSettings = { NODE_EXTRA_CA_CERTS: undefined, NODE_OPTIONS: undefined };

/**
 * Runs steps one after the other and adds them up; of memory, it is the greatest.
 *
 * @param {readonly Step[]} steps
 * @param {Surroundings} surroundings
 * @returns {Promise<Measurement>}
 * @throws {Stop} where a command fails, with the end of what it printed
 */
export async function measure(steps, { folder, signal, daemons = [], evict }) {
  const devices = evict.filter((name) => name.startsWith("/dev/loop"));
  const before = devices.map(transferred);
  const clusterBefore = processorTime(daemons);
  const total = { wall: 0, user: 0, system: 0, memory: 0, read: 0, written: 0, cluster: 0 };
  for (const [index, step] of steps.entries()) {
    const one = await measureOne(step, folder, signal, index === 0 ? evict : []);
    total.wall += one.wall;
    total.user += one.user;
    total.system += one.system;
    total.memory = Math.max(total.memory, one.memory);
    total.read += one.read;
    total.written += one.written;
  }
  total.cluster = processorTime(daemons) - clusterBefore;
  if (devices.length > 0) {
    const after = devices.map(transferred);
    total.read = sumOf(after, "read") - sumOf(before, "read");
    total.written = sumOf(after, "written") - sumOf(before, "written");
  }
  return total;
}

/**
 * @param {Step} step
 * @param {string} folder
 * @param {AbortSignal} signal
 * @param {readonly string[]} evict
 * @returns {Promise<Omit<Measurement, "cluster">>}
 */
async function measureOne({ command, servers = [], seconds }, folder, signal, evict) {
  const log = path.join(folder, "log");
  const wanted = JSON.stringify({ command, servers, evict, log });
  const { status, output } = await tryRun("/usr/bin/python3", [measurer, wanted], {
    capture: true,
    signal,
    env: nodeSettings,
  });
  signal.throwIfAborted();
  if (status !== 0) throw new Stop(`${tailOf(log)}${output}failed: ${command.join(" ")}`);
  const { status: ended, ...measured } = JSON.parse(output);
  if (ended !== 0) throw new Stop(`${tailOf(log)}failed (${ended}): ${command.join(" ")}`);
  return seconds ? { ...measured, wall: seconds(readFileSync(log, "utf8")) } : measured;
}

/** @param {string} log */
function tailOf(log) {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n").slice(-30);
  return `${lines.join("\n")}\n`;
}

/**
 * @param {readonly number[]} pids
 * @returns {number} seconds since they began
 */
function processorTime(pids) {
  const ticksPerSecond = 100;
  const ticks = pids.map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12).map(Number);
    return (user ?? 0) + (system ?? 0);
  });
  return ticks.reduce((sum, one) => sum + one, 0) / ticksPerSecond;
}

/**
 * @param {string} device
 * @returns {{ read: number, written: number }} bytes since it was made
 */
function transferred(device) {
  const file = `/sys/block/${path.basename(device)}/stat`;
  const fields = readFileSync(file, "utf8").trim().split(/\s+/).map(Number);
  const sector = 512;
  return { read: (fields[2] ?? 0) * sector, written: (fields[6] ?? 0) * sector };
}

/**
 * @param {readonly { read: number, written: number }[]} all
 * @param {"read" | "written"} key
 */
function sumOf(all, key) {
  return all.reduce((sum, one) => sum + one[key], 0);
}
