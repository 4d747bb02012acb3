// The moments of a process, counted from 1: it is killed at the one that it was told. A moment is either side of a
// call of a driver, an event, and either side of every change that Node makes to the file system: records are saved
// by these, and drivers work with them.

import { writeFileSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/** @type {readonly ("link" | "rename" | "rm" | "unlink" | "writeFile" | "mkdir" | "copyFile")[]} */
const CHANGES = ["link", "rename", "rm", "unlink", "writeFile", "mkdir", "copyFile"];

/**
 * @param {number | undefined} killAt never unless told
 * @param {string | undefined} log a file for the moments' names
 */
export function countMoments(killAt, log) {
  /** @type {string[]} */
  const seen = [];
  /** @param {string} name */
  const moment = (name) => {
    seen.push(name);
    if (seen.length === killAt) process.kill(process.pid, "SIGKILL");
  };
  if (log !== undefined) process.once("exit", () => writeFileSync(log, seen.join("\n")));
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
