// node library.mjs LIST AT_ONCE STATE: copies many volumes by the library in one process. LIST has a line for each
// source, followed by one for its target.

import { readFileSync } from "node:fs";
import path from "node:path";

import { root } from "../../scripts/lib/run.mjs";

const [list = "", atOnce = "1", stateDirectory = ""] = process.argv.slice(2);
/** @type {typeof import("blockhaul")} */
const { copyVolume, openVolume } = await import(path.join(root, "dist", "index.js"));

const names = readFileSync(list, "utf8").trimEnd().split("\n");
const waiting = Array.from({ length: names.length / 2 }, (_, index) => names.slice(2 * index));

await Promise.all(Array.from({ length: Number(atOnce) }, copyAll));

async function copyAll() {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [from = "", to = ""] = next;
    const source = await openVolume(from);
    const target = await openVolume(to, {
      mode: "write",
      create: { size: source.info.size },
    });
    await copyVolume(source, target, { stateDirectory });
    await target.close();
    await source.close();
  }
}
