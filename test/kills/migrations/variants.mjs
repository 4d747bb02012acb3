// Kinds of migrations that are killed.

/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {Omit<import("./driver.mjs").Abilities, "name" | "hidden">} source
 * @property {Omit<import("./driver.mjs").Abilities, "name" | "hidden">} [target] the same driver unless told
 * @property {Pick<import("blockhaul").MigrateOptions, "rename" | "deleteSource" | "withSnapshots" | "method" | "allow">} options
 * @property {readonly string[]} [snapshots] that the source has, the oldest first
 * @property {boolean} [isNameless] the target has no temporary name by which it is known
 * @property {boolean} [isThere] the target is there before
 * @property {boolean} [hooks] programs, which count how often they run
 */

/** @type {readonly Variant[]} */
export const VARIANTS = [
  { name: "plain", source: {}, options: {} },
  { name: "frozen", source: { snapshots: true }, options: {} },
  { name: "rename", source: { snapshots: true }, options: { rename: true } },
  { name: "delete", source: { snapshots: true }, options: { deleteSource: true } },
  { name: "rename and delete", source: {}, options: { rename: true, deleteSource: true } },
  { name: "short way", source: { snapshots: true, shortWay: true }, options: {} },
  {
    name: "short way, rename and delete",
    source: { shortWay: true },
    options: { rename: true, deleteSource: true },
  },
  {
    name: "snapshots",
    source: { snapshots: true },
    snapshots: ["monday", "tuesday", "wednesday"],
    options: { withSnapshots: true },
  },
  {
    name: "snapshots, rename and delete",
    source: { snapshots: true },
    snapshots: ["monday", "tuesday"],
    options: { withSnapshots: true, rename: true, deleteSource: true },
  },
  {
    name: "no temporary name",
    source: {},
    target: { rename: false },
    isNameless: true,
    options: {},
  },
  {
    name: "no temporary name, short way",
    source: { rename: false, shortWay: true },
    isNameless: true,
    options: { deleteSource: true },
  },
  {
    name: "target is there",
    source: {},
    target: { create: false, rename: false },
    isThere: true,
    options: { rename: true, deleteSource: true },
  },
  { name: "hooks", source: { snapshots: true }, hooks: true, options: { rename: true } },
];
