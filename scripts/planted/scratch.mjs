import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";

import { root, run, tryRun } from "../lib/run.mjs";
import { filesUnder } from "../lib/stale.mjs";

/** What a copy uses of the checkout as it is: nothing of it depends on a planted bug. */
const shared = ["node_modules", "build", "dist", "out/modules"];

/** A copy of this checkout in which bugs are planted; the checkout itself is never touched. */
export class Scratch {
  /** @param {number} number several copies are used side by side */
  constructor(number) {
    this.tree = path.join(root, "out", "planted", String(number));
  }

  /** Makes the copy, or one of an earlier run, like the checkout as it stands, committed or not. */
  async refresh() {
    const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    const listed = await run("git", listing, { capture: true });
    const wanted = listed.split("\0").filter((file) => file && existsSync(path.join(root, file)));
    for (const name of shared) rmSync(path.join(this.tree, name), { force: true });
    const kept = new Set(wanted);
    for (const file of filesUnder(path.relative(root, this.tree))) {
      const inTree = path.relative(this.tree, path.join(root, file));
      // What was built there is built on.
      if (!kept.has(inTree) && !inTree.startsWith("out/")) rmSync(path.join(this.tree, inTree));
    }
    for (const file of wanted) this.#restore(file);
    for (const name of shared) {
      mkdirSync(path.dirname(path.join(this.tree, name)), { recursive: true });
      symlinkSync(path.join(root, name), path.join(this.tree, name));
    }
  }

  /**
   * Puts a bug into the copy.
   *
   * @param {import("./patch.mjs").PlantedBug} bug
   * @returns {Promise<string | undefined>} why that could not be done; all is as before then
   */
  async plant(bug) {
    const { status, output } = await tryRun("git", ["apply", bug.file], {
      cwd: this.tree,
      capture: true,
      // Else git would find the checkout's repository, and leave out what is not in there.
      env: { GIT_CEILING_DIRECTORIES: path.dirname(this.tree) },
    });
    return status === 0 ? undefined : output.trim();
  }

  /** @param {import("./patch.mjs").PlantedBug} bug */
  takeOut(bug) {
    for (const file of bug.touched) this.#restore(file);
  }

  /**
   * What is the same already stays, with the time by which the build tells what is new.
   *
   * @param {string} file
   */
  #restore(file) {
    const from = path.join(root, file);
    const to = path.join(this.tree, file);
    if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return;
    mkdirSync(path.dirname(to), { recursive: true });
    copyFileSync(from, to);
  }
}
