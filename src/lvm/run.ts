/** Runs `lvm`, and asks it. */
import { BlockhaulError } from "../errors.js";
import { type Ended, findProgram, type Program, runProgram } from "../system/program.js";
import {
  groupReportArgs,
  type LogicalVolume,
  listReportArgs,
  ownerReportArgs,
  parseGroupReport,
  parseListReport,
  parseOwnerReport,
  parseVolumeReport,
  snapshotsReportArgs,
  type VolumeGroup,
  volumeReportArgs,
} from "./report.js";
import { isForeign, usableGroup } from "./states.js";

export const LVM: Program = { name: "lvm", package: "lvm2" };

/** LVM waits for its locks without a limit of its own. */
const DEADLINE_MS = 120_000;

/** @throws BlockhaulError ERR_DRIVER_UNAVAILABLE, ERR_TIMEOUT */
export function runLvm(args: readonly string[]): Promise<Ended> {
  return runProgram(LVM, args, { deadlineMs: DEADLINE_MS });
}

/**
 * A volume; undefined where LVM knows none of that name.
 *
 * @param vg the group's name or UUID
 * @throws BlockhaulError as `findVolumeGroup`; ERR_PERMISSION, ERR_IO where LVM failed and does not list it: it may
 *   be there
 */
export async function findVolume(vg: string, lv: string): Promise<LogicalVolume | undefined> {
  const [ended] = await Promise.all([runLvm(volumeReportArgs(vg, lv)), findVolumeGroup(vg)]);
  // A failure to read some other group does not matter once the volume is listed.
  const volume = readReport(ended, parseVolumeReport);
  if (volume !== undefined || ended.status === 0) return volume;
  throw failure("could not look for the volume", ended);
}

/**
 * The volumes of a group that are there to be used, snapshots too, by their names.
 *
 * @throws BlockhaulError ERR_PERMISSION, ERR_IO where LVM failed: what it lists may not be all
 */
export function listGroupVolumes(vg: string): Promise<LogicalVolume[]> {
  return list(listReportArgs(vg));
}

/** Those whose origin a volume is. @throws BlockhaulError ERR_PERMISSION, ERR_IO */
export function listVolumesOn(vg: string, origin: string): Promise<LogicalVolume[]> {
  return list(snapshotsReportArgs(vg, origin));
}

async function list(args: readonly string[]): Promise<LogicalVolume[]> {
  const ended = await runLvm(args);
  if (ended.status === 0) return parseListReport(ended.stdout);
  throw failure("could not list the volumes", ended);
}

/**
 * A volume group whose volumes can be used; undefined where LVM knows none of that name.
 *
 * @param vg its name or its UUID
 * @throws BlockhaulError ERR_INVALID_REF where several groups have the name, ERR_IN_USE of one that is another
 *   host's, ERR_UNSUPPORTED of one that is exported; ERR_PERMISSION, ERR_IO
 */
export async function findVolumeGroup(vg: string): Promise<VolumeGroup | undefined> {
  const group = usableGroup(vg, await groupsOf(vg));
  if (group !== undefined) return group;
  const owner = await foreignOwnerOf(vg);
  if (owner !== undefined) throw isForeign(vg, owner);
  return undefined;
}

/** Whether LVM can tell a group by its name alone. */
export async function isOnlyOneNamed(vg: string): Promise<boolean> {
  return (await groupsOf(vg)).length < 2;
}

async function groupsOf(vg: string): Promise<VolumeGroup[]> {
  const ended = await runLvm(groupReportArgs(vg));
  const groups = readReport(ended, parseGroupReport) ?? [];
  if (groups.length > 0 || ended.status === 0) return groups;
  throw failure("could not look for the volume group", ended);
}

/** The system ID of a group that LVM does not show, since it is another host's. */
async function foreignOwnerOf(vg: string): Promise<string | undefined> {
  const ended = await runLvm(ownerReportArgs(vg));
  return readReport(ended, parseOwnerReport)?.find((owner) => owner !== "");
}

/** What LVM says beside a failure; the second is the rest of a warning. */
const ASIDE = /^(?:WARNING:|Fix duplicate VG names )/;

/** What LVM said of a failure that nothing else explains. */
export function failure(what: string, { status, stderr }: Ended): BlockhaulError {
  const lines = stderr.split("\n").map((line) => line.trim());
  const reason =
    lines.find((line) => line !== "" && !ASIDE.test(line)) ??
    lines.find((line) => line !== "") ??
    (status === 0 ? "it says that it did, and nothing has changed" : `exit status ${status}`);
  const isRoot = process.geteuid?.() === 0;
  return new BlockhaulError(isRoot ? "ERR_IO" : "ERR_PERMISSION", {
    message: `LVM ${what}: ${reason}`,
    hint: isRoot ? "look at what `lvs -a` and the kernel's log (`dmesg`) say" : "LVM wants root",
  });
}

export function isLvmInstalled(): boolean {
  return findProgram(LVM.name) !== undefined;
}

/** One that failed at once prints no report at all. */
function readReport<Found>(
  ended: Ended,
  parse: (text: string) => Found | undefined,
): Found | undefined {
  if (ended.status !== 0 && ended.stdout.trim() === "") return undefined;
  return parse(ended.stdout);
}
