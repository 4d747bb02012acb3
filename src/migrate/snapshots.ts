/** Snapshots that a migration finds and drops, such that it can be done again after a kill. */
import type { SnapshotInfo } from "../driver.js";
import { BlockhaulError, type Side, toBlockhaulError } from "../errors.js";
import type { Migration } from "./migration.js";
import { type NamedVolume, nameVolume, snapshotName } from "./target-name.js";

/** The snapshots of a volume, the oldest first; one that is gone has none. */
export async function snapshotsOf(
  { driver, location }: Pick<NamedVolume, "driver" | "location">,
  side: Side,
): Promise<readonly SnapshotInfo[]> {
  try {
    return (await driver.listSnapshots?.(location)) ?? [];
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { side, operation: "list" });
    if (error.code === "ERR_NOT_FOUND") return [];
    throw error;
  }
}

/** The ref of a snapshot of the source, by its name. */
export async function findSnapshot(
  migration: Migration,
  name: string,
): Promise<string | undefined> {
  const source = await migration.source();
  const snapshots = await snapshotsOf(source, "source");
  const found = snapshots.find((snapshot) => snapshot.name === name);
  return found && source.driver.formatRef?.(found.location);
}

/** Drops the snapshot that the source was frozen by; one that is not there is fine. */
export async function dropSnapshot(migration: Migration): Promise<void> {
  if (migration.record.freeze !== "snapshot") return;
  await dropSourceSnapshot(migration, snapshotName(migration.id));
}

/** Drops a snapshot of the source, which is found by the source's present name. */
export async function dropSourceSnapshot(migration: Migration, name: string): Promise<void> {
  const ref = await findSnapshot(migration, name);
  if (ref === undefined) return;
  const { driver, location } = await nameVolume(ref);
  try {
    await driver.deleteSnapshot?.(location);
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { volume: ref, operation: "delete" });
    if (error.code !== "ERR_NOT_FOUND") throw error;
  }
}

/** A source goes with its snapshots, and none that cannot be removed. */
export function refusalOfSnapshot(ref: string, { name, inUse = "" }: SnapshotInfo): BlockhaulError {
  return new BlockhaulError("ERR_IN_USE", {
    side: "source",
    volume: ref,
    message: `its snapshot ${name} cannot be removed with it: ${inUse}`,
    hint: "let go of that snapshot first, or keep the source",
  });
}
