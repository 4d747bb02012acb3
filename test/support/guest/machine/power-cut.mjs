// What a power cut takes from a disk: any of the sectors that were written since the disk was last flushed.

import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";

const sector = 512;
const headerSize = 16;

/**
 * Gives an image a volatile write cache for the guests that are started from now on.
 *
 * @param {string} image
 */
export function makeVolatile(image) {
  writeFileSync(logOf(image), "");
}

/**
 * After a guest was killed: takes back blocks that it had not flushed, each on its own, to anything that they held
 * since. What a write of several blocks leaves may be torn.
 *
 * @param {string} image
 * @param {object} options
 * @param {() => number} options.random from 0 to below 1
 * @param {number} options.share of those blocks that is taken back, from 0 to 1
 * @param {512 | 4096} options.blockSize what the disk writes whole: ext4's superblock has two sectors, and one checksum
 * @returns {{ unflushed: number, lost: number }} blocks
 */
export function losePower(image, { random, share, blockSize }) {
  const log = readFileSync(logOf(image));
  const blocks = unflushedBlocks(log, blockSize);
  const file = openSync(image, "r+");
  let lost = 0;
  for (const versions of blocks.values()) {
    if (random() >= share) continue;
    lost++;
    const since = Math.floor(random() * versions.length);
    const done = new Set();
    for (const { offset, at } of versions.slice(since)) {
      if (done.has(offset)) continue;
      done.add(offset);
      writeSync(file, log, at, sector, offset);
    }
  }
  closeSync(file);
  makeVolatile(image);
  return { unflushed: blocks.size, lost };
}

/**
 * @param {Buffer} log
 * @param {number} blockSize
 * @returns {Map<number, { offset: number, at: number }[]>} by block, what its sectors held, the oldest first: a sector's
 *   offset, and where in the log its bytes are
 */
function unflushedBlocks(log, blockSize) {
  const blocks = new Map();
  for (let at = 0; at + headerSize <= log.length; ) {
    const offset = Number(log.readBigUInt64LE(at));
    const length = Number(log.readBigUInt64LE(at + 8));
    const data = at + headerSize;
    at = data + length;
    if (at > log.length) break; // of a write that was not made
    for (let done = 0; done < length; done += sector) {
      const block = Math.floor((offset + done) / blockSize);
      const versions = blocks.get(block) ?? [];
      versions.push({ offset: offset + done, at: data + done });
      blocks.set(block, versions);
    }
  }
  return blocks;
}

/** @param {string} image that is not needed any more */
export function removeImage(image) {
  rmSync(image, { force: true });
  rmSync(logOf(image), { force: true });
}

/** @param {string} image */
function logOf(image) {
  return `${image}.unflushed`;
}
