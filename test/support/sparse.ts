import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";

import type { Extent, JsVolume } from "blockhaul";

import type { Range } from "./oracle.js";
import type { Random } from "./random.js";

/**
 * Places for pieces of one length, none of which touches another, in ascending order.
 *
 * @param alignment of their offsets, in bytes; it divides `length`
 */
export function scatter(
  {
    size,
    count,
    length,
    alignment,
  }: {
    readonly size: number;
    readonly count: number;
    readonly length: number;
    readonly alignment: number;
  },
  random: Random,
): Range[] {
  const taken = new Map<number, number>();
  const stride = 4 * length;
  while (taken.size < count) {
    // In the first half of its stretch: zeros between two pieces are long enough to be left out.
    const slot = random.below(Math.floor(size / stride));
    const shift = random.below(length / alignment) * alignment;
    taken.set(slot, slot * stride + shift);
  }
  return [...taken.values()].sort((a, b) => a - b).map((offset) => [offset, length]);
}

/** A new file with data at some places and holes everywhere else. */
export function makeSparseFile(
  path: string,
  size: number,
  pieces: readonly Range[],
  random: Random,
): void {
  const file = openSync(path, "wx");
  try {
    ftruncateSync(file, size);
    for (const [offset, length] of pieces) {
      writeSync(file, random.bytes(length), 0, length, offset);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const BLOCK = 4096;

/** A volume that keeps only the blocks that were written to. */
export class SparseStore {
  readonly #blocks = new Map<number, Buffer>();
  readonly #size: number;

  /** @param size a multiple of 4 KiB */
  constructor(size: number) {
    this.#size = size;
  }

  get allocated(): number {
    return this.#blocks.size * BLOCK;
  }

  read(buffer: Uint8Array, position: number): void {
    for (const { index, within, from, to } of blocksOf(position, buffer.byteLength)) {
      const block = this.#blocks.get(index);
      const part = buffer.subarray(from, to);
      if (block === undefined) part.fill(0);
      else part.set(block.subarray(within, within + to - from));
    }
  }

  get volume(): JsVolume {
    return {
      size: this.#size,
      identity: "sparse store",
      read: async (buffer, { position }) => this.read(buffer, position),
      write: async (buffer, { position }) => this.#write(buffer, position),
      zero: async (position, length) => this.#zero(position, length),
      extents: (position, length) => this.#extents(position, length),
    };
  }

  #write(buffer: Uint8Array, position: number): void {
    for (const { index, within, from, to } of blocksOf(position, buffer.byteLength)) {
      const block = this.#blocks.get(index) ?? Buffer.alloc(BLOCK);
      block.set(buffer.subarray(from, to), within);
      this.#blocks.set(index, block);
    }
  }

  #zero(position: number, length: number): void {
    const end = position + length;
    for (const [index, block] of this.#blocks) {
      const from = Math.max(position - index * BLOCK, 0);
      const to = Math.min(end - index * BLOCK, BLOCK);
      if (from === 0 && to === BLOCK) this.#blocks.delete(index);
      else if (from < to) block.fill(0, from, to);
    }
  }

  *#extents(position: number, length: number): Generator<Extent> {
    const end = position + length;
    let at = position;
    for (const index of [...this.#blocks.keys()].sort((a, b) => a - b)) {
      const offset = index * BLOCK;
      if (offset < at || offset >= end) continue;
      if (offset > at) yield { offset: at, length: offset - at, kind: "hole" };
      yield { offset, length: BLOCK, kind: "data" };
      at = offset + BLOCK;
    }
    if (at < end) yield { offset: at, length: end - at, kind: "hole" };
  }
}

/** The blocks that a range touches: which part of each, and which part of the range. */
function* blocksOf(position: number, length: number) {
  for (let from = 0; from < length; ) {
    const index = Math.floor((position + from) / BLOCK);
    const within = position + from - index * BLOCK;
    const to = Math.min(from + BLOCK - within, length);
    yield { index, within, from, to };
    from = to;
  }
}
