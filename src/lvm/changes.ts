/** Logical volumes that are there already: made larger, renamed, copied within their pool. */
import { BlockhaulError } from "../errors.js";
import { sizeInWords } from "../units.js";
import { extendArgs, renameArgs, thinCopyArgs } from "./commands.js";
import { COPY_MARK } from "./names.js";
import type { LogicalVolume } from "./report.js";
import { failure, findVolume, runLvm } from "./run.js";
import {
  existsAlready,
  inUse,
  isThin,
  refuseWithoutRoom,
  removeVolume,
  requireGroup,
  requireVolume,
} from "./volumes.js";

/**
 * Makes a volume larger; what a thick one gets shows what its extents held before.
 *
 * @param size bytes; the group's extents round it up
 * @returns the volume as it is now
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for less than it has, ERR_UNSUPPORTED of a thick snapshot,
 *   ERR_IN_USE of an active origin of thick snapshots, ERR_NO_SPACE, ERR_IO
 */
export async function extendVolume(volume: LogicalVolume, size: number): Promise<LogicalVolume> {
  const { vg, vgUuid, name, uuid } = volume;
  if (volume.roles.includes("thicksnapshot")) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      message: `${vg}/${name} is a thick snapshot: it is as large as its origin`,
    });
  }
  const { extentSize } = await requireGroup(vgUuid);
  const wanted = Math.ceil(size / extentSize) * extentSize;
  if (wanted < volume.size) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `it has ${sizeInWords(volume.size)}, and what lies behind ${sizeInWords(wanted)} would be lost`,
    });
  }
  if (wanted === volume.size) return volume;
  if (volume.roles.includes("thickorigin")) {
    throw inUse(volume, "has snapshots", "remove them first: LVM makes no origin of theirs larger");
  }
  const ended = await runLvm(extendArgs(volume, wanted));
  const now = await requireVolume({ vg: vgUuid, lv: name });
  if (now.uuid === uuid && now.size >= wanted) return now;
  if (!isThin(volume)) refuseWithoutRoom(await requireGroup(vgUuid), wanted - volume.size);
  throw failure(`could not make ${vg}/${name} larger`, ended);
}

/** @throws BlockhaulError ERR_EXISTS, ERR_NOT_FOUND where it vanished, ERR_IO */
export async function renameVolume(volume: LogicalVolume, renamed: string): Promise<void> {
  const { vg, vgUuid, name, uuid } = volume;
  if (renamed === name) return;
  if ((await findVolume(vgUuid, renamed)) !== undefined) throw existsAlready({ vg, lv: renamed });
  const ended = await runLvm(renameArgs(volume, renamed));
  const now = await findVolume(vgUuid, renamed);
  if (now?.uuid === uuid) return;
  if (now !== undefined) throw existsAlready({ vg, lv: renamed });
  await requireVolume({ vg: vgUuid, lv: name });
  throw failure(`could not rename ${vg}/${name}`, ended);
}

/**
 * Makes a volume that holds what another of the same thin pool holds now, and shares its blocks until one of them is
 * written to. Made in one step with its mark, so that nobody ever takes it for a snapshot.
 *
 * @throws BlockhaulError ERR_EXISTS, ERR_IO
 */
export async function copyThinVolume(source: LogicalVolume, copy: string): Promise<LogicalVolume> {
  const { vg, vgUuid, name } = source;
  if ((await findVolume(vgUuid, copy)) !== undefined) throw existsAlready({ vg, lv: copy });
  const ended = await runLvm(thinCopyArgs(source, copy, COPY_MARK));
  const made = await findVolume(vgUuid, copy);
  if (ended.status === 0 && made !== undefined && made.size === source.size) return made;
  if (ended.status === 0 && made !== undefined) {
    await removeVolume(made);
    throw new BlockhaulError("ERR_IO", { message: `the size of ${vg}/${name} changed meanwhile` });
  }
  if (made !== undefined) throw existsAlready({ vg, lv: copy });
  throw failure(`could not copy ${vg}/${name} within its pool`, ended);
}
