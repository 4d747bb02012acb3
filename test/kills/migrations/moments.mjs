// The moments of a process, counted from 1: it is killed at the one that it was told. A moment is either side of a
// call of a driver, an event, and either side of every change that Node makes to the file system: records are saved
// by these, and drivers work with them.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";

/** @type {readonly ("link" | "rename" | "rm" | "unlink" | "writeFile" | "mkdir" | "copyFile")[]} */
const CHANGES = ["link", "rename", "rm", "unlink", "writeFile", "mkdir", "copyFile"];

/**
 * A moment, and what was on disk at it: a kill leaves the same at two moments that have it in common.
 *
 * @typedef {{ name: string, disk: string }} Moment
 */

/**
 * @param {string} folder where the volumes and records are
 * @param {number | undefined} killAt never unless told
 * @param {string | undefined} log a file for the moments, as JSON
 */
export function countMoments(folder, killAt, log) {
  /** @type {Moment[]} */
  const seen = [];
  /** @param {string} name */
  const moment = (name) => {
    seen.push({ name, disk: log === undefined ? "" : onDisk(folder) });
    if (seen.length === killAt) process.kill(process.pid, "SIGKILL");
  };
  if (log !== undefined) process.once("exit", () => writeFileSync(log, JSON.stringify(seen)));
  watchFileSystem(moment);
  return {
    moment,
    /**
     * The same function, with a moment on either side of it.
     *
     * @template {unknown[]} Args
     * @template Result
     * @param {string} name
     * @param {(...args: Args) => Promise<Result>} action
     * @returns {(...args: Args) => Promise<Result>}
     */
    around:
      (name, action) =>
      async (...args) => {
        moment(`before ${name}`);
        const result = await action(...args);
        moment(`after ${name}`);
        return result;
      },
  };
}

/** @param {(name: string) => void} moment */
function watchFileSystem(moment) {
  for (const name of CHANGES) {
    const change = /** @type {(...args: unknown[]) => Promise<unknown>} */ (fs[name]);
    Object.assign(fs, {
      [name]: async (/** @type {unknown[]} */ ...args) => {
        moment(`before fs.${name}`);
        const result = await change(...args);
        moment(`after fs.${name}`);
        return result;
      },
    });
  }
  syncBuiltinESMExports();
}

/**
 * Names, sizes, times and owners of all files, and what the small ones hold.
 *
 * @param {string} folder
 */
function onDisk(folder) {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
    const file = path.join(folder, name);
    const status = statSync(file, { bigint: true });
    hash.update(`${name} ${status.ino} ${status.size} ${status.mtimeNs} ${status.blocks}\n`);
    if (status.isFile() && status.size < 100_000n) hash.update(readFileSync(file));
  }
  return hash.digest("hex");
}
