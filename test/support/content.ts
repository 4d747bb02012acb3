import { writeFileSync } from "node:fs";

import type { Range } from "./oracle.js";
import type { Random } from "./random.js";

export const contentKinds = ["zero", "data", "alternating", "random"] as const;
export type ContentKind = (typeof contentKinds)[number];

export interface Segment {
  readonly offset: number;
  readonly length: number;
  /** "zero" is zeros that were written, "hole" zeros that never were. */
  readonly kind: "data" | "zero" | "hole";
}

/** What a volume is to hold, as a file that has all the bytes, and how they come to be there. */
export interface Content {
  readonly kind: ContentKind;
  readonly size: number;
  readonly path: string;
  readonly segments: readonly Segment[];
}

const KiB = 1024;

export function makeContent(
  kind: ContentKind,
  size: number,
  path: string,
  random: Random,
): Content {
  const bytes = Buffer.alloc(size);
  const segments: Segment[] = [];
  for (let offset = 0; offset < size; ) {
    const next = nextSegment(kind, offset, random);
    const segment = { offset, kind: next.kind, length: Math.min(next.length, size - offset) };
    if (segment.kind === "data") random.bytes(segment.length).copy(bytes, offset);
    segments.push(segment);
    offset += segment.length;
  }
  writeFileSync(path, bytes);
  return { kind, size, path, segments };
}

function nextSegment(kind: ContentKind, offset: number, random: Random): Omit<Segment, "offset"> {
  const someZero = () => random.pick(["zero", "hole"]);
  switch (kind) {
    case "zero":
      return { kind: someZero(), length: random.between(1, 2048) * KiB };
    case "data":
      return { kind: "data", length: Number.MAX_SAFE_INTEGER };
    case "alternating":
      return { kind: offset % (8 * KiB) === 0 ? "data" : someZero(), length: 4 * KiB };
    case "random":
      return { kind: random.pick(["data", "zero", "hole"]), length: someLength(random) };
  }
}

/** Short and long, on boundaries and off them. */
function someLength(random: Random): number {
  return random.pick([
    () => random.between(1, 511),
    () => random.between(1, 8 * KiB),
    () => random.between(1, 32) * 4 * KiB,
    () => random.between(1, 8) * 64 * KiB,
    () => random.between(1, 512 * KiB),
  ])();
}

/** The ranges of a content's segments of some kinds; neighbours as one. */
export function rangesOf(content: Content, ...kinds: readonly Segment["kind"][]): Range[] {
  const ranges: [offset: number, length: number][] = [];
  for (const { offset, length, kind } of content.segments) {
    const last = ranges.at(-1);
    if (!kinds.includes(kind)) continue;
    if (last !== undefined && last[0] + last[1] === offset) last[1] += length;
    else ranges.push([offset, length]);
  }
  return ranges;
}
