// Are the bytes the same? Judged by programs that share no code with blockhaul: cmp, rbd export, python3-rbd.

import { Stop, tryRun } from "../scripts/lib/run.mjs";
import { volumes } from "./volumes.mjs";

/** @typedef {import("./content.mjs").Original} Original */
/** @typedef {import("./ends/end.mjs").Place} Place */
/** @typedef {import("./lab.mjs").Lab} Lab */

/**
 * @param {Lab} lab
 * @param {Original} original
 * @param {Place} place whose volume has to hold the same bytes
 * @throws {Stop} where it does not
 */
export async function check(lab, original, place) {
  if (original.data < original.size) {
    await volumes(lab, "compare", { original: original.path, place });
    return;
  }
  const { status, output } = await compareAll(lab, original, place);
  lab.signal.throwIfAborted();
  if (status !== 0) throw new Stop(`DIFFERS: ${place.path} from ${original.path}\n${output}`);
}

/**
 * @param {Lab} lab
 * @param {Original} original
 * @param {Place} place
 */
function compareAll({ signal }, original, place) {
  // cmp minds the sizes too; a loop device's is its file's.
  if (place.kind !== "rbd") {
    return tryRun("cmp", [original.path, place.path], { capture: true, signal });
  }
  // Sizes are compared by cmp here as well: it fails where one of the two ends first.
  const script = 'set -o pipefail; rbd -c "$1" export --no-progress "$2" - | cmp - "$3"';
  const args = ["-c", script, "bash", place.conf, place.path, original.path];
  return tryRun("bash", args, { capture: true, signal });
}

/**
 * Changes one byte of a volume that was found good, and demands that the check finds it: a check that can see
 * nothing would pass everything.
 *
 * @param {Lab} lab
 * @param {Original} original
 * @param {Place} place whose volume is wrong afterwards
 * @param {number} seed decides which byte
 */
export async function checkTheCheck(lab, original, place, seed) {
  await volumes(lab, "flip", { place, seed });
  try {
    await check(lab, original, place);
  } catch (error) {
    if (error instanceof Stop && error.message.includes("DIFFERS")) return;
    throw error;
  }
  throw new Stop(`a planted wrong byte in ${place.path} (seed ${seed}) was not found`);
}
