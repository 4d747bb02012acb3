import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { atInterrupt, say } from "./run.mjs";

let kept = false;

/**
 * Runs tests with a temporary folder of their own, which all that they start inherits (TMPDIR). It is removed at the
 * end, however that comes: a process that was killed leaves its files there, too.
 *
 * @template T
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withTemporaryFolder(body) {
  const before = process.env.TMPDIR;
  // Short: sockets lie in it, and their paths have 107 characters at the most.
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-"));
  const remove = () => {
    if (kept) say(`Files kept in ${folder}`);
    else removeFolder(folder);
  };
  const takeBack = atInterrupt(remove);
  // As open as /tmp to read: some tests work as another user.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  try {
    return await body();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    takeBack();
    remove();
  }
}

/**
 * What a test that was killed has mounted there goes first.
 *
 * @param {string} folder
 */
function removeFolder(folder) {
  for (const place of mountsBelow(folder)) spawnSync("umount", ["--lazy", place]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/**
 * The last one first: it may lie in another.
 *
 * @param {string} folder
 */
function mountsBelow(folder) {
  const places = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "));
  return places.filter((place) => place.startsWith(`${folder}/`)).reverse();
}

/** The folder stays: what failed is to be looked at. */
export function keepTemporaryFolder() {
  kept = true;
}
