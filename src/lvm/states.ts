/** States of groups and volumes in which LVM uses none of them, in LVM's words, and the ways out. */
import { BlockhaulError } from "../errors.js";
import type { LogicalVolume, VolumeGroup } from "./report.js";

/**
 * The one group of those that have a name; undefined where none has it.
 *
 * @throws BlockhaulError ERR_INVALID_REF where several have it, ERR_UNSUPPORTED of one that is exported
 */
export function usableGroup(vg: string, groups: readonly VolumeGroup[]): VolumeGroup | undefined {
  if (groups.length > 1) throw isAmbiguous(vg, groups);
  const [group] = groups;
  if (group?.isExported) throw isExported(group.name);
  return group;
}

/** Disks of another host, or of a clone of this one: LVM itself takes such a name for nothing. */
function isAmbiguous(vg: string, groups: readonly VolumeGroup[]): BlockhaulError {
  const uuids = groups.map(({ uuid }) => uuid).join(", ");
  return new BlockhaulError("ERR_INVALID_REF", {
    message: `${groups.length} volume groups are called ${vg}: ${uuids}`,
    hint: "name it by its UUID (lvm:UUID/LV), or give one of them another name: `vgrename UUID NAME`",
  });
}

export function isForeign(vg: string, systemId: string): BlockhaulError {
  return new BlockhaulError("ERR_IN_USE", {
    message: `LVM does not access the volume group ${vg}: it is foreign, with the system ID ${systemId}`,
    hint: "it is another host's; lvmsystemid(7) says how it is handed over",
  });
}

function isExported(vg: string): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    message: `the volume group ${vg} is exported`,
    hint: `\`vgimport ${vg}\` brings it to this host, if no other has it`,
  });
}

/** @throws BlockhaulError ERR_IO of a snapshot that overflowed: its device is there, and fails every read */
export function refuseInvalid({ vg, name, isInvalid }: LogicalVolume): void {
  if (!isInvalid) return;
  throw new BlockhaulError("ERR_IO", {
    message: `the snapshot ${vg}/${name} is invalid: its store ran full, and what it held is lost`,
    hint: "remove it, and take a new one with more space",
  });
}

/** LVM ends with 0 and has done nothing where its configuration leaves a volume out. */
export function isNotActivated({ vg, name }: LogicalVolume): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    message: `LVM does not activate ${vg}/${name}: it is not active locally, although LVM says nothing of a failure`,
    hint: "the activation filter of lvm.conf may leave it out: `lvmconfig activation/volume_list` shows it",
  });
}
