/** Whether the source still holds what was copied of it. */
import { chunksOf } from "../copy/chunks.js";
import { hold, watchOf } from "../copy/engine.js";
import { planReading } from "../copy/plan.js";
import { checkHints, readDigests } from "../copy/verification.js";
import type { Extent } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { writeManifest } from "../manifest.js";
import type { NativeJournal } from "../native.js";
import { identityAt } from "./identity.js";
import { type Migration, openSource } from "./migration.js";
import { readingOptions } from "./progress.js";
import { findSnapshot } from "./snapshots.js";
import { stampSource } from "./source-stamp.js";
import { checkSourceUnused } from "./states/freezing.js";
import { nameVolume, snapshotName } from "./target-name.js";

/**
 * What was written to the source since it was frozen is not on the target. Where its storage keeps no account of
 * that, and its stamp has changed or was not taken by this run, it is read.
 *
 * @throws BlockhaulError ERR_LIVE_SOURCE; what says that somebody uses it; ERR_JOURNAL where it is another volume
 */
export async function checkUnchanged(migration: Migration): Promise<void> {
  const { record, stamp } = migration;
  if (record.settings.allow?.includes("live-source")) return;
  if (record.freeze === "frozen") return;
  await checkSourceUnused(migration);
  const extents = await changedSinceFrozen(migration);
  if (extents !== undefined) return refuseChanged(migration, extents);
  if (stamp !== undefined && (await stampSource(migration)) === stamp) return;
  if (record.digest !== undefined) return compareSource(migration);
  const { ref } = await migration.source();
  if (stamp !== undefined)
    throw changed(
      migration,
      ref,
      "it seems to have been written to, and no digest was taken that could tell",
    );
  await migration.notice("nothing tells whether the source was written to: no digest was taken");
}

/**
 * What was written since the migration's snapshot; undefined where it took none, has dropped it, or nobody keeps account.
 *
 * @throws BlockhaulError ERR_LIVE_SOURCE where somebody else removed the snapshot: nothing tells then what was written
 */
async function changedSinceFrozen(migration: Migration): Promise<readonly Extent[] | undefined> {
  const { record } = migration;
  if (record.freeze !== "snapshot") return undefined;
  // A run that was cut short there dropped it, after it had looked.
  if (migration.hasDone("dropping-snapshot")) return undefined;
  const { driver, location, ref } = await migration.source();
  const name = snapshotName(record.id);
  const snapshot = await findSnapshot(migration, name);
  const found = snapshot && (await identityAt(await nameVolume(snapshot)));
  if (found === undefined || found !== (record.snapshotIdentity ?? found)) {
    const message = `its snapshot ${name}, by which it was frozen, was removed: what was copied may be of two moments`;
    throw changed(migration, ref, message);
  }
  return driver.changedExtents?.(location, name);
}

async function refuseChanged(migration: Migration, extents: readonly Extent[]): Promise<void> {
  const [first] = extents;
  if (first === undefined) return;
  const { ref } = await migration.source();
  const { id } = migration;
  throw new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume: ref,
    offset: first.offset,
    message: "it was written to since the migration began",
    hint: `what was written is not on the target: \`blockhaul abort ${id}\`, and begin anew`,
  });
}

/**
 * Reads all of the source, which must hold what the target was proven to hold, and asks its storage what was
 * written meanwhile to what had been read.
 *
 * @param manifest a file that gets the digests of its chunks
 * @throws BlockhaulError ERR_LIVE_SOURCE
 */
export async function proveSource(migration: Migration, manifest: string): Promise<void> {
  await compareSource(migration, manifest);
  const extents = await changedSinceFrozen(migration);
  if (extents !== undefined) await refuseChanged(migration, extents);
}

/** @throws BlockhaulError ERR_LIVE_SOURCE where the source's stamp is another by now */
export async function refuseStamped(migration: Migration, before: string | undefined) {
  if ((await stampSource(migration)) === before) return;
  const { ref } = await migration.source();
  throw changed(migration, ref, "it was written to while it was compared");
}

/** Reads all of the source, which must hold what was copied. @throws BlockhaulError ERR_LIVE_SOURCE */
export async function compareSource(migration: Migration, manifest?: string): Promise<void> {
  const { digest = "" } = migration.record;
  const algorithm = digest.startsWith("sha256:") ? "sha256" : "xxh3";
  const watch = { ...readingOptions(migration), digest: algorithm } as const;
  const volume = await openSource(migration);
  let list: NativeJournal | undefined;
  try {
    const plan = planReading(volume, watch);
    const whole = { begin: 0, end: plan.size };
    const found = await hold(volume, "verify", async (held) => {
      await checkHints(held, "source");
      return readDigests(held, plan, whole, watchOf(watch, "verify"));
    });
    list = found.list;
    if (`${algorithm}:${found.digest}` !== digest) {
      throw changed(migration, volume.ref, "it does not hold any more what was copied");
    }
    if (manifest === undefined) return;
    const { source, target } = migration.record;
    const { ref, identity = "", size = 0 } = target;
    const end = { ref, identity, size, blockSize: source.blockSize };
    const header = { source, target: end, size: plan.size, algorithm, digest } as const;
    await writeManifest(manifest, header, chunksOf(list, 0, plan.size));
  } finally {
    list?.close();
    await volume.close();
  }
}

function changed({ id }: Migration, volume: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume,
    message,
    hint: `\`blockhaul abort ${id}\` goes back to it; the target has what the source held when it was frozen`,
  });
}
