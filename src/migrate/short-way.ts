import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { verifyVolumes } from "../verify.js";
import { openVolume, type Volume } from "../volume.js";
import { identityOf } from "./identity.js";
import type { Migration } from "./migration.js";
import { shortWayOf } from "./plan.js";
import { tellProgress, watchOptions } from "./progress.js";
import { another, faultOfIdentity } from "./rename.js";
import { removeTarget } from "./states/creating.js";
import { nameVolume } from "./target-name.js";

/**
 * Has the driver make the target in its own, shorter way, and compares it with the source. A run that is cut
 * short is not gone on with: what it made is removed, and it is gone anew.
 */
export async function goShortWay(migration: Migration): Promise<void> {
  if (migration.record.state === "copying") {
    await removeTarget(migration);
    await migration.note({ target: { ...migration.record.target, identity: undefined } });
    await makeTarget(migration);
    await migration.enter("verifying");
  }
  const source = await openVolume(migration.frozenRef, { signal: migration.watch.signal });
  let target: Volume | undefined;
  try {
    target = await openVolume(migration.targetRef, { signal: migration.watch.signal });
    await know(migration, target);
    const { temporary, ref } = migration.record.target;
    const fault = temporary === ref ? undefined : faultOfIdentity(target, "target");
    if (fault !== undefined) throw fault;
    await prove(migration, source, target);
  } finally {
    await Promise.all([source.close(), target?.close()]);
  }
}

/** Notes which volume was made; a later run must find that one. */
async function know(migration: Migration, volume: Volume): Promise<void> {
  const { target } = migration.record;
  const named = await nameVolume(migration.targetRef);
  const identity = await identityOf(volume, named);
  if (target.identity === undefined) {
    await migration.note({ target: { ...target, identity, size: volume.size } });
  } else if (identity !== target.identity) {
    throw another(named, identity, target.identity).withContext({ side: "target" });
  }
}

async function makeTarget(migration: Migration): Promise<void> {
  const { record, watch } = migration;
  const source = await nameVolume(migration.frozenRef);
  const target = await nameVolume(record.target.temporary);
  const { size } = record.source;
  const way = await shortWayOf(source, target, size, record.settings);
  if (way === undefined) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      message: `the way that was planned, ${record.method}, is not open any more`,
      hint: `\`blockhaul abort ${record.id}\`, and begin anew`,
    });
  }
  const began = performance.now();
  const onProgress = (done: number) =>
    tellProgress(migration, {
      phase: "copy",
      state: done < size ? "copying" : "done",
      total: size,
      done,
      read: 0,
      written: 0,
      zeroed: 0,
      skipped: 0,
      begin: 0,
      retries: 0,
      seconds: (performance.now() - began) / 1000,
    });
  try {
    await way.run({ signal: watch.signal, onProgress });
  } catch (error) {
    throw toBlockhaulError(error, { side: "target", volume: record.target.ref });
  }
}

async function prove(migration: Migration, source: Volume, target: Volume): Promise<void> {
  const { record } = migration;
  if (target.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", { side: "target", volume: target.ref });
  }
  if (record.settings.verify === false) return;
  const { digest } = record.tuning;
  const report = await verifyVolumes(source, target, {
    ...record.tuning,
    ...watchOptions(migration),
    digest: digest === "none" ? undefined : digest,
  });
  await migration.note({ digest: report.digest, verified: true });
}
