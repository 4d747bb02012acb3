import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

import { bytesOf } from "./source.mjs";

const execute = promisify(execFile);
const MiB = 1024 ** 2;

/**
 * A place that copies are killed on their way to. `same` is judged by tools that share no code with the engine.
 *
 * @typedef {object} Target
 * @property {string} ref
 * @property {readonly string[]} flags of the copy, besides
 * @property {() => Promise<boolean>} exists
 * @property {() => Promise<unknown>} [clear] removes what is half made
 * @property {(source: string) => Promise<string>} difference "" where it begins with all of the source
 * @property {() => Promise<void>} remove
 *
 * @typedef {(id: string, size: number, holdsOld: boolean) => Promise<Target>} MakeTarget
 */

/**
 * @param {string} folder
 * @returns {MakeTarget}
 */
export function fileTargets(folder) {
  return async (id, size, holdsOld) => {
    const file = `${folder}/${id}.img`;
    if (holdsOld) writeFileSync(file, bytesOf(size, id));
    return {
      ref: file,
      flags: [],
      exists: async () => existsSync(file),
      difference: (source) => compareFiles(source, file, size),
      remove: async () => rmSync(file, { force: true }),
    };
  };
}

/**
 * Loop devices, with sectors of 512 bytes or of 4096.
 *
 * @param {string} folder
 * @returns {MakeTarget}
 */
export function blockTargets(folder) {
  return async (id, size, holdsOld) => {
    const file = `${folder}/${id}.disk`;
    const whole = Math.ceil(size / MiB) * MiB;
    writeFileSync(file, holdsOld ? bytesOf(whole, id) : "");
    truncateSync(file, whole);
    const sector = id.charCodeAt(0) % 2 === 0 ? "512" : "4096";
    const args = ["--find", "--show", "--direct-io=on", "--sector-size", sector, file];
    const { stdout } = await execute("losetup", args);
    const device = stdout.trim();
    return {
      ref: device,
      flags: [],
      exists: async () => true,
      difference: (source) => compareFiles(source, device, size),
      async remove() {
        await execute("losetup", ["--detach", device]);
        rmSync(file, { force: true });
      },
    };
  };
}

/**
 * Images of a pool.
 *
 * @param {string} conf
 * @returns {MakeTarget}
 */
export function rbdTargets(conf) {
  const rbd = (/** @type {string[]} */ ...args) =>
    execute("rbd", ["-c", conf, "-p", "rbd", ...args]);
  /** @type {string[]} */
  const done = [];
  return async (id, size, holdsOld) => {
    if (holdsOld) {
      await rbd("create", "--size", `${size}B`, id);
      await rbd("bench", "--io-type", "write", "--io-size", "1M", "--io-total", `${20 * MiB}`, id);
    }
    return {
      ref: `rbd:rbd/${id}:conf=${conf}`,
      flags: holdsOld ? [] : ["--create"],
      exists: () =>
        rbd("info", id).then(
          () => true,
          () => false,
        ),
      clear: () => removeImage(rbd, id),
      difference: (source) => compareImage(source, conf, id),
      // A client that was killed watches it for a while, which nobody need wait for.
      async remove() {
        done.push(id);
        const oldest = done.length > 4 ? done.shift() : undefined;
        if (oldest !== undefined) await removeImage(rbd, oldest);
      },
    };
  };
}

/**
 * @param {string} source
 * @param {string} target
 * @param {number} size
 */
async function compareFiles(source, target, size) {
  return outcome(spawn("cmp", ["--bytes", String(size), source, target]));
}

/**
 * @param {string} source
 * @param {string} conf
 * @param {string} id
 */
async function compareImage(source, conf, id) {
  const args = ["-c", conf, "-p", "rbd", "export", "--no-progress", id, "-"];
  const exporting = spawn("rbd", args, { stdio: ["ignore", "pipe", "ignore"] });
  const comparing = spawn("cmp", [source, "-"], { stdio: [exporting.stdout, "pipe", "pipe"] });
  return outcome(comparing);
}

/** @param {import("node:child_process").ChildProcess} comparing */
async function outcome(comparing) {
  let said = "";
  for (const stream of [comparing.stdout, comparing.stderr]) {
    stream?.on("data", (data) => {
      said += data;
    });
  }
  const [code] = await once(comparing, "close");
  return code === 0 ? "" : said.trim() || `cmp ended with ${code}`;
}

/**
 * @param {(...args: string[]) => Promise<unknown>} rbd
 * @param {string} id
 */
async function removeImage(rbd, id) {
  for (let tries = 20; ; tries -= 1) {
    try {
      await rbd("rm", "--no-progress", id);
      return;
    } catch (error) {
      if (tries === 0) throw error;
      await delay(500);
    }
  }
}
