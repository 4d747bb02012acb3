import { BlockhaulError } from "../errors.js";
import type { NativeRegionLock } from "../native-host.js";
import { takeHostLock, wholeRegion } from "../system/host-lock.js";
import type { MigrationRecord } from "./record.js";

/**
 * Keeps other migrations of this host from handing the same source over, while this one is at work. One that
 * only reads it takes nothing away.
 *
 * @returns undefined for one that leaves the source its name
 * @throws BlockhaulError ERR_IN_USE
 */
export async function lockSource({
  source,
  settings,
  handover,
}: MigrationRecord): Promise<NativeRegionLock | undefined> {
  if (!settings.rename && !settings.deleteSource) return undefined;
  // One that may be gone has perhaps left its identity, a file's inode, to another.
  if (handover.includes("deleting-source")) return undefined;
  const lock = await takeHostLock("sources.lock", wholeRegion(source.identity), "exclusive");
  if (lock !== null) return lock;
  throw new BlockhaulError("ERR_IN_USE", {
    side: "source",
    volume: source.ref,
    message: "another migration that renames or removes it is under way",
    hint: "`blockhaul jobs` shows what runs; wait for its end",
  });
}
