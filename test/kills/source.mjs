import { createCipheriv, createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

import { randomFrom } from "./random.mjs";

const MiB = 1024 ** 2;

/**
 * Makes an image with data, holes, zeros that take space, and an end that is no block's.
 *
 * @param {string} file
 * @param {string} seed
 */
export function writeSource(file, seed) {
  const random = randomFrom(`source/${seed}`);
  const size = (40 + random.below(60)) * MiB + (random.chance(0.5) ? 0 : random.below(4096));
  const handle = openSync(file, "w");
  ftruncateSync(handle, size);
  let offset = 0;
  while (offset < size) {
    const length = Math.min(4096 * (1 + random.below(2000)), size - offset);
    const kind = random.share();
    if (kind < 0.6) writeSync(handle, bytesOf(length, `${seed}/${offset}`), 0, length, offset);
    else if (kind < 0.7) writeSync(handle, Buffer.alloc(length), 0, length, offset);
    offset += length;
  }
  closeSync(handle);
  return size;
}

/**
 * Bytes without any regularity.
 *
 * @param {number} length
 * @param {string} seed
 */
export function bytesOf(length, seed) {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
