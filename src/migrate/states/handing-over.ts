/** handing-over: names change hands, and only then the source may go. Every step can be done again. */
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { digestVolume } from "../../verify.js";
import { identityAt } from "../identity.js";
import { type Migration, openSource } from "../migration.js";
import { watchOptions } from "../progress.js";
import { renameOnce } from "../rename.js";
import { besides, type NamedVolume, nameIn, nameVolume } from "../target-name.js";

import { checkSourceUnused, dropSnapshot, dropSourceSnapshot, snapshotName } from "./freezing.js";

export async function enterHandingOver(migration: Migration): Promise<void> {
  await migration.enter("handing-over");
  if (!migration.hasDone("beforeHandover")) {
    await migration.runHook("beforeHandover");
    await checkUnchanged(migration);
    await migration.did("beforeHandover");
  } else await checkSinceThen(migration);
  await migration.release("claim");
  if (migration.record.settings.rename) await setAside(migration);
  await renameTarget(migration);
  if (!migration.hasDone("afterHandover")) {
    await migration.runHook("afterHandover");
    await migration.did("afterHandover");
  }
  if (!migration.hasDone("snapshots-dropped")) {
    await dropSnapshot(migration);
    await migration.did("snapshots-dropped");
  }
  if (migration.record.settings.deleteSource) await deleteSource(migration);
}

/** Between a run that was cut short in the hand-over and this one, the source may have been written to. */
async function checkSinceThen(migration: Migration): Promise<void> {
  if (migration.hasDone("target-renamed") || migration.hasDone("afterHandover")) return;
  // A kill may have left it under either name.
  if (migration.hasDone("setting-aside")) await setAside(migration);
  await checkUnchanged(migration);
}

/** What was written to the source since it was frozen is not on the target. */
async function checkUnchanged(migration: Migration): Promise<void> {
  const { record } = migration;
  if (record.settings.allow?.includes("live-source")) return;
  if (record.freeze === "frozen") return;
  await checkSourceUnused(migration);
  const { driver, location, ref } = await migration.source();
  if (record.freeze !== "snapshot" || driver.changedExtents === undefined) {
    // Nobody kept it from changing between this run and the one that read it.
    if (migration.isResumed && record.digest !== undefined) await compareSource(migration);
    return;
  }
  const changed = await driver.changedExtents(location, snapshotName(record.id));
  if (changed.length === 0) return;
  throw new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume: ref,
    offset: changed[0]?.offset,
    message: "it was written to since the migration began",
    hint: `what was written is not on the target: \`blockhaul abort ${record.id}\`, and begin anew`,
  });
}

async function setAside(migration: Migration): Promise<void> {
  if (migration.hasDone("set-aside")) return;
  const source = await migration.source();
  const aside = asideOf(source, migration.id);
  await migration.did("setting-aside", { setAside: aside.ref });
  const { identity } = migration.record.source;
  await renameOnce(source, aside, identity);
  await migration.did("set-aside");
}

/** What a source is called that was set aside. */
export function asideOf(source: NamedVolume, id: string): NamedVolume {
  return besides(source, `${nameIn(source)}.moved-${id}`);
}

async function renameTarget(migration: Migration): Promise<void> {
  const { target } = migration.record;
  if (target.temporary === target.ref || migration.hasDone("target-renamed")) return;
  await migration.release("target");
  await migration.did("renaming-target");
  const [from, to] = [await nameVolume(target.temporary), await nameVolume(target.ref)];
  await renameOnce(from, to, target.identity);
  await migration.did("target-renamed");
}

/**
 * Reads the source once more before it goes: what it holds now must be what the target was proven to hold. That
 * is read again where a run was cut short meanwhile: by now, somebody may use it, or another volume have its name.
 */
async function deleteSource(migration: Migration): Promise<void> {
  const { record } = migration;
  if (migration.hasDone("deleting-source") && (await isSourceGone(migration))) return;
  if (!record.verified || record.digest === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "the source is not removed: its copy was not verified",
    });
  }
  await compareSource(migration);
  await refuseOtherSnapshots(migration);
  migration.throwIfStopped();
  await migration.did("deleting-source");
  const { driver, location } = await migration.source();
  try {
    // They are on the target, and a source that has snapshots is not removed.
    for (const name of record.carried) await dropSourceSnapshot(migration, name);
    await driver.deleteVolume?.(location);
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { side: "source", operation: "delete" });
    if (error.code === "ERR_NOT_FOUND") return;
    // A refusal has removed nothing: it can still go back.
    const isUntouched = error.code === "ERR_IN_USE" && record.carried.length === 0;
    if (isUntouched) await migration.didNot("deleting-source");
    throw error;
  }
}

/** Another volume that has its name by now is not ours to remove. */
async function isSourceGone(migration: Migration): Promise<boolean> {
  return (await identityAt(await migration.source())) !== migration.record.source.identity;
}

/** Before the first of those that were carried over goes. */
async function refuseOtherSnapshots(migration: Migration): Promise<void> {
  const { driver, location, ref } = await migration.source();
  const snapshots = (await driver.listSnapshots?.(location)) ?? [];
  const others = snapshots.filter(({ name }) => !migration.record.carried.includes(name));
  if (others.length === 0) return;
  throw new BlockhaulError("ERR_IN_USE", {
    side: "source",
    volume: ref,
    message: `it has snapshots that would go with it: ${others.map(({ name }) => name).join(", ")}`,
    hint: `remove them, then \`blockhaul resume ${migration.id}\` goes on`,
  });
}

/** Reads all of the source: it must hold what the target was proven to hold. */
async function compareSource(migration: Migration): Promise<void> {
  const { digest = "" } = migration.record;
  const volume = await openSource(migration);
  try {
    const kind = digest.startsWith("sha256:") ? "sha256" : "xxh3";
    const found = await digestVolume(volume, { ...watchOptions(migration), digest: kind });
    if (found.digest !== digest) throw changed(migration, volume.ref);
  } finally {
    await volume.close();
  }
}

function changed(migration: Migration, volume: string): BlockhaulError {
  const { id } = migration;
  const isGoing = migration.hasDone("deleting-source");
  return new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume,
    message: "it does not hold any more what was copied",
    hint: isGoing
      ? `its removal was cut short: if nobody has written to it, remove it, and \`blockhaul resume ${id}\` ends the migration`
      : `\`blockhaul abort ${id}\` goes back to it; the target has what the source held when it was frozen`,
  });
}
