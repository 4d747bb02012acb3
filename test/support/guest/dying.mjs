// Preloaded into the command (`node --import`): kills it in a state of its migration, with the product unchanged.
//
//   DIE_AT=STATE          once the record on disk says that it is in the state
//   DIE_AT=STATE:NUMBER   before the NUMBER-th thing that it does to this host from then on: a program that is run, a
//                         file that gets its name or is removed
//   DIE_AT=STATE!TEXT     once the first program runs that has the text among its arguments; the program goes on
//   DIE_AT=STATE+MS       so many milliseconds later

import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import fsPromises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const [, state = "", kind, detail = ""] =
  /^([a-z-]+)(?:([:!+])(.+))?$/.exec(process.env.DIE_AT ?? "") ?? [];
let isThere = false;
let left = Number(detail);

const die = () => process.kill(process.pid, "SIGKILL");

function next() {
  if (!isThere || kind !== ":") return;
  left -= 1;
  if (left <= 0) die();
}

/** @param {string} draft of a record */
function enters(draft) {
  return !isThere && JSON.parse(readFileSync(draft, "utf8")).state === state;
}

const { rename, rm } = fsPromises;
Object.assign(fsPromises, {
  rename: async (/** @type {string} */ from, /** @type {string} */ to) => {
    next();
    const isIt = to.endsWith(".migration") && enters(from);
    await rename(from, to);
    if (!isIt) return;
    isThere = true;
    if (kind === undefined) die();
    if (kind === "+") setTimeout(die, left);
  },
  rm: (/** @type {string} */ file, /** @type {object} */ options) => {
    next();
    return rm(file, options);
  },
});
const { spawn } = childProcess;
childProcess.spawn = /** @type {typeof spawn} */ (
  (/** @type {string} */ file, /** @type {string[]} */ args, /** @type {object} */ options) => {
    next();
    const child = spawn(file, args, options);
    if (isThere && kind === "!" && args.includes(detail)) die();
    return child;
  }
);
syncBuiltinESMExports();
