// Images of a throw-away cluster, with the features that a new image has.

import { run } from "../../scripts/lib/run.mjs";
import { volumes } from "../volumes.mjs";

/** @typedef {import("./end.mjs").Place} Place */

/** @type {import("./end.mjs").End} */
export const rbd = {
  async reserve(lab, size, store) {
    const conf = await lab.cluster(store);
    return { kind: "rbd", path: `rbd/${lab.newName("image")}`, size, conf, cached: [] };
  },

  async create(lab, place) {
    await tool(lab, place, ["create", "--size", `${place.size}B`, place.path]);
  },

  async load(lab, original, size, store) {
    const place = await rbd.reserve(lab, size, store);
    await rbd.create(lab, place);
    await volumes(lab, "load", { original, place });
    return place;
  },

  async remove(lab, place) {
    await tool(lab, place, ["rm", "--no-progress", place.path]);
  },
};

/**
 * @param {import("./end.mjs").Lab} lab
 * @param {Place} place
 * @param {readonly string[]} args
 */
async function tool(lab, place, args) {
  await run("rbd", ["-c", place.conf, ...args], { capture: true, signal: lab.signal });
}
