/** Logical volumes: found, made, removed, activated. Names have passed the grammar before. */
import { BlockhaulError } from "../errors.js";
import { sizeInWords } from "../units.js";
import {
  activateArgs,
  createThickArgs,
  createThinArgs,
  deactivateArgs,
  type Finding,
  type NamedVolume,
  removeArgs,
} from "./commands.js";
import type { LogicalVolume, VolumeGroup } from "./report.js";
import { failure, findVolume, findVolumeGroup, isOnlyOneNamed, runLvm } from "./run.js";
import { isNotActivated, refuseInvalid } from "./states.js";

/** A volume that is to be made. */
export interface NewVolume extends NamedVolume {
  /** Bytes; the group's extents round it up. */
  readonly size: number;
  /** Of the same group: the volume is thin and takes its space from there. */
  readonly thinPool?: string | undefined;
}

/** A volume that was just made. */
export interface CreatedVolume {
  readonly volume: LogicalVolume;
  /**
   * Every byte of it reads as zero. So of a thin volume in a pool that zeroes blocks before it hands
   * them out. In one that does not, a block that is written to in part shows what others left in the
   * rest; and a thick volume shows what its extents held before.
   */
  readonly readsAsZero: boolean;
}

/**
 * @throws BlockhaulError ERR_NOT_FOUND, which says whether the group or the volume is missing
 */
export async function requireVolume({ vg, lv }: NamedVolume): Promise<LogicalVolume> {
  const volume = await findVolume(vg, lv);
  if (volume !== undefined) return volume;
  await requireGroup(vg);
  throw new BlockhaulError("ERR_NOT_FOUND", {
    message: `the volume group ${vg} has no volume ${lv}`,
    hint: "`lvs` lists the volumes that this host knows",
  });
}

/**
 * Makes a volume, activated; its real size is in the answer.
 *
 * @throws BlockhaulError ERR_EXISTS, ERR_NOT_FOUND for the group or the pool, ERR_NO_SPACE,
 *   ERR_INVALID_ARGUMENT, ERR_IO
 */
export async function createVolume(wanted: NewVolume): Promise<CreatedVolume> {
  const { vg, lv, thinPool } = wanted;
  if (wanted.size === 0) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "a logical volume cannot be empty",
    });
  }
  const group = await requireGroup(vg);
  const pool = thinPool === undefined ? undefined : await requirePool(vg, thinPool);
  const size = Math.ceil(wanted.size / group.extentSize) * group.extentSize;
  const named = { vg: group.name, lv };
  const args =
    thinPool === undefined ? createThickArgs(named, size) : createThinArgs(named, size, thinPool);
  const ended = await runLvm(args);
  if (ended.status !== 0) {
    if ((await findVolume(vg, lv)) !== undefined) throw existsAlready(wanted);
    if (pool === undefined) refuseWithoutRoom(await requireGroup(vg), size);
    throw failure(`could not make the volume ${vg}/${lv}`, ended);
  }
  // The pool is asked again: what it was before the volume was made is not what counts.
  const zeroing = thinPool !== undefined && (await requirePool(vg, thinPool)).zeroesNewBlocks;
  return {
    volume: await requireVolume(wanted),
    readsAsZero: zeroing && pool?.zeroesNewBlocks === true,
  };
}

/**
 * Removes a volume for good.
 *
 * @throws BlockhaulError ERR_IN_USE where it is open or has thick snapshots, which would go with it;
 *   ERR_IO
 */
export async function removeVolume(volume: LogicalVolume): Promise<void> {
  const ended = await runLvm(removeArgs(volume, await findingOf(volume)));
  const left = await findVolume(volume.vgUuid, volume.name);
  if (left === undefined || left.uuid !== volume.uuid) return;
  if (left.roles.includes("thickorigin")) {
    throw inUse(left, "has snapshots, which would be removed with it", "remove them first");
  }
  if (left.isOpen) throw inUse(left, "is open");
  throw failure(`could not remove ${nameOf(left)}`, ended);
}

