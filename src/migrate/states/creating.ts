/** creating: the target comes into being, under its temporary name. */
import { BlockhaulError } from "../../errors.js";
import { sizeInWords } from "../../units.js";
import { zeroRest } from "../../volume/rest.js";
import { openVolume, type Volume } from "../../volume.js";
import { forgetCopies, openTarget } from "../bytes.js";
import { identityOf } from "../identity.js";
import type { Migration } from "../migration.js";
import { faultOfIdentity } from "../rename.js";
import { nameVolume } from "../target-name.js";
import { removeTarget } from "../target-removal.js";

/** Makes the target, or opens the one that is there. Where a shorter way will make it, nothing is done. */
export async function enterCreating(migration: Migration): Promise<void> {
  const { record } = migration;
  const { target, source } = record;
  await migration.enter("creating");
  if (record.method !== "copy") return;
  const volume = target.isOurs ? await createAnew(migration) : await openTarget(migration);
  migration.keep("target", volume);
  const identity = await identityOf(volume, await nameVolume(target.temporary));
  await migration.note({ target: { ...target, identity, size: volume.size } });
  for (const what of volume.info.notKept ?? []) {
    await migration.notice(`not kept of the source: ${what}`);
  }
  const fault = target.temporary === target.ref ? undefined : faultOfIdentity(volume, "target");
  if (fault !== undefined) throw fault;
  if (volume.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", {
      side: "target",
      volume: target.ref,
      message: `it has ${sizeInWords(volume.size)}, less than the source's ${sizeInWords(source.size)}`,
    });
  }
  if (target.isOurs) await zeroRest(volume, source.size);
  if (target.isOurs && volume.size > (record.settings.size ?? source.size)) {
    await migration.notice(
      `the target has ${sizeInWords(volume.size)}, ${sizeInWords(volume.size - source.size)} more than the source`,
    );
  }
}

/** Nothing that is known of an earlier target holds of a new one: no copy, no snapshot, no proof. */
async function createAnew(migration: Migration): Promise<Volume> {
  await forgetCopies(migration.id, migration.watch.stateDirectory);
  await migration.note({ digest: undefined, verified: false, carried: [] });
  return create(migration);
}

async function create(migration: Migration): Promise<Volume> {
  const { record, watch } = migration;
  const { ref, temporary } = record.target;
  const { ref: like, size: least } = record.source;
  const { provisioning, create: told, size = least } = record.settings;
  const creation = { ...told, provisioning, size, like, exclusive: true };
  const open = () =>
    openVolume(temporary, { mode: "write", create: creation, signal: watch.signal });
  if (record.target.identity !== undefined) {
    await removeTarget(migration);
    // What is made next is another: a kill must not leave it to be taken for a stranger's.
    await migration.note({ target: { ...record.target, identity: undefined } });
  }
  try {
    return await open();
  } catch (error) {
    const isThere = error instanceof BlockhaulError && error.code === "ERR_EXISTS";
    // Under this migration's own name a run that was killed may have made it, which is looked at. Any other name says
    // nothing.
    if (!isThere || temporary === ref) throw error;
    await removeTarget(migration);
    return await open();
  }
}
