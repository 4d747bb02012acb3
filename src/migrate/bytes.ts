/** The bytes of a migration, moved by the engine. */
import { hold } from "../copy/engine.js";
import type { CopyReport } from "../copy/report.js";
import { checkHints } from "../copy/verification.js";
import { copyVolume } from "../copy.js";
import type { GuardName } from "../guards/guard.js";
import { type JobStatus, listJobs, removeJob } from "../jobs.js";
import { onlyGiven } from "../only-given.js";
import { resumeCopy } from "../resume.js";
import { openVolume, type Volume } from "../volume.js";
import { identityOf } from "./identity.js";
import type { Migration } from "./migration.js";
import { watchOptions } from "./progress.js";
import { another } from "./rename.js";
import { checkTarget } from "./target-check.js";
import { nameVolume } from "./target-name.js";

/** Copies a source to the target, or goes on with that where its journal says that a run was cut short. */
export async function moveBytes(
  migration: Migration,
  sourceRef: string,
): Promise<CopyReport | undefined> {
  const earlier = await earlierCopy(migration, sourceRef);
  if (earlier?.state === "done") {
    const verified = Boolean(earlier.options?.verify);
    await migration.note({ digest: earlier.digest, verified });
    return undefined;
  }
  const report = earlier?.resumable
    ? await resume(migration, earlier)
    : await begin(migration, sourceRef);
  await migration.note({ digest: report.digest, verified: report.verification !== undefined });
  return report;
}

async function begin(migration: Migration, sourceRef: string): Promise<CopyReport> {
  const { record, watch } = migration;
  const source = await openVolume(sourceRef, { signal: watch.signal });
  try {
    // A map that denies data would have the disk moved without it, and verified.
    await hold(source, "copy", (held) => checkHints(held, "source"));
    const target = migration.kept("target") ?? (await openTarget(migration));
    return await copyVolume(source, target, {
      ...record.tuning,
      ...onlyGiven(watch.limits ?? {}),
      ...watchOptions(migration),
      // States that are carried over are compared when all are there.
      verify: record.settings.verify !== false && record.snapshots.length === 0,
      // A client that is still shown there is a run that was killed.
      allow: record.target.isOurs ? ["watched", ...guardsOf(migration)] : guardsOf(migration),
      journal: true,
      partOf: migration.id,
    });
  } finally {
    await source.close();
    await migration.release("target");
  }
}

/** What the read-back found wrong is written once more: the target is nobody else's. */
async function resume(migration: Migration, { id, error }: JobStatus): Promise<CopyReport> {
  await migration.release("target");
  // The copy knows a file by its inode alone, which may be another's by now.
  if (migration.record.target.identity !== undefined) await checkTarget(migration);
  return resumeCopy(id, {
    ...onlyGiven(migration.watch.limits ?? {}),
    ...watchOptions(migration),
    allow: guardsOf(migration),
    provisioning: migration.record.settings.provisioning,
    repair: error?.code === "ERR_VERIFICATION" ? true : undefined,
    // Under its temporary name nobody else has it.
    overwrite: migration.record.target.isOurs || migration.watch.overwrite,
  });
}

/** The newest copy from there that is a part of this migration. */
async function earlierCopy(migration: Migration, ref: string): Promise<JobStatus | undefined> {
  const { stateDirectory } = migration.watch;
  const jobs = await listJobs({ stateDirectory });
  return jobs.findLast(
    ({ options, source }) => options?.partOf === migration.id && source?.ref === ref,
  );
}

/** Opens the target, and looks whether it is the one that was made or chosen. */
export async function openTarget(migration: Migration): Promise<Volume> {
  const { record, watch, targetRef } = migration;
  const { size, isOurs } = record.target;
  const isThick = isOurs && record.settings.provisioning === "thick" && size !== undefined;
  // A volume that is there is opened as it is; that no zero is to give space back it has to be told each time.
  const create = isThick ? { size, provisioning: "thick" as const } : undefined;
  const volume = await openVolume(targetRef, { mode: "write", signal: watch.signal, create });
  migration.keep("target", volume);
  const { identity } = record.target;
  const named = await nameVolume(targetRef);
  const found = await identityOf(volume, named);
  if (identity === undefined || found === identity) return volume;
  throw another(named, found, identity).withContext({ side: "target" });
}

function guardsOf({ record }: Migration): GuardName[] {
  const { allow = [] } = record.settings;
  // Whatever signature a target has that the migration made, the migration wrote it.
  return record.target.isOurs ? ["signature", ...allow] : [...allow];
}

/** Removes the journals of a migration's copies: it has ended, and they are of no use. */
export async function forgetCopies(migration: string, stateDirectory: string | undefined) {
  for (const { id, options } of await listJobs({ stateDirectory })) {
    if (options?.partOf === migration) await removeJob(id, { stateDirectory });
  }
}
