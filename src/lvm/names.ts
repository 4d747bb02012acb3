/**
 * The names that LVM accepts (lvm(8), "VALID NAMES"), and what device-mapper makes of them. Nothing else reaches a
 * command line, a selection or a path.
 */
import { randomBytes } from "node:crypto";

const NAME = /^[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]{0,126}$/;

/** LVM names its own volumes so. */
const RESERVED_BEGINNINGS = ["snapshot", "pvmove"] as const;
const RESERVED_PARTS = [
  "_cdata",
  "_cmeta",
  "_corig",
  "_cpool",
  "_cvol",
  "_imeta",
  "_iorig",
  "_mimage",
  "_mlog",
  "_pmspare",
  "_rimage",
  "_rmeta",
  "_tdata",
  "_tmeta",
  "_vdata",
  "_vorigin",
  "_wcorig",
] as const;

/** LVM refuses 125 and more: both names and three characters of its own have to fit into 127. */
const LONGEST_TOGETHER = 124;
/** DM_NAME_LEN less the NUL. */
const LONGEST_MAPPED = 127;

/** What the snapshots that a copy takes for itself are called, before a random number. */
export const SNAPSHOT_PREFIX = "blockhaul-snap-";

/** The tag of volumes that began as thin snapshots of others and are volumes on their own. */
export const COPY_MARK = "blockhaul.volume";

export function newSnapshotName(): string {
  return `${SNAPSHOT_PREFIX}${randomBytes(6).toString("hex")}`;
}

const UUID = /^[0-9A-Za-z]{6}(?:-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}$/;

/** Whether a text has the form that LVM gives to its UUIDs. */
export function isLvmUuid(text: string): boolean {
  return UUID.test(text);
}

/** Why a text cannot name a volume group, by its name or its UUID; undefined where it can. */
export function faultOfGroupName(text: string): string | undefined {
  if (text === "." || text === "..") return `"${text}" is no name of a volume group`;
  return NAME.test(text) ? undefined : faultOf(text, "volume group");
}

/** Why a text cannot name a logical volume of a group; undefined where it can. */
export function faultOfVolumeName(vg: string, text: string): string | undefined {
  if (text === "." || text === "..") return `"${text}" is no name of a logical volume`;
  if (!NAME.test(text)) return faultOf(text, "logical volume");
  const beginning = RESERVED_BEGINNINGS.find((reserved) => text.startsWith(reserved));
  if (beginning !== undefined) return `names that begin with "${beginning}" are LVM's own`;
  const part = RESERVED_PARTS.find((reserved) => text.includes(reserved));
  if (part !== undefined) return `names that contain "${part}" are LVM's own`;
  // What the group is called is not known then; LVM refuses what is too long by itself.
  if (isLvmUuid(vg)) return undefined;
  const isTooLong =
    vg.length + text.length > LONGEST_TOGETHER || mappedName(vg, text).length > LONGEST_MAPPED;
  return isTooLong ? "the names of volume group and volume together are too long" : undefined;
}

/** The name of a volume's device in /dev/mapper, where a hyphen within a name is doubled. */
export function mappedName(vg: string, lv: string): string {
  return `${vg.replaceAll("-", "--")}-${lv.replaceAll("-", "--")}`;
}

function faultOf(text: string, what: string): string {
  if (text === "") return `the name of the ${what} is empty`;
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return `${shown} is no name of a ${what}: up to 127 of a-z A-Z 0-9 + _ . and -, not beginning with -`;
}
