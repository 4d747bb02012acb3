import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";

import { root, run, tryRun } from "../lib/run.mjs";
import { filesUnder } from "../lib/stale.mjs";

/** The copy of this checkout in which bugs are planted; the checkout itself is never touched. */
export const tree = path.join(root, "out", "planted", "tree");

/** What the copy uses of the checkout as it is: nothing of it depends on a planted bug. */
const shared = ["node_modules", "build", "dist", "out/modules"];

/** Makes the copy, or one of an earlier run, like the checkout as it stands, committed or not. */
export async function refreshTree() {
  const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = await run("git", listing, { capture: true });
  const wanted = listed.split("\0").filter((file) => file && existsSync(path.join(root, file)));
  for (const name of shared) rmSync(path.join(tree, name), { force: true });
  const kept = new Set(wanted);
  for (const file of filesUnder(path.relative(root, tree))) {
    const inTree = path.relative(tree, path.join(root, file));
    if (!kept.has(inTree)) rmSync(path.join(tree, inTree));
  }
  for (const file of wanted) restore(file);
  for (const name of shared) {
    mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
    symlinkSync(path.join(root, name), path.join(tree, name));
  }
}

/**
 * Puts a bug into the copy.
 *
 * @param {import("./patch.mjs").PlantedBug} bug
 * @returns {Promise<string | undefined>} why that could not be done; all is as before then
 */
export async function plant(bug) {
  const { status, output } = await tryRun("git", ["apply", bug.file], {
    cwd: tree,
    capture: true,
    // Else git would find the checkout's repository, and leave out what is not in there.
    env: { GIT_CEILING_DIRECTORIES: path.dirname(tree) },
  });
  return status === 0 ? undefined : output.trim();
}

/** @param {import("./patch.mjs").PlantedBug} bug */
export function takeOut(bug) {
  for (const file of bug.touched) restore(file);
}

/**
 * What is the same already stays, with the time by which the build tells what is new.
 *
 * @param {string} file
 */
function restore(file) {
  const from = path.join(root, file);
  const to = path.join(tree, file);
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return;
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
}
