/** Records of migrations that ended long ago go, so that their folder does not grow for ever. */
import { stat } from "node:fs/promises";

import { isLongAgo } from "../jobs/age.js";
import { hasEnded } from "./record.js";
import type { MigrationStore } from "./store.js";

/**
 * Removes what is recorded of migrations that were done or taken back more than 90 days ago. By their age alone: a plan
 * that is run again knows by these records which moves are done.
 *
 * @param now milliseconds since 1970
 */
export async function pruneMigrations(store: MigrationStore, now = Date.now()): Promise<void> {
  for (const id of await store.ids()) {
    const status = await stat(store.fileOf(id)).catch(() => undefined);
    // Only what was not written to for so long is read.
    if (status === undefined || !isLongAgo(status.mtime, now)) continue;
    const record = await store.read(id).catch(() => undefined);
    if (record === undefined || !hasEnded(record)) continue;
    if (record.endedAt === undefined || !isLongAgo(new Date(record.endedAt), now)) continue;
    const hold = await store.jobs.hold(id);
    if (hold === undefined) continue;
    try {
      await store.remove(id);
    } finally {
      hold.release();
    }
  }
}
