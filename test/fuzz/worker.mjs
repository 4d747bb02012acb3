// Takes inputs from its parent, one after the other, and says what must not be of each. It works in a folder of its own.

import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";

import { randomFrom } from "../kills/random.mjs";

/**
 * @typedef {object} Input
 * @property {keyof typeof KINDS} kind
 * @property {string} seed
 * @property {string} folder the worker's own
 *
 * @typedef {object} Finding
 * @property {string} input in words
 * @property {string} ended what came of it, for the statistics
 * @property {boolean} isTired this process has to end
 * @property {string[]} faults
 *
 * @typedef {(random: import("./mutate.mjs").Random, folder: string) => Promise<Finding>} Fuzzer
 */

const KINDS = {
  "command lines": () => import("./command-lines.mjs"),
  journals: () => import("./journals.mjs"),
  migrations: () => import("./migrations.mjs"),
  manifests: () => import("./manifests.mjs"),
};

process.on("message", async (/** @type {Input} */ { kind, seed, folder }) => {
  const own = path.join(folder, "case");
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { recursive: true });
  process.chdir(own);
  process.env.HOME = own;
  process.env.XDG_CONFIG_HOME = path.join(own, "config");
  process.env.BLOCKHAUL_STATE_DIR = path.join(own, "state");
  try {
    const { fuzz } = await KINDS[kind]();
    process.send?.(await fuzz(randomFrom(seed), folder));
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.send?.({ input: "", ended: "thrown", isTired: true, faults: [text] });
  }
});

process.on("disconnect", () => process.exit());
