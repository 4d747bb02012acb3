// Loop devices over files. They do direct I/O themselves: no bytes lie in the page cache twice.

import { closeSync, ftruncateSync, openSync, rmSync } from "node:fs";
import path from "node:path";

import { run, tryRun } from "../../scripts/lib/run.mjs";
import { copySparse } from "./file.mjs";

/** @typedef {import("./end.mjs").Lab} Lab */
/** @typedef {import("./end.mjs").Place} Place */

/** @type {import("./end.mjs").End} */
export const block = {
  async reserve(lab, size) {
    const backing = newBacking(lab);
    const descriptor = openSync(backing, "wx");
    ftruncateSync(descriptor, size);
    closeSync(descriptor);
    return attach(lab, backing, size);
  },

  async create() {},

  async load(lab, original, size) {
    const backing = newBacking(lab);
    await copySparse(lab, original, backing);
    return attach(lab, backing, size);
  },

  async remove(_lab, place) {
    const [device = "", backing = ""] = place.cached;
    await run("losetup", ["--detach", device], { capture: true });
    attached.delete(device);
    rmSync(backing, { force: true });
  },
};

/** Devices that are still there. */
const attached = /** @type {Set<string>} */ (new Set());

/** @param {Lab} lab */
function newBacking(lab) {
  return path.join(lab.folder, `${lab.newName("disk")}.img`);
}

/**
 * @param {Lab} lab
 * @param {string} backing
 * @param {number} size
 * @returns {Promise<Place>}
 */
async function attach(lab, backing, size) {
  const args = ["--find", "--show", "--direct-io=on", backing];
  const device = (await run("losetup", args, { capture: true })).trim();
  attached.add(device);
  lab.onEnd(async () => {
    if (attached.delete(device)) await tryRun("losetup", ["--detach", device], { capture: true });
  });
  return { kind: "block", path: device, size, conf: "", cached: [device, backing] };
}
