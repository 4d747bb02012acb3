// Image files, on the disk that the benchmark's folder lies on.

import { closeSync, existsSync, ftruncateSync, openSync, rmSync } from "node:fs";
import path from "node:path";

import { run } from "../../scripts/lib/run.mjs";

/** @type {import("./end.mjs").End} */
export const file = {
  async reserve(lab, size) {
    return placeOf(path.join(lab.folder, `${lab.newName("volume")}.img`), size);
  },

  async create(_lab, place) {
    if (existsSync(place.path)) return;
    const descriptor = openSync(place.path, "wx");
    ftruncateSync(descriptor, place.size);
    closeSync(descriptor);
  },

  async load(lab, original, size) {
    const place = await file.reserve(lab, size, "memstore");
    await copySparse(lab, original, place.path);
    return place;
  },

  async remove(_lab, place) {
    rmSync(place.path, { force: true });
  },
};

/**
 * @param {string} name
 * @param {number} size
 * @returns {import("./end.mjs").Place}
 */
function placeOf(name, size) {
  return { kind: "file", path: name, size, conf: "", cached: [name] };
}

/**
 * A source is a copy of the original, which stays apart: the page cache keeps the original for the checks, and what
 * a tool might do to its source shows.
 *
 * @param {import("./end.mjs").Lab} lab
 * @param {string} original
 * @param {string} name
 */
export async function copySparse(lab, original, name) {
  await run("cp", ["--sparse=always", "--", original, name], {
    capture: true,
    signal: lab.signal,
  });
}
