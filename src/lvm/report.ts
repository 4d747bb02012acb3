/** What `lvs` and `vgs` are asked, and what they answer: JSON, with sizes in bytes and flags as numbers. */
import { BlockhaulError } from "../errors.js";
import { isLvmUuid } from "./names.js";

/** A logical volume as LVM reports it. Sizes are bytes. */
export interface LogicalVolume {
  readonly vg: string;
  readonly name: string;
  readonly uuid: string;
  readonly vgUuid: string;
  /** Of what its device shows: of a thick snapshot, its origin's size and not that of its store. */
  readonly size: number;
  /** What it takes in its group; of a thick snapshot, its store. */
  readonly storedSize: number;
  /** "linear", "thin", "pool", "sparse", "striped", … */
  readonly layout: readonly string[];
  /** "public", "snapshot", "thicksnapshot", "thickorigin", … */
  readonly roles: readonly string[];
  readonly isActive: boolean;
  /** A thick snapshot whose store ran full: nothing of it can be read any more. Known where it is active. */
  readonly isInvalid: boolean;
  /** Its device is held open, by a mount or a program. */
  readonly isOpen: boolean;
  /** Marked so, or activated so; of one that is inactive only the mark is known. */
  readonly isReadOnly: boolean;
  /** Of a thin volume. */
  readonly pool: string | undefined;
  /** Of a snapshot. */
  readonly origin: string | undefined;
  /** How much of it is filled; known of thin volumes, pools and thick snapshots that are active. */
  readonly dataPercent: number | undefined;
  /** Of a thin pool: a block is zeroed before a volume gets it. */
  readonly zeroesNewBlocks: boolean;
  /** Of its device, where it is active: "254:0". */
  readonly deviceNumber: string | undefined;
  readonly tags: readonly string[];
  /** Seconds of the epoch; 0 where LVM has not kept it. */
  readonly createdAt: number;
  /** Of a thin volume, its number in its pool, which grows from one to the next. */
  readonly thinId: number | undefined;
}

/** Sizes are bytes. */
export interface VolumeGroup {
  readonly name: string;
  readonly uuid: string;
  readonly extentSize: number;
  readonly size: number;
  readonly free: number;
  /** It was taken off this host for another (vgexport): LVM uses none of its volumes. */
  readonly isExported: boolean;
}

const VOLUME_FIELDS = [
  "lv_uuid",
  "lv_name",
  "vg_name",
  "vg_uuid",
  "lv_size",
  "origin_size",
  "lv_layout",
  "lv_role",
  "lv_active_locally",
  "lv_snapshot_invalid",
  "lv_device_open",
  "lv_attr",
  "pool_lv",
  "origin",
  "data_percent",
  "zero",
  "lv_kernel_major",
  "lv_kernel_minor",
  "lv_tags",
  "lv_time",
  "thin_id",
] as const;
const GROUP_FIELDS = [
  "vg_uuid",
  "vg_name",
  "vg_extent_size",
  "vg_size",
  "vg_free",
  "vg_exported",
] as const;

/** Whatever lvm.conf says of units and forms. */
const FORM = ["--reportformat", "json", "--units", "b", "--nosuffix", "--binary"] as const;

/** Seconds, whatever lvm.conf says of dates. */
const TIME_FORM = ["--config", 'report/time_format="%s"'] as const;

/**
 * Asks of one volume. It is selected, not named: naming one that is missing is an error like any other, while a
 * selection that nothing fits is an answer.
 */
export function volumeReportArgs(vg: string, lv: string): string[] {
  return reportArgs(`${inGroup(vg)} && lv_name="${lv}"`);
}

/** Asks of all volumes of a group that are there to be used, by their names. */
export function listReportArgs(vg: string): string[] {
  return reportArgs(`${inGroup(vg)} && lv_role=public`);
}

/** Asks of all whose origin is this one. */
export function snapshotsReportArgs(vg: string, origin: string): string[] {
  return reportArgs(`${inGroup(vg)} && origin="${origin}"`);
}

function reportArgs(selection: string): string[] {
  return ["lvs", ...FORM, ...TIME_FORM, "-o", VOLUME_FIELDS.join(","), "-S", selection];
}

export function groupReportArgs(vg: string): string[] {
  return ["vgs", ...FORM, "-o", GROUP_FIELDS.join(","), "-S", inGroup(vg)];
}

/** Asks who owns a group: LVM lists one of another host only where it is told to. */
export function ownerReportArgs(vg: string): string[] {
  return ["vgs", "--foreign", ...FORM, "-o", "vg_systemid", "-S", inGroup(vg)];
}

/** What has the form of a UUID is one, unless a group has it for a name. */
function inGroup(vg: string): string {
  return isLvmUuid(vg) ? `(vg_uuid="${vg}" || vg_name="${vg}")` : `vg_name="${vg}"`;
}

/** Selects a volume by what never changes: one of the same name that was made meanwhile is another. */
export function byUuid(uuid: string): string {
  return `lv_uuid="${uuid}"`;
}

/**
 * The volume that a report lists, undefined where it lists none.
 *
 * @throws BlockhaulError ERR_INTERNAL where it is no such report
 */
export function parseVolumeReport(text: string): LogicalVolume | undefined {
  const [first, ...further] = parseListReport(text);
  if (further.length > 0) throw unreadable("lvs", "it lists several volumes");
  return first;
}

/**
 * The volumes that a report lists, each once: one of several segments stands in it once for each.
 *
 * @throws BlockhaulError ERR_INTERNAL where it is no such report
 */
