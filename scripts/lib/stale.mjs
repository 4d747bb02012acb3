import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { root } from "./run.mjs";

/**
 * Whether something that is built must be built again. Judged by the content of what goes into it: times of
 * files say nothing after a checkout.
 */
export class Stamp {
  /**
   * @param {string} name
   * @param {{ inputs: readonly string[], outputs: readonly string[] }} parts files and folders, from the root
   */
  constructor(name, { inputs, outputs }) {
    this.file = path.join(root, "out", "stamps", name);
    this.inputs = inputs;
    this.outputs = outputs;
  }

  isFresh() {
    if (!existsSync(this.file)) return false;
    if (!this.outputs.every((output) => existsSync(path.join(root, output)))) return false;
    return readFileSync(this.file, "utf8") === this.#digest();
  }

  /**
   * Builds, and remembers what was built from. What changes meanwhile counts as not built.
   *
   * @param {() => Promise<unknown>} build
   */
  async renew(build) {
    const digest = this.#digest();
    rmSync(this.file, { force: true });
    await build();
    mkdirSync(path.dirname(this.file), { recursive: true });
    writeFileSync(this.file, digest);
  }

  #digest() {
    const hash = createHash("sha256");
    hash.update(`${process.version} ${process.arch}\n`);
    for (const input of this.inputs) {
      for (const file of filesUnder(input)) {
        const content = readFileSync(path.join(root, file));
        hash.update(`${file} ${content.length}\n`).update(content);
      }
    }
    return hash.digest("hex");
  }
}

/**
 * @param {string} name a file or folder, from the root; it may be missing
 * @returns {string[]} the files, sorted
 */
export function filesUnder(name) {
  const full = path.join(root, name);
  if (!existsSync(full)) return [];
  try {
    const entries = readdirSync(full, { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
      .sort();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOTDIR") return [name];
    throw error;
  }
}
