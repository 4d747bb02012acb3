import type { Extent } from "../index.js";

/** Bytes of a volume by what they hold. */
export interface Usage {
  data: number;
  /** Reads as zero and takes space. */
  zero: number;
  /** Reads as zero and takes none. */
  hole: number;
  /** How many there are of all kinds. */
  extents: number;
}

export function emptyUsage(): Usage {
  return { data: 0, zero: 0, hole: 0, extents: 0 };
}

export function addExtent(usage: Usage, { kind, length }: Extent): void {
  usage[kind] += length;
  usage.extents += 1;
}
