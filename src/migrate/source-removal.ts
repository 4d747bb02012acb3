/** The source goes, for good: after what it holds was compared with what the target was proven to hold. */
import type { SnapshotInfo, VolumeDriver } from "../driver.js";
import { BlockhaulError, type ErrorCode, toBlockhaulError } from "../errors.js";
import { unknownWriters } from "../guards/live-source.js";
import { removeDurably } from "../system/durable-file.js";
import { WATCH_MS } from "./dead-client.js";
import { expectedOf, identityAt } from "./identity.js";
import { type Migration, openSource } from "./migration.js";
import { refuseWrittenSince } from "./removal-cut-short.js";
import { removeVolume } from "./remove-volume.js";
import { dropSnapshot, dropSourceSnapshot, refusalOfSnapshot } from "./snapshots.js";
import { proveSource, refuseStamped } from "./source-proof.js";
import { stampSource } from "./source-stamp.js";
import { checkSourceUnused } from "./states/freezing.js";
import { giveBack, takeAway } from "./taking-away.js";
import { checkTarget } from "./target-check.js";
import { nameVolume, snapshotName } from "./target-name.js";

/**
 * Takes the source away from its name, reads it once more, and removes it. The target is looked for, too: what removed it
 * may have come in between. Where anything is in the way before the first of it is removed, it gets its name back.
 *
 * @throws BlockhaulError ERR_LIVE_SOURCE; ERR_IN_USE, also where it has snapshots that were not carried over;
 *   ERR_JOURNAL, ERR_NOT_FOUND where an end is not the volume any more that it was
 */
export async function removeSource(migration: Migration): Promise<void> {
  const { record } = migration;
  if (migration.hasDone("deleting-source")) return finishRemoval(migration);
  if (!record.verified || record.digest === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "the source is not removed: its copy was not verified",
    });
  }
  try {
    await takeAway(migration);
    await proveAndRemove(migration);
  } catch (error) {
    // What cannot be given back now is given back by an abort.
    if (!migration.hasDone("deleting-source")) await giveBack(migration).catch(() => {});
    throw error;
  }
}

async function proveAndRemove(migration: Migration): Promise<void> {
  const { store, id } = migration;
  await checkTarget(migration);
  const stamp = await stampUnwritten(migration);
  await proveSource(migration, store.manifestOf(id));
  await refuseOtherSnapshots(migration);
  migration.throwIfStopped();
  // A source that has snapshots is not removed.
  await migration.did("dropping-snapshot");
  await dropSnapshot(migration);
  await migration.did("snapshots-dropped");
  await refuseStamped(migration, stamp);
  await migration.did("deleting-source");
  await remove(migration, () => refuseStamped(migration, stamp), !migration.wasKilled);
}

/**
 * A run that removed it was cut short. Some storage takes a volume's bytes before its name: what is left of it goes,
 * too, even where nothing can be opened any more.
 */
async function finishRemoval(migration: Migration): Promise<void> {
  await checkTarget(migration);
  const found = await identityAt(await migration.source());
  // Another volume that has its name by now is not ours to remove.
  if (found !== undefined && found !== migration.record.source.identity) return;
  if (found === undefined) return remove(migration, undefined, false);
  const stamp = await stampUnwritten(migration);
  await refuseWrittenSince(migration);
  await remove(migration, () => refuseStamped(migration, stamp), false);
}

/**
 * The stamp of a source that nobody has open for writing at this moment: whoever writes afterwards opens it anew, which
 * another stamp shows. Without that, a mapping that was written to before goes on being written to unseen.
 */
async function stampUnwritten(migration: Migration): Promise<string | undefined> {
  await checkSourceUnused(migration);
  await refuseUnknownWriters(migration);
  return stampSource(migration);
}

/**
 * @param lastLook throws where the source is not any more what it was compared as; undefined where nothing can be opened
 * @param isFirst nothing was removed by an earlier run, and no cluster shows a client of one
 */
async function remove(
  migration: Migration,
  lastLook: (() => Promise<void>) | undefined,
  isFirst: boolean,
): Promise<void> {
  const { record, watch, store, id } = migration;
  const source = await migration.source();
  // A cluster shows a client that was killed for a while.
  const options = { deadlineMs: isFirst ? 0 : WATCH_MS, signal: watch.signal };
  let isBegun = false;
  try {
    // Of this very record: what came before it was written down does not count.
    await lastLook?.();
    // They are on the target, and a source that has snapshots is not removed.
    for (const name of record.carried) {
      isBegun = true;
      await dropSourceSnapshot(migration, name);
    }
    await removeVolume(source, { ...expectedOf(record.source.identity), lastLook }, options);
    await requireGone(migration);
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { side: "source", operation: "delete" });
    if (!isBegun && isFirst && REMOVED_NOTHING.has(error.code)) {
      await migration.didNot("deleting-source");
    }
    throw error;
  }
  await removeDurably(store.manifestOf(id));
}

/** "Deleted" is said of what is not there any more. */
async function requireGone(migration: Migration): Promise<void> {
  const source = await migration.source();
  if ((await identityAt(source)) !== migration.record.source.identity) return;
  throw new BlockhaulError("ERR_IO", {
    side: "source",
    volume: source.ref,
    message: `the driver ${source.driver.name} says that it has removed it, and it is still there`,
  });
}

/** What a removal is refused with before it has taken anything away: the first one can still go back. */
const REMOVED_NOTHING: ReadonlySet<ErrorCode> = new Set([
  "ERR_IN_USE",
  "ERR_LIVE_SOURCE",
  "ERR_VOLUME_CHANGED",
  "ERR_JOURNAL",
  "ERR_PERMISSION",
  "ERR_READ_ONLY",
  "ERR_UNSUPPORTED",
  "ERR_NOT_A_VOLUME",
]);

/** Where a file's system does not say who writes to it, or somebody does whom nobody sees. */
async function refuseUnknownWriters(migration: Migration): Promise<void> {
  if (migration.record.settings.allow?.includes("live-source")) return;
  const volume = await openSource(migration);
  try {
    const fault = await unknownWriters(volume);
    if (fault !== undefined) throw fault;
  } finally {
    await volume.close();
  }
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
