/** creating: the target comes into being, under its temporary name. */
import { BlockhaulError } from "../../errors.js";
import { exactSize } from "../../units.js";
import { openVolume, type Volume } from "../../volume.js";
import { openTarget } from "../bytes.js";
import { WATCH_MS } from "../dead-client.js";
import { identityAt, identityOf } from "../identity.js";
import type { Migration } from "../migration.js";
import { removeVolume } from "../remove-volume.js";
import { faultOfIdentity } from "../rename.js";
import { snapshotsOf } from "../snapshots.js";
import { type NamedVolume, nameVolume } from "../target-name.js";

/** Makes the target, or opens the one that is there. Where a shorter way will make it, nothing is done. */
export async function enterCreating(migration: Migration): Promise<void> {
  const { record } = migration;
  const { target, source } = record;
  await migration.enter("creating");
  if (record.method !== "copy") return;
  const volume = target.isOurs ? await create(migration) : await openTarget(migration);
  migration.keep("target", volume);
  const identity = await identityOf(volume, await nameVolume(target.temporary));
  await migration.note({ target: { ...target, identity, size: volume.size } });
  const fault = target.temporary === target.ref ? undefined : faultOfIdentity(volume, "target");
  if (fault !== undefined) throw fault;
  if (volume.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", {
      side: "target",
      volume: target.ref,
      message: `its ${volume.size} bytes are fewer than the source's ${source.size}`,
    });
  }
  if (target.isOurs && volume.size > source.size) {
    await migration.notice(
      `the target has ${exactSize(volume.size)}, ${exactSize(volume.size - source.size)} more than the source`,
    );
  }
}

async function create(migration: Migration): Promise<Volume> {
  const { record, watch } = migration;
  const { ref, temporary } = record.target;
  const { provisioning, create: told } = record.settings;
  const creation = { ...told, provisioning, size: record.source.size, exclusive: true };
  const open = () =>
    openVolume(temporary, { mode: "write", create: creation, signal: watch.signal });
  try {
    return await open();
  } catch (error) {
    const isThere = error instanceof BlockhaulError && error.code === "ERR_EXISTS";
    // Nobody else gives a volume this migration's own name: a run that was killed made it. Any other name says
    // nothing; what was made is known once its identity was written down.
    const isKnown = temporary !== ref || record.target.identity !== undefined;
    if (!isThere || !isKnown) throw error;
    await removeTarget(migration);
    return await open();
  }
}

/**
 * Removes the target that the migration made; one that is not there is fine. A cluster shows a client that
 * was killed for a while, which is waited for.
 *
 * @throws BlockhaulError ERR_IN_USE where somebody uses it
 */
export async function removeTarget(migration: Migration): Promise<void> {
  const { target } = migration.record;
  if (!target.isOurs || !(await isSurelyOurs(migration))) return;
  const named = await nameVolume(target.temporary);
  await dropCarried(migration, named);
  await removeVolume(named, { deadlineMs: WATCH_MS, signal: migration.watch.signal });
}

/** A target that has snapshots is not removed: those that it was given go first. */
async function dropCarried({ record }: Migration, target: NamedVolume): Promise<void> {
  if (record.snapshots.length === 0) return;
  for (const { name, location } of await snapshotsOf(target, "target")) {
    if (record.snapshots.includes(name)) await target.driver.deleteSnapshot?.(location);
  }
}

/**
 * A temporary name is the migration's own. Under any other, the volume is known by its identity.
 *
 * @throws BlockhaulError ERR_EXISTS where nobody can tell whose it is
 */
async function isSurelyOurs({ record }: Migration): Promise<boolean> {
  const { ref, temporary, identity } = record.target;
  if (temporary !== ref) return true;
  const found = await identityAt(await nameVolume(ref));
  if (found === undefined || found === identity) return found !== undefined;
  if (identity !== undefined) return false;
  throw new BlockhaulError("ERR_EXISTS", {
    side: "target",
    volume: ref,
    message: "it may have been made by this migration, or by somebody else",
    hint: "look at it, remove it if it is of no use, and try again",
  });
}
