// The command as a user types it, in a folder with a blockhaul.yaml, and what came of it.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { exec, scratch } from "./exec.mjs";
import { leftovers } from "./leftovers.mjs";

const program = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const dying = new URL("dying.mjs", import.meta.url).href;

/** Where the command is run, and keeps its state. */
export const folder = `${scratch}/migrating`;
export const state = `${folder}/state`;
mkdirSync(state, { recursive: true });

/** @param {Record<string, object>} backends YAML is a superset of JSON */
export function configure(backends) {
  writeFileSync(`${folder}/blockhaul.yaml`, JSON.stringify({ backends }), { mode: 0o600 });
}

/**
 * @typedef {object} Ended
 * @property {number | null} status null where it was killed
 * @property {any} last the last line of JSON: the report, or the error
 * @property {any[]} lines
 * @property {string} stderr
 *
 * @param {readonly string[]} args
 * @param {{ dieAt?: string }} [options] dying.mjs says where
 * @returns {Promise<Ended>}
 */
export async function run(args, { dieAt } = {}) {
  const [command = "", ...rest] = args;
  const imports = dieAt === undefined ? [] : ["--import", dying];
  const ended = await exec(process.execPath, [...imports, program, command, "--json", ...rest], {
    cwd: folder,
    env: { BLOCKHAUL_STATE_DIR: state, DIE_AT: dieAt },
  });
  const lines = ended.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return { status: ended.status, last: lines.at(-1), lines, stderr: ended.stderr };
}

/**
 * A migration that reaches its end.
 *
 * @param {...string} args
 * @returns {Promise<import("blockhaul").MigrationReport>}
 */
export async function migrate(...args) {
  const { status, last, stderr } = await run(["migrate", ...args]);
  assert.equal(status, 0, `${JSON.stringify(last)}\n${stderr}`);
  assert.equal(last.state, "done");
  assert.equal(last.verified, true);
  return last;
}

/** All that a migration could leave, of this host; a cluster is asked apart. */
export function left() {
  return leftovers({ attachments: `${state}/attachments` });
}
