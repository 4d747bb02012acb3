import type { CopyProgress } from "../copy/engine.js";
import type { Migration } from "./migration.js";

/** How the library's functions are watched and stopped on behalf of a migration. */
export function watchOptions(migration: Migration) {
  const { signal, control, progressIntervalMs, stateDirectory } = migration.watch;
  const onProgress = (progress: CopyProgress) => tellProgress(migration, progress);
  return { signal, control, progressIntervalMs, stateDirectory, onProgress };
}

export function tellProgress(migration: Migration, progress: CopyProgress): void {
  const { state, snapshots } = migration.record;
  // With snapshots, the oldest is one of many: all of them are compared in the end.
  const isReadBack = progress.phase === "verify" && state === "copying" && snapshots.length === 0;
  // Written down at the next note at the latest; a run that is killed before reads back anew.
  if (isReadBack) migration.enter("verifying").catch(() => {});
  migration.tell({ type: "progress", id: migration.id, progress });
}
