// What a result was measured on.

import { readFileSync } from "node:fs";
import os from "node:os";

import { root, tryRun } from "../scripts/lib/run.mjs";

/**
 * @typedef {object} Machine
 * @property {string} cpu
 * @property {number} cores
 * @property {number} memory bytes
 * @property {string} system the distribution's name
 * @property {string} kernel
 * @property {string} disk the file system that the volumes lay on
 * @property {string} commit of this checkout
 * @property {Record<string, string>} versions of each tool
 */

/** @type {Readonly<Record<string, readonly [string, ...string[]]>>} */
const askForVersion = {
  "qemu-img": ["qemu-img", "--version"],
  nbdcopy: ["nbdcopy", "--version"],
  rbd: ["rbd", "--version"],
  dd: ["dd", "--version"],
  fio: ["fio", "--version"],
  python3: ["/usr/bin/python3", "--version"],
};

/**
 * @param {string} folder where the volumes are made
 * @returns {Promise<Machine>}
 */
export async function describeMachine(folder) {
  /** @type {Record<string, string>} */
  const versions = { node: process.version };
  for (const [name, [command, ...args]] of Object.entries(askForVersion)) {
    const { status, output } = await tryRun(command, args, { capture: true });
    if (status === 0) versions[name] = output.split("\n")[0] ?? "";
  }
  const [cpu] = os.cpus();
  return {
    cpu: cpu?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memory: os.totalmem(),
    system: nameOfSystem(),
    kernel: os.release(),
    disk: await oneLine("findmnt", ["-n", "-o", "FSTYPE,OPTIONS", "-T", folder]),
    commit: await oneLine("git", ["-C", root, "describe", "--always", "--dirty"]),
    versions,
  };
}

function nameOfSystem() {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
async function oneLine(command, args) {
  const { status, output } = await tryRun(command, args, { capture: true });
  return status === 0 ? output.trim().replaceAll(/\s+/g, " ") : "unknown";
}
