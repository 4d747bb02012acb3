// node bench/streams.mjs   the streams of an image file beside those of fs, in turns, after `npm run build`: the median of
//                          the rounds of each, and their ratio. The target is 1.5 at the most.

import { createReadStream, createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { finished } from "node:stream/promises";
import { openVolume } from "blockhaul";

const SIZE = 64 * 1024 ** 2;
const ROUNDS = 21;

const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-streams-"));
const ours = path.join(folder, "ours.img");
const theirs = path.join(folder, "theirs.img");

/**
 * @typedef {object} Streams
 * @property {() => import("node:stream").Readable} in
 * @property {() => import("node:stream").Writable} out
 * @property {() => Promise<void>} sync what was written is durable
 */

try {
  for (const file of [ours, theirs]) writeFileSync(file, Buffer.alloc(SIZE, 1));
  const volume = await openVolume(ours, { mode: "write" });
  /** @type {Streams} */
  const own = {
    in: () => volume.createReadStream(),
    out: () => volume.createWriteStream(),
    sync: () => volume.sync(),
  };
  /** @type {Streams} */
  const fs = {
    in: () => createReadStream(theirs),
    out: () => createWriteStream(theirs, { flags: "r+" }),
    sync: async () => {
      const handle = await open(theirs, "r+");
      await handle.datasync();
      await handle.close();
    },
  };
  await compare("write 4,000 times 512 bytes", own, fs, (streams) => write(streams, 4000, 512));
  await compare("write 64 MiB by 64 KiB", own, fs, (streams) =>
    write(streams, SIZE / 65536, 65536),
  );
  // Ours are on the disk by then, and those of fs in the page cache: only what is durable compares the two.
  await compare("write 64 MiB by 64 KiB, durable", own, fs, async (streams) => {
    await write(streams, SIZE / 65536, 65536);
    await streams.sync();
  });
  await compare("read 64 MiB", own, fs, read);
  await volume.close();
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * @param {string} name
 * @param {Streams} own
 * @param {Streams} fs
 * @param {(streams: Streams) => Promise<void>} action
 */
async function compare(name, own, fs, action) {
  /** @type {number[]} */
  const mine = [];
  /** @type {number[]} */
  const other = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    mine.push(await secondsOf(() => action(own)));
    other.push(await secondsOf(() => action(fs)));
  }
  const [one, two] = [median(mine), median(other)];
  const best = `best ${ms(Math.min(...mine))}, fs ${ms(Math.min(...other))}`;
  console.log(`${name}: ${ms(one)}, fs ${ms(two)}, ratio ${(one / two).toFixed(2)}; ${best}`);
}

/**
 * @param {Streams} streams
 * @param {number} count
 * @param {number} length
 */
async function write(streams, count, length) {
  const stream = streams.out();
  const chunk = Buffer.alloc(length, 2);
  for (let at = 0; at < count; at += 1) {
    if (!stream.write(chunk)) await new Promise((resolve) => stream.once("drain", resolve));
  }
  await finished(stream.end());
}

/** @param {Streams} streams */
async function read(streams) {
  for await (const _ of streams.in());
}

/** @param {() => Promise<void>} action */
async function secondsOf(action) {
  const began = performance.now();
  await action();
  return (performance.now() - began) / 1000;
}

/** @param {readonly number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** @param {number} seconds */
function ms(seconds) {
  return `${(seconds * 1000).toFixed(1)} ms`;
}
