import { createHash } from "node:crypto";
import path from "node:path";

import { toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeRegionLock } from "../native-host.js";
import { lockFolder, makeStateFolder } from "./state-directory.js";

/** A part of a file of locks, which stands for a thing, or for a part of one. */
export interface LockRegion {
  readonly start: bigint;
  readonly length: bigint;
}

/** Every thing has 2^30 places of its own: the first 2^33 values of a hash fill what an offset can be. */
const PLACES = 1n << 30n;
/** Bytes that one place stands for: partitions begin at its multiples, and 1 PiB has a place for each. */
const UNIT = 1n << 20n;

/** All of what a text names. */
export function wholeRegion(name: string): LockRegion {
  const hash = createHash("sha256").update(name).digest().readUIntBE(0, 6);
  return { start: (BigInt(hash) >> 15n) * PLACES, length: PLACES };
}

/** A range of bytes of what a text names; it is rounded up, so that two that overlap do so here. */
export function partOfRegion(name: string, offset: number, size: number): LockRegion {
  const { start } = wholeRegion(name);
  const last = PLACES - 1n;
  const first = smaller(BigInt(offset) / UNIT, last);
  const end = smaller((BigInt(offset) + BigInt(size) + UNIT - 1n) / UNIT, PLACES);
  return { start: start + first, length: end > first ? end - first : 1n };
}

export function overlaps(one: LockRegion, other: LockRegion): boolean {
  return one.start < other.start + other.length && other.start < one.start + one.length;
}

/** Where a file of locks is, by its name. */
export function lockFile(name: string): string {
  return path.join(lockFolder(), name);
}

/**
 * Keeps others of this host away from what a region stands for; released by the kernel when the process
 * ends.
 *
 * @param name of the file in the folder of locks
 * @returns null where somebody else holds it
 */
export async function takeHostLock(
  name: string,
  { start, length }: LockRegion,
  mode: "shared" | "exclusive",
): Promise<NativeRegionLock | null> {
  const file = lockFile(name);
  try {
    await makeStateFolder(path.dirname(file));
    return native().lockRegion(file, start, length, mode === "exclusive");
  } catch (error) {
    throw toBlockhaulError(error).withContext({
      hint: `who works on which volume is kept in ${path.dirname(file)}, which this user must be able to write to`,
    });
  }
}

function smaller(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
