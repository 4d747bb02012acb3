// The programs that are compared.

import { blockhaul } from "./blockhaul.mjs";
import { cinder } from "./cinder.mjs";
import { dd } from "./dd.mjs";
import { fioRead, fioWrite } from "./fio.mjs";
import { nbdcopy } from "./nbdcopy.mjs";
import { qemuImg, qemuImgZero } from "./qemu-img.mjs";
import { rbdDeepCopy, rbdExport, rbdImport } from "./rbd.mjs";

/**
 * @typedef {import("../ends/end.mjs").EndKind} EndKind
 * @typedef {import("../ends/end.mjs").Place} Place
 * @typedef {import("../measure.mjs").Step} Step
 *
 * @typedef {object} Job
 * @property {Place} source
 * @property {Place} target
 * @property {boolean} verify the target is to be read back and compared too
 * @property {boolean} fresh the target holds nothing yet; else other bytes
 * @property {string} folder for sockets and other state, which goes with the run
 *
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} settings how it is run, and why so
 * @property {(kind: EndKind) => boolean} makesTarget whether it makes a target of this kind itself; else an empty one
 *   is there when it starts, at no cost to it
 * @property {(job: Job) => Step[]} steps
 * @property {boolean} [copies] false: it moves bytes, but not from the source to the target
 */

/** @type {readonly Tool[]} */
const all = [
  blockhaul,
  qemuImg,
  qemuImgZero,
  nbdcopy,
  rbdImport,
  rbdExport,
  rbdDeepCopy,
  dd,
  cinder,
  fioRead,
  fioWrite,
];

/**
 * @param {string} name
 * @returns {Tool}
 */
export function toolOf(name) {
  const tool = all.find((one) => one.name === name);
  if (tool === undefined) throw new RangeError(`no such tool: ${name}`);
  return tool;
}
