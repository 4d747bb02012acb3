/** The source goes, for good: after what it holds was compared with what the target was proven to hold. */
import { CHUNK } from "../copy/chunks.js";
import type { SnapshotInfo, VolumeDriver } from "../driver.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { Range } from "../native.js";
import { removeDurably } from "../system/durable-file.js";
import { verifyManifest } from "../verify.js";
import type { Volume } from "../volume.js";
import { WATCH_MS } from "./dead-client.js";
import { identityAt } from "./identity.js";
import { type Migration, openSource } from "./migration.js";
import { watchOptions } from "./progress.js";
import { removeVolume } from "./remove-volume.js";
import { dropSnapshot, dropSourceSnapshot, refusalOfSnapshot } from "./snapshots.js";
import { proveSource, refuseStamped } from "./source-proof.js";
import { stampSource } from "./source-stamp.js";
import { checkTarget } from "./target-check.js";
import { nameVolume, snapshotName } from "./target-name.js";

/**
 * Reads the source once more before it goes. The target is looked for, too: what removed it may have come in
 * between.
 *
 * @throws BlockhaulError ERR_LIVE_SOURCE; ERR_IN_USE, also where it has snapshots that were not carried over;
 *   ERR_JOURNAL, ERR_NOT_FOUND where an end is not the volume any more that it was
 */
export async function removeSource(migration: Migration): Promise<void> {
  const { record, store, id } = migration;
  if (migration.hasDone("deleting-source")) return finishRemoval(migration);
  if (!record.verified || record.digest === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "the source is not removed: its copy was not verified",
    });
  }
  await checkTarget(migration);
  const stamp = await stampSource(migration);
  await proveSource(migration, store.manifestOf(id));
  await refuseOtherSnapshots(migration);
  migration.throwIfStopped();
  // A source that has snapshots is not removed.
  await dropSnapshot(migration);
  await migration.did("snapshots-dropped");
  await refuseStamped(migration, stamp);
  await migration.did("deleting-source");
  await remove(migration, { isFirst: true });
}

/**
 * A run that removed it was cut short. Some storage takes a volume's bytes before its name: what is left of it goes,
 * too, even where nothing can be opened any more.
 */
async function finishRemoval(migration: Migration): Promise<void> {
  const found = await identityAt(await migration.source());
  // Another volume that has its name by now is not ours to remove.
  if (found !== undefined && found !== migration.record.source.identity) return;
  if (found !== undefined) await refuseWrittenSince(migration);
  await remove(migration, { isFirst: false });
}

async function remove(
  migration: Migration,
  { isFirst }: { readonly isFirst: boolean },
): Promise<void> {
  const { record, watch, store, id } = migration;
  // A cluster shows a client that was killed for a while.
  const deadlineMs = isFirst && !migration.wasKilled ? 0 : WATCH_MS;
  try {
    // They are on the target, and a source that has snapshots is not removed.
    for (const name of record.carried) await dropSourceSnapshot(migration, name);
    await removeVolume(await migration.source(), { deadlineMs, signal: watch.signal });
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { side: "source", operation: "delete" });
    // The refusal of a first try has removed nothing: it can still go back.
    const isUntouched = isFirst && error.code === "ERR_IN_USE" && record.carried.length === 0;
    if (isUntouched) await migration.didNot("deleting-source");
    throw error;
  }
  await removeDurably(store.manifestOf(id));
}

/** Before the first of those that were carried over goes: from then on there is no way back. */
async function refuseOtherSnapshots(migration: Migration): Promise<void> {
  const { driver, location, ref } = await migration.source();
  const { compared = {}, id } = migration.record;
  const found = (await driver.listSnapshots?.(location)) ?? [];
  const snapshots = found.filter(({ name }) => name !== snapshotName(id));
  const held = snapshots.find(({ inUse }) => inUse !== undefined);
  if (held !== undefined) throw refusalOfSnapshot(ref, held);
  const others: SnapshotInfo[] = [];
  for (const snapshot of snapshots) {
    // One that was taken anew under the name of one that was carried over holds something else.
    const expected = compared[snapshot.name];
    const isCarried =
      expected !== undefined && (await identityOfSnapshot(driver, snapshot)) === expected;
    if (!isCarried) others.push(snapshot);
  }
  if (others.length === 0) return;
  throw new BlockhaulError("ERR_IN_USE", {
    side: "source",
    volume: ref,
    message: `it has snapshots that would go with it: ${others.map(({ name }) => name).join(", ")}`,
    hint: `remove them, then \`blockhaul resume ${migration.id}\` goes on`,
  });
}

async function identityOfSnapshot(
  driver: VolumeDriver,
  { location }: SnapshotInfo,
): Promise<string | undefined> {
  const ref = driver.formatRef?.(location);
  if (ref === undefined) return undefined;
  return identityAt(await nameVolume(ref));
}

/** What a removal took away reads as zeros. Whatever else is not as it was, somebody wrote. */
async function refuseWrittenSince(migration: Migration): Promise<void> {
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
    await verifyManifest(volume, store.manifestOf(id), watchOptions(migration));
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
