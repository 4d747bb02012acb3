/** freezing: from here on the source does not change, or the migration notices. */
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { checkGuards, throwRefusal } from "../../guards/check.js";
import { pastDeadClients } from "../dead-client.js";
import { identityAt } from "../identity.js";
import { type Migration, openSource } from "../migration.js";
import { findSnapshot } from "../snapshots.js";
import { stampSource } from "../source-stamp.js";
import { nameVolume, snapshotName } from "../target-name.js";

export async function enterFreezing(migration: Migration): Promise<void> {
  await migration.enter("freezing");
  if (!migration.record.isPrepared) {
    await migration.runHook("beforeCopy");
    await migration.note({ isPrepared: true });
  }
  await checkSourceUnused(migration);
  migration.stamp = await stampSource(migration);
  if (migration.record.freeze === "snapshot") await takeSnapshot(migration);
  await claimSource(migration);
}

/** Asks again who uses the source: a hook may have stopped somebody, and somebody may have begun since. */
export function checkSourceUnused(migration: Migration): Promise<void> {
  return pastDeadClients(migration, () => refuseUsers(migration));
}

async function refuseUsers(migration: Migration): Promise<void> {
  const { record, watch } = migration;
  const volume = await openSource(migration);
  try {
    const findings = await checkGuards(volume, undefined, {
      allow: record.settings.allow,
      signal: watch.signal,
    });
    throwRefusal(findings, { source: record.source.ref, target: record.target.ref });
  } finally {
    await volume.close();
  }
}

/** Claims a source that is a device, so that nobody mounts it meanwhile. */
export async function claimSource(migration: Migration): Promise<void> {
  if (migration.record.freeze !== "exclusive" || migration.kept("claim") !== undefined) return;
  if (migration.record.settings.allow?.includes("live-source")) return;
  migration.keep("claim", await openSource(migration, { exclusive: true }));
}

async function takeSnapshot(migration: Migration): Promise<void> {
  const { driver, location } = await migration.source();
  const { createSnapshot, formatRef } = driver;
  if (createSnapshot === undefined || formatRef === undefined) return;
  const name = snapshotName(migration.id);
  try {
    const snapshot = await createSnapshot.call(driver, location, { name });
    await noteSnapshot(migration, formatRef.call(driver, snapshot));
  } catch (thrown) {
    const error = toBlockhaulError(thrown, {
      side: "source",
      volume: migration.record.source.ref,
      operation: "snapshot",
    });
    if (error.code === "ERR_EXISTS") return useSnapshot(migration, name);
    if (error.code !== "ERR_NO_SPACE" && error.code !== "ERR_UNSUPPORTED") throw error;
    await migration.notice(
      `no snapshot could be taken (${error.message}): the source is claimed instead`,
    );
    await migration.note({ freeze: "exclusive" });
  }
}

async function noteSnapshot(migration: Migration, snapshot: string): Promise<void> {
  const snapshotIdentity = await identityAt(await nameVolume(snapshot));
  await migration.note({ snapshot, snapshotIdentity });
}

/** The snapshot that a run took before it was killed. */
async function useSnapshot(migration: Migration, name: string): Promise<void> {
  const found = await findSnapshot(migration, name);
  if (found !== undefined) return noteSnapshot(migration, found);
  throw new BlockhaulError("ERR_EXISTS", {
    side: "source",
    volume: migration.record.source.ref,
    message: `there is something that is called ${name}, and no snapshot of the source`,
  });
}
