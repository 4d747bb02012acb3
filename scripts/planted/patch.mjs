import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { root, Stop } from "../lib/run.mjs";

/**
 * What has to fail once a bug is planted: a filter of GoogleTest's, or a file of vitest's and, if told, a regular
 * expression for the names of its tests.
 *
 * @typedef {{ kind: "native", filter: string } | { kind: "unit", file: string, pattern: string | undefined }} Catcher
 */

/**
 * A bug, kept as a patch: some text that says what it would do to a user, a line `Caught-by:` for each group of
 * tests that is to catch it, and the diff that plants it.
 *
 * @typedef {object} PlantedBug
 * @property {string} name of its file, without ".patch"
 * @property {string} file
 * @property {string} harm what it would do to a user
 * @property {readonly Catcher[]} catchers
 * @property {readonly string[]} touched the files that the diff changes, from the root
 */

export const folder = path.join(root, "test", "planted");

/**
 * The bugs of the folder, in the order of the files that they change.
 *
 * @returns {PlantedBug[]}
 * @throws {Stop} where a patch is malformed
 */
export function readBugs() {
  const names = readdirSync(folder).filter((name) => name.endsWith(".patch"));
  const bugs = names.map((name) => {
    const file = path.join(folder, name);
    return parsePatch(file, readFileSync(file, "utf8"));
  });
  const key = (/** @type {PlantedBug} */ bug) => `${bug.touched.join(" ")} ${bug.name}`;
  return bugs.sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

/**
 * @param {string} file
 * @param {string} text
 * @returns {PlantedBug}
 * @throws {Stop} names the file and what it lacks
 */
export function parsePatch(file, text) {
  const name = path.basename(file, ".patch");
  const fault = (/** @type {string} */ what) => new Stop(`test/planted/${name}.patch: ${what}`);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) throw fault("its name is not like-this.patch");
  const { header, diff } = splitPatch(text);
  const lines = header.split("\n").map((line) => line.trim());
  const catchers = lines.flatMap((line) => {
    const [, named] = /^Caught-by:\s*(.*)$/.exec(line) ?? [];
    if (named === undefined) return [];
    const catcher = parseCatcher(named);
    if (catcher === undefined) {
      throw fault(`"${line}" is neither "native FILTER" nor "unit FILE", perhaps -t "PATTERN"`);
    }
    return [catcher];
  });
  const harm = lines.filter((line) => line !== "" && !line.startsWith("Caught-by:")).join(" ");
  const touched = [...diff.matchAll(/^\+\+\+ b\/(.+)$/gm)].map(([, changed = ""]) => changed);
  if (harm === "") throw fault("does not say what the bug would do to a user");
  if (catchers.length === 0) throw fault("has no line Caught-by:");
  if (touched.length === 0) throw fault("has no diff (git diff's form: +++ b/FILE)");
  return { name, file, harm, catchers, touched };
}

/**
 * @param {string} text of a patch
 * @returns {{ header: string, diff: string }}
 */
export function splitPatch(text) {
  const begin = /^(?:diff --git |--- a\/)/m.exec(text)?.index ?? text.length;
  return { header: text.slice(0, begin), diff: text.slice(begin) };
}

/**
 * @param {string} text what stands behind "Caught-by:"
 * @returns {Catcher | undefined}
 */
function parseCatcher(text) {
  // No minus sign: a filter that leaves tests out would leave them out for other bugs of the same run, too.
  const [, filter] = /^native\s+([^\s-]+)$/.exec(text) ?? [];
  if (filter !== undefined) return { kind: "native", filter };
  const [, file, pattern] = /^unit\s+(test\/\S+\.test\.ts)(?:\s+-t\s+"(.+)")?$/.exec(text) ?? [];
  return file === undefined ? undefined : { kind: "unit", file, pattern };
}