/**
 * @throws BlockhaulError ERR_NOT_FOUND where it vanished, ERR_UNSUPPORTED where LVM's configuration leaves it out,
 *   ERR_IO where LVM refuses, or it is a snapshot that is invalid
 */
export async function activateVolume(volume: LogicalVolume): Promise<LogicalVolume> {
  const ended = await runLvm(activateArgs(volume, await findingOf(volume)));
  const now = await findVolume(volume.vgUuid, volume.name);
  if (now === undefined || now.uuid !== volume.uuid) {
    throw new BlockhaulError("ERR_NOT_FOUND", {
      message: `${nameOf(volume)} was removed in the meantime`,
    });
  }
  if (now.isActive) {
    refuseInvalid(now);
    return now;
  }
  if (ended.status === 0) throw isNotActivated(now);
  throw failure(`could not activate ${nameOf(volume)}`, ended);
}

/**
 * Deactivates a volume; one that is inactive, gone, or another one of that name is fine, and one that
 * somebody has open stays as it is.
 *
 * @returns whether it is inactive now, or gone
 * @throws BlockhaulError ERR_IO
 */
export async function deactivateVolume({ vg, lv }: NamedVolume, uuid: string): Promise<boolean> {
  const before = await findVolume(vg, lv);
  if (before === undefined || before.uuid !== uuid || !before.isActive) return true;
  if (before.isOpen) return false;
  const ended = await runLvm(deactivateArgs(before, await findingOf(before)));
  const after = await findVolume(vg, lv);
  if (after === undefined || after.uuid !== uuid || !after.isActive) return true;
  if (after.isOpen) return false;
  throw failure(`could not deactivate ${nameOf(after)}`, ended);
}

async function findingOf({ vg }: LogicalVolume): Promise<Finding> {
  return { inAllGroups: !(await isOnlyOneNamed(vg)) };
}

/** Bytes that a volume takes of its group or pool; undefined where LVM does not say. */
export function allocatedBytes(volume: LogicalVolume): number | undefined {
  const { roles, layout, size, storedSize, dataPercent } = volume;
  if (roles.includes("thicksnapshot")) return undefined;
  if (!layout.includes("thin")) return storedSize;
  return dataPercent === undefined ? undefined : Math.round((size * dataPercent) / 100);
}

export function isThin({ layout }: LogicalVolume): boolean {
  return layout.includes("thin");
}

/** @throws BlockhaulError ERR_NO_SPACE */
export function refuseWithoutRoom({ name, free }: VolumeGroup, size: number): void {
  if (free >= size) return;
  throw new BlockhaulError("ERR_NO_SPACE", {
    message: `the volume group ${name} has ${sizeInWords(free)} left, and ${sizeInWords(size)} are needed`,
  });
}

/** @throws BlockhaulError ERR_NOT_FOUND */
export async function requireGroup(vg: string): Promise<VolumeGroup> {
  const group = await findVolumeGroup(vg);
  if (group !== undefined) return group;
  throw new BlockhaulError("ERR_NOT_FOUND", {
    message: `there is no volume group ${vg}`,
    hint: "`vgs` lists the volume groups that this host knows",
  });
}

export function existsAlready({ vg, lv }: NamedVolume): BlockhaulError {
  return new BlockhaulError("ERR_EXISTS", { message: `the volume ${vg}/${lv} exists already` });
}

/** @throws BlockhaulError ERR_NOT_FOUND; ERR_INVALID_ARGUMENT for a volume that is no thin pool */
export async function requirePool(vg: string, name: string): Promise<LogicalVolume> {
  const pool = await findVolume(vg, name);
  if (pool === undefined) {
    throw new BlockhaulError("ERR_NOT_FOUND", {
      message: `the volume group ${vg} has no thin pool ${name}`,
    });
  }
  if (pool.layout.includes("thin") && pool.layout.includes("pool")) return pool;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `${vg}/${name} is no thin pool` });
}

export function inUse(volume: LogicalVolume, reason: string, hint?: string): BlockhaulError {
  return new BlockhaulError("ERR_IN_USE", {
    message: `${nameOf(volume)} ${reason}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

function nameOf({ vg, name }: LogicalVolume): string {
  return `${vg}/${name}`;
}