export function parseListReport(text: string): LogicalVolume[] {
  const all = rowsOf(text, "lv").map((row) => parseVolume(new Row(row, "lvs")));
  const seen = new Set<string>();
  return all.filter(({ uuid }) => !seen.has(uuid) && seen.add(uuid));
}

/**
 * The groups that a report lists: several of one name where their disks came from several hosts.
 *
 * @throws BlockhaulError ERR_INTERNAL where it is no such report
 */
export function parseGroupReport(text: string): VolumeGroup[] {
  return rowsOf(text, "vg").map((row) => parseGroup(new Row(row, "vgs")));
}

/**
 * The system IDs of the groups that a report lists; "" of one that no host has for itself.
 *
 * @throws BlockhaulError ERR_INTERNAL where it is no such report
 */
export function parseOwnerReport(text: string): string[] {
  return rowsOf(text, "vg").map((row) => new Row(row, "vgs").text("vg_systemid"));
}

function parseVolume(row: Row): LogicalVolume {
  const roles = row.list("lv_role");
  const storedSize = row.size("lv_size");
  const originSize = row.text("origin_size") === "" ? storedSize : row.size("origin_size");
  const major = row.count("lv_kernel_major");
  const minor = row.count("lv_kernel_minor");
  return {
    vg: row.name("vg_name"),
    name: row.name("lv_name"),
    uuid: row.uuid("lv_uuid"),
    vgUuid: row.uuid("vg_uuid"),
    size: roles.includes("thicksnapshot") ? originSize : storedSize,
    storedSize,
    layout: row.list("lv_layout"),
    roles,
    isActive: row.flag("lv_active_locally"),
    isInvalid: row.flag("lv_snapshot_invalid"),
    isOpen: row.flag("lv_device_open"),
    isReadOnly: row.text("lv_attr").charAt(1).toLowerCase() === "r",
    pool: row.optional("pool_lv"),
    origin: row.optional("origin"),
    dataPercent: row.percent("data_percent"),
    zeroesNewBlocks: row.flag("zero"),
    deviceNumber: major === undefined || minor === undefined ? undefined : `${major}:${minor}`,
    tags: row.text("lv_tags") === "" ? [] : row.list("lv_tags"),
    createdAt: row.optional("lv_time") === undefined ? 0 : row.size("lv_time"),
    thinId: row.optional("thin_id") === undefined ? undefined : row.count("thin_id"),
  };
}

function parseGroup(row: Row): VolumeGroup {
  const extentSize = row.size("vg_extent_size");
  if (extentSize === 0) throw unreadable("vgs", "its extents have no size");
  return {
    name: row.name("vg_name"),
    uuid: row.uuid("vg_uuid"),
    extentSize,
    size: row.size("vg_size"),
    free: row.size("vg_free"),
    isExported: row.flag("vg_exported"),
  };
}

/** The fields of one row, each of which is a text in the report. */
class Row {
  readonly #fields: object;
  readonly #program: string;

  constructor(fields: object, program: string) {
    this.#fields = fields;
    this.#program = program;
  }

  text(field: string): string {
    const value = Object.hasOwn(this.#fields, field)
      ? (this.#fields as Record<string, unknown>)[field]
      : undefined;
    if (typeof value === "string") return value;
    throw unreadable(this.#program, `${field} is no text`);
  }

  optional(field: string): string | undefined {
    return this.text(field) || undefined;
  }

  name(field: string): string {
    const value = this.text(field);
    if (value !== "") return value;
    throw unreadable(this.#program, `${field} is empty`);
  }

  uuid(field: string): string {
    const value = this.text(field);
    if (isLvmUuid(value)) return value;
    throw unreadable(this.#program, `${field} is no UUID`);
  }

  size(field: string): number {
    const value = this.text(field);
    const size = Number(value);
    if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(size)) return size;
    throw unreadable(this.#program, `${field} is no number of bytes`);
  }

  /** -1, for what does not apply, is undefined. */
  count(field: string): number | undefined {
    const value = this.text(field);
    if (value === "-1") return undefined;
    if (/^\d{1,9}$/.test(value)) return Number(value);
    throw unreadable(this.#program, `${field} is no number`);
  }

  /** What is not known or does not apply is false. */
  flag(field: string): boolean {
    const value = this.text(field);
    if (value === "1" || value === "0" || value === "-1") return value === "1";
    throw unreadable(this.#program, `${field} is no flag`);
  }

  list(field: string): readonly string[] {
    return this.text(field).split(",");
  }

  percent(field: string): number | undefined {
    const value = this.text(field);
    if (value === "") return undefined;
    if (/^\d{1,3}(\.\d{1,6})?$/.test(value) && Number(value) <= 100) return Number(value);
    throw unreadable(this.#program, `${field} is no percentage`);
  }
}

/** `{"report": [{"lv": [ … ]}]}` */
function rowsOf(text: string, kind: "lv" | "vg"): readonly object[] {
  const program = `${kind}s`;
  const reports = property(parseJson(text, program), "report");
  if (!Array.isArray(reports)) throw unreadable(program, "it has no report");
  return reports.flatMap((report) => {
    const rows = property(report, kind);
    if (!Array.isArray(rows) || !rows.every(isObject)) {
      throw unreadable(program, `it has no list "${kind}"`);
    }
    return rows;
  });
}

function parseJson(text: string, program: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(program, "it is no JSON", cause);
  }
}

function property(value: unknown, key: string): unknown {
  if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function unreadable(program: string, reason: string, cause?: unknown): BlockhaulError {
  return new BlockhaulError("ERR_INTERNAL", {
    message: `the report of ${program} is not as expected: ${reason}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
