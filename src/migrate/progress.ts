import type { CopyProgress } from "../copy/engine.js";
import type { Migration } from "./migration.js";

/** How copies are watched and stopped on behalf of a migration, and where they keep their journals. */
export function watchOptions(migration: Migration) {
  return { ...readingOptions(migration), stateDirectory: migration.watch.stateDirectory };
}

/** The same of what only reads, and keeps nothing. */
export function readingOptions(migration: Migration) {
  const { signal, control, progressIntervalMs } = migration.watch;
  const onProgress = (progress: CopyProgress) => tellProgress(migration, progress);
  return { signal, control, progressIntervalMs, onProgress };
}

export function tellProgress(migration: Migration, progress: CopyProgress): void {
  const { state, snapshots } = migration.record;
  // With snapshots, the oldest is one of many: all of them are compared in the end.
  const isReadBack = progress.phase === "verify" && state === "copying" && snapshots.length === 0;
  // Written down at the next note at the latest; a run that is killed before reads back anew.
  if (isReadBack) migration.enter("verifying").catch(() => {});
  migration.tell({ type: "progress", id: migration.id, progress });
}
