// A process that is killed at the n-th thing that it does to this host: run by a scenario, with the product unchanged.
//
//   node killed.mjs REF NUMBER [MOMENT]
//
// What it does is counted: files that are renamed, removed, or written (records, node records, sysfs), and programs
// that are run. MOMENT "before" (as it is told): killed before it does it; "during": once the program runs. With the
// number 0 it lives, and tells on stdout what it did.

import childProcess from "node:child_process";
import fsPromises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const [ref = "", numberText = "0", moment = "before"] = process.argv.slice(2);
const number = Number(numberText);
let count = 0;
/** @type {string[]} */
const done = [];

const die = () => process.kill(process.pid, "SIGKILL");

/** @param {string} what */
function next(what) {
  done.push(what);
  count += 1;
  if (count === number && moment === "before") die();
  return count === number;
}

const { rename, rm, writeFile } = fsPromises;
const { spawn } = childProcess;
Object.assign(fsPromises, {
  rename: (/** @type {string} */ from, /** @type {string} */ to) => {
    next(`rename ${to}`);
    return rename(from, to);
  },
  rm: (/** @type {string} */ file, /** @type {object} */ options) => {
    next(`rm ${file}`);
    return rm(file, options);
  },
  writeFile: (/** @type {string} */ file, /** @type {string} */ text, /** @type {object} */ o) => {
    next(`write ${file}`);
    return writeFile(file, text, o);
  },
});
childProcess.spawn = /** @type {typeof spawn} */ (
  (/** @type {string} */ file, /** @type {string[]} */ args, /** @type {object} */ options) => {
    const isIt = next(`run ${[file, ...args].join(" ")}`);
    const child = spawn(file, args, options);
    if (isIt) die();
    return child;
  }
);
syncBuiltinESMExports();

const { openVolume } = await import("blockhaul");
const volume = await openVolume(ref);
done.push("open");
await volume.close();
process.stdout.write(JSON.stringify(done));
