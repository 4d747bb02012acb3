// The kinds of storage that volumes are copied between.

import { block } from "./block.mjs";
import { file } from "./file.mjs";
import { rbd } from "./rbd.mjs";

/**
 * @typedef {import("../lab.mjs").Lab} Lab
 * @typedef {import("../lab.mjs").Store} Store
 *
 * @typedef {"file" | "block" | "rbd"} EndKind
 *
 * @typedef {object} Place of a volume
 * @property {EndKind} kind
 * @property {string} path of a file or a device; "pool/name" of an image
 * @property {number} size bytes
 * @property {string} conf of an image: its cluster's ceph.conf; else ""
 * @property {readonly string[]} cached the files and devices whose pages the page cache may hold
 *
 * @typedef {object} End
 * @property {(lab: Lab, size: number, store: Store) => Promise<Place>} reserve a place without a volume, where
 *   this kind has such a thing; else with an empty one
 * @property {(lab: Lab, place: Place) => Promise<void>} create an empty volume there, unless it is there already
 * @property {(lab: Lab, original: string, size: number, store: Store) => Promise<Place>} load a volume to copy from,
 *   with a file's bytes
 * @property {(lab: Lab, place: Place) => Promise<void>} remove the volume, if it is there
 */

/** @type {Readonly<Record<EndKind, End>>} */
export const ends = { file, block, rbd };
