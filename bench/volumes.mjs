import { fileURLToPath } from "node:url";

import { run } from "../scripts/lib/run.mjs";

/** @typedef {import("./ends/end.mjs").Place} Place */

const script = fileURLToPath(new URL("volumes.py", import.meta.url));

/**
 * Prepares and judges volumes; volumes.py says what each verb does.
 *
 * @param {import("./lab.mjs").Lab} lab
 * @param {"load" | "compare" | "flip" | "fill"} verb
 * @param {{ original?: string, place: Place, seed?: number }} wanted
 */
export async function volumes(lab, verb, wanted) {
  await run("/usr/bin/python3", [script, verb, JSON.stringify(wanted)], {
    capture: true,
    signal: lab.signal,
  });
}
