import { randomBytes } from "node:crypto";
import { closeSync, existsSync, ftruncateSync, openSync, writeSync } from "node:fs";

/** Bytes; it ends within a chunk of the engine's. */
export const SIZE = 9 * 1024 ** 2;

/**
 * Random bytes here and there: after a few calls, some of earlier ones are left.
 *
 * @param {string} file
 * @param {number} round
 */
export function writeSparse(file, round) {
  const descriptor = openSync(file, existsSync(file) ? "r+" : "w");
  ftruncateSync(descriptor, SIZE);
  for (let part = 0; part < 4; part += 1) {
    const position = (((part * 5 + round * 3) % 17) / 17) * SIZE;
    writeSync(descriptor, randomBytes(100_000), 0, 100_000, Math.floor(position));
  }
  closeSync(descriptor);
}
