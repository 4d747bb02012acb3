// What volumes hold. Each is made once a run as a sparse file, from that run's seed.

import { createCipheriv, createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

import { root, run } from "../scripts/lib/run.mjs";

/**
 * @typedef {import("./lab.mjs").Lab} Lab
 *
 * @typedef {"dense" | "ext4" | "thin" | "empty" | "tiny"} ContentName
 *
 * @typedef {object} Original
 * @property {string} path of the file
 * @property {number} size bytes
 * @property {number} data bytes of it that are not in holes, as it was made
 */

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;
const tib = 1024 * gib;

/** @type {Readonly<Record<ContentName, (file: string, random: Random, scale: number, lab: Lab) => Promise<Original>>>} */
const makers = {
  /** Random bytes: no zeros, nothing to compress, nothing twice. */
  async dense(file, random, scale) {
    const size = wholeMiB(2 * gib * scale);
    const descriptor = openSync(file, "wx");
    for (let offset = 0; offset < size; offset += 4 * mib) {
      writeSync(descriptor, random.bytes(Math.min(4 * mib, size - offset)), 0, undefined, offset);
    }
    closeSync(descriptor);
    return { path: file, size, data: size };
  },

  /** A file system with real files in it: this checkout's, and random ones of many sizes. */
  async ext4(file, random, scale, lab) {
    const size = wholeMiB(Math.max(1 * gib * scale, 128 * mib));
    const tree = lab.newFolder("tree");
    const sources = ["node_modules/typescript", "native", "src", "test", "docs"];
    await run("cp", ["-r", "--", ...sources.map((name) => path.join(root, name)), tree]);
    mkdirSync(path.join(tree, "random"));
    for (let left = size / 2 - 32 * mib, number = 0; left > 0; number++) {
      const length = Math.min(left, Math.ceil(4 * kib * 1.5 ** (number % 22)));
      const descriptor = openSync(path.join(tree, "random", String(number)), "wx");
      writeSync(descriptor, random.bytes(length));
      closeSync(descriptor);
      left -= length;
    }
    const args = ["-q", "-F", "-t", "ext4", "-d", tree, file, `${size / mib}M`];
    await run("mke2fs", args, { capture: true, signal: lab.signal });
    rmSync(tree, { recursive: true });
    return { path: file, size, data: size };
  },

  /** 64 GiB in which 2048 pieces of 64 KiB hold data, as a young thin volume does. */
  async thin(file, random, scale) {
    const size = 64 * gib;
    const piece = 64 * kib;
    const count = Math.max(16, Math.round(2048 * scale));
    const descriptor = openSync(file, "wx");
    ftruncateSync(descriptor, size);
    const places = new Set();
    while (places.size < count) places.add(random.below(size / piece));
    for (const place of places) {
      writeSync(descriptor, random.bytes(piece), 0, undefined, place * piece);
    }
    closeSync(descriptor);
    return { path: file, size, data: count * piece };
  },

  /** 8 TiB of nothing. */
  async empty(file) {
    const size = 8 * tib;
    const descriptor = openSync(file, "wx");
    ftruncateSync(descriptor, size);
    closeSync(descriptor);
    return { path: file, size, data: 0 };
  },

  /** What takes no time to copy: the rest is start-up. */
  async tiny(file, random) {
    const descriptor = openSync(file, "wx");
    writeSync(descriptor, random.bytes(1 * mib));
    closeSync(descriptor);
    return { path: file, size: 1 * mib, data: 1 * mib };
  },
};

/** @param {number} bytes */
function wholeMiB(bytes) {
  return Math.max(4, Math.round(bytes / mib)) * mib;
}

/** The originals of a run: each is made when it is first asked for. */
export class Contents {
  /** @type {Map<ContentName, Original>} */
  #made = new Map();

  /**
   * @param {Lab} lab
   * @param {number} seed
   * @param {number} scale of the amount of data
   */
  constructor(lab, seed, scale) {
    this.lab = lab;
    this.seed = seed;
    this.scale = scale;
  }

  /**
   * @param {ContentName} name
   * @returns {Promise<Original>}
   */
  async original(name) {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const file = path.join(this.lab.folder, `${name}.img`);
    const random = new Random(`${this.seed} ${name}`);
    const original = await makers[name](file, random, this.scale, this.lab);
    this.#made.set(name, original);
    return original;
  }

  /** @param {string} what */
  random(what) {
    return new Random(`${this.seed} ${what}`);
  }
}

/** A stream of random bytes that a seed decides, as fast as a disk. */
export class Random {
  /** @param {string} seed */
  constructor(seed) {
    const key = createHash("sha256").update(seed).digest();
    this.stream = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16));
  }

  /** @param {number} count */
  bytes(count) {
    return this.stream.update(Buffer.alloc(count));
  }

  /** @param {number} limit at most 2^32 */
  below(limit) {
    return Math.floor((this.bytes(4).readUInt32LE() / 2 ** 32) * limit);
  }
}
