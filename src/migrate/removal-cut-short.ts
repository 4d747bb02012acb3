/** What a removal of a source that was cut short has left of it, by the digests that were written down before. */
import { CHUNK } from "../copy/chunks.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { Range } from "../native.js";
import { verifyManifest } from "../verify.js";
import type { Volume } from "../volume.js";
import { identityAt } from "./identity.js";
import { type Migration, openSource } from "./migration.js";
import { readingOptions } from "./progress.js";
import { snapshotsOf } from "./snapshots.js";

/**
 * Whether nothing of the source was removed: it is there, holds all that it held, and has the snapshots that were
 * carried over.
 */
export async function isUntouched(migration: Migration): Promise<boolean> {
  const source = await migration.source();
  if ((await identityAt(source)) !== migration.record.source.identity) return false;
  const names = (await snapshotsOf(source, "source")).map(({ name }) => name);
  if (!migration.record.carried.every((name) => names.includes(name))) return false;
  const volume = await openSource(migration);
  try {
    return (await changedRanges(migration, volume)).length === 0;
  } finally {
    await volume.close();
  }
}

/** What a removal took away reads as zeros. Whatever else is not as it was, somebody wrote. */
export async function refuseWrittenSince(migration: Migration): Promise<void> {
  const volume = await openSource(migration);
  try {
    for (const range of await changedRanges(migration, volume)) {
      const offset = await firstData(volume, range);
      if (offset !== undefined) throw writtenSince(migration, volume, offset);
    }
  } finally {
    await volume.close();
  }
}

/** Where the source does not hold what it held when its removal began. */
async function changedRanges(migration: Migration, volume: Volume): Promise<readonly Range[]> {
  const { store, id } = migration;
  try {
    await verifyManifest(volume, store.manifestOf(id), readingOptions(migration));
    return [];
  } catch (thrown) {
    const { code, ranges } = toBlockhaulError(thrown);
    if (code === "ERR_VERIFICATION" && ranges !== undefined) return ranges;
    throw thrown;
  }
}

/** The offset of a chunk that is not all zeros; undefined where there is none. */
async function firstData(volume: Volume, { offset, length }: Range): Promise<number | undefined> {
  const zeros = Buffer.alloc(CHUNK);
  const buffer = Buffer.alloc(CHUNK);
  for (let position = offset; position < offset + length; position += CHUNK) {
    const size = Math.min(CHUNK, offset + length - position);
    await volume.read(buffer, { position, length: size });
    if (!buffer.subarray(0, size).equals(zeros.subarray(0, size))) return position;
  }
  return undefined;
}

function writtenSince({ id }: Migration, { ref }: Volume, offset: number): BlockhaulError {
  return new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume: ref,
    offset,
    message: "it was written to since its removal was cut short",
    hint: `if it is of no use, remove it; \`blockhaul resume ${id}\` then ends the migration`,
  });
}
