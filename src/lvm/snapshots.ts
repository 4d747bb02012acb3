/** Snapshots of logical volumes: what a copy reads while the volume itself goes on. */
import { BlockhaulError } from "../errors.js";
import {
  type NamedVolume,
  SECTOR,
  snapshotStoreSize,
  thickSnapshotArgs,
  thinSnapshotArgs,
} from "./commands.js";
import { COPY_MARK, SNAPSHOT_PREFIX } from "./names.js";
import type { LogicalVolume } from "./report.js";
import { failure, findVolume, listVolumesOn, runLvm } from "./run.js";
import {
  existsAlready,
  isThin,
  refuseWithoutRoom,
  removeVolume,
  requireGroup,
  requireVolume,
} from "./volumes.js";

/** A snapshot that is to be taken of a volume. */
export interface NewSnapshot extends NamedVolume {
  /** Its own name, in the same group. */
  readonly snapshot: string;
  /**
   * Bytes of a thick snapshot's store; as many as hold all of the origin unless told, so that it
   * cannot overflow, however much is written to the origin meanwhile.
   */
  readonly size?: number | undefined;
}

/**
 * Takes a snapshot, which is active where its origin is. LVM freezes a file system that is mounted
 * from the volume for that moment.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE, ERR_UNSUPPORTED of a thick
 *   snapshot, ERR_IO
 */
export async function createSnapshot(wanted: NewSnapshot): Promise<LogicalVolume> {
  const { vg, lv, snapshot } = wanted;
  const origin = await requireVolume(wanted);
  if (origin.roles.includes("thicksnapshot") || !origin.roles.includes("public")) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      message: `LVM takes no snapshot of ${vg}/${lv}: it is ${origin.roles.join(", ")}`,
    });
  }
  if ((await findVolume(vg, snapshot)) !== undefined) throw existsAlready({ vg, lv: snapshot });
  const size = Math.ceil((wanted.size ?? snapshotStoreSize(origin.size)) / SECTOR) * SECTOR;
  const ended = await runLvm(
    isThin(origin) ? thinSnapshotArgs(origin, snapshot) : thickSnapshotArgs(origin, snapshot, size),
  );
  if (ended.status === 0) return requireVolume({ vg, lv: snapshot });
  if (!isThin(origin)) refuseWithoutRoom(await requireGroup(vg), size);
  throw failure(`could not take a snapshot of ${vg}/${lv}`, ended);
}

/**
 * Removes a snapshot, and nothing that is none.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_INVALID_ARGUMENT where it is no snapshot, ERR_IN_USE, ERR_IO
 */
export async function removeSnapshot({ vg, lv }: NamedVolume): Promise<void> {
  const volume = await requireVolume({ vg, lv });
  if (!isSnapshot(volume)) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `${vg}/${lv} is no snapshot` });
  }
  await removeVolume(volume);
}

/**
 * The snapshots of a volume, the oldest first: by the second, and within it by their numbers in their pool.
 *
 * @throws BlockhaulError ERR_NOT_FOUND
 */
export async function listSnapshots({ vg, lv }: NamedVolume): Promise<LogicalVolume[]> {
  const volume = await requireVolume({ vg, lv });
  const all = await listVolumesOn(vg, volume.name);
  return all.filter(isSnapshot).sort(byAge);
}

export function byAge(one: LogicalVolume, other: LogicalVolume): number {
  return one.createdAt - other.createdAt || (one.thinId ?? 0) - (other.thinId ?? 0);
}

/**
 * LVM takes a thin snapshot for an ordinary volume once its origin is gone; by its name it is still ours. A copy of a
 * thin volume is one for LVM until its origin is gone, and not for us.
 */
export function isSnapshot(volume: LogicalVolume): boolean {
  if (volume.tags.includes(COPY_MARK)) return false;
  const isOrphan = isThin(volume) && volume.name.startsWith(SNAPSHOT_PREFIX);
  return volume.roles.includes("snapshot") || isOrphan;
}
