/** The argument arrays of the `lvm` commands that change something. Sizes are bytes. */
import { byUuid, type LogicalVolume } from "./report.js";

/** What LVM and device-mapper count in. */
export const SECTOR = 512;

/** LVM's own default, given all the same: the size of a snapshot's store depends on it. */
const SNAPSHOT_CHUNK = 4096;
/** Of the table of chunks in a snapshot's store: drivers/md/dm-snap-persistent.c. */
const SNAPSHOT_ENTRY = 16;

export interface NamedVolume {
  readonly vg: string;
  readonly lv: string;
}

/** A thick volume, without what the signatures of file systems there would make others do to it. */
export function createThickArgs({ vg, lv }: NamedVolume, size: number): string[] {
  return ["lvcreate", "--yes", "-Wy", "-Zy", "-n", lv, "-L", `${size}b`, vg];
}

export function createThinArgs({ vg, lv }: NamedVolume, size: number, pool: string): string[] {
  return ["lvcreate", "--yes", "-n", lv, "-V", `${size}b`, "--thinpool", pool, vg];
}

/** Activated at once, which thin snapshots are not by themselves. */
export function thinSnapshotArgs({ vg, name }: LogicalVolume, snapshot: string): string[] {
  return ["lvcreate", "--yes", "-s", "-kn", "-n", snapshot, `${vg}/${name}`];
}

/** A thin snapshot that is marked, in the very same step, as a volume on its own. */
export function thinCopyArgs(source: LogicalVolume, copy: string, mark: string): string[] {
  const [command = "", ...rest] = thinSnapshotArgs(source, copy);
  return [command, "--addtag", mark, ...rest];
}

/** @param size bytes, of whole extents; LVM refuses less than there is */
export function extendArgs({ vg, name }: LogicalVolume, size: number): string[] {
  return ["lvextend", "--yes", "-L", `${size}b`, `${vg}/${name}`];
}

export function renameArgs({ vg, name }: LogicalVolume, renamed: string): string[] {
  return ["lvrename", "--yes", vg, name, renamed];
}

export function thickSnapshotArgs(origin: LogicalVolume, snapshot: string, size: number): string[] {
  const chunk = `${SNAPSHOT_CHUNK}b`;
  const { vg, name } = origin;
  return [
    "lvcreate",
    "--yes",
    "-s",
    "-c",
    chunk,
    "-n",
    snapshot,
    "-L",
    `${size}b`,
    `${vg}/${name}`,
  ];
}

/**
 * What a thick snapshot needs to hold all of its origin, so that it cannot overflow: a header, the chunks, their
 * table, and the next area of that, which is begun when one is full. An overflown snapshot fails every read, in the
 * middle of a copy. `-l 100%ORIGIN` is no way to ask for it: where the group has less, LVM makes a smaller one
 * without a word.
 */
export function snapshotStoreSize(originSize: number): number {
  const chunks = Math.ceil(originSize / SNAPSHOT_CHUNK);
  const areas = Math.ceil(chunks / (SNAPSHOT_CHUNK / SNAPSHOT_ENTRY));
  return (1 + chunks + areas + 1) * SNAPSHOT_CHUNK;
}

/** How a command that selects a volume by its UUID finds it. */
export interface Finding {
  /** Its group's name is another's, too: LVM then takes none of the two by it, and looks through all groups. */
  readonly inAllGroups?: boolean;
}

function where({ vg, name }: { vg: string; name: string }, { inAllGroups }: Finding): string[] {
  return inAllGroups ? [] : [`${vg}/${name}`];
}

/** Removes this very volume, and nothing where it has thick snapshots: LVM would remove those with it. */
export function removeArgs(volume: LogicalVolume, finding: Finding = {}): string[] {
  const selection = `${byUuid(volume.uuid)} && lv_role!=thickorigin`;
  return ["lvremove", "--yes", "-S", selection, ...where(volume, finding)];
}

/**
 * Also one that is marked to be skipped, as thin snapshots are: it was named. With a thick snapshot LVM activates its
 * origin and what other snapshots that has; --yes says that this is understood.
 */
export function activateArgs(volume: LogicalVolume, finding: Finding = {}): string[] {
  return ["lvchange", "--yes", "-ay", "-K", "-S", byUuid(volume.uuid), ...where(volume, finding)];
}

/** LVM refuses where the volume is open, or another that it would deactivate with it. */
export function deactivateArgs(volume: LogicalVolume, finding: Finding = {}): string[] {
  return ["lvchange", "--yes", "-an", "-S", byUuid(volume.uuid), ...where(volume, finding)];
}
