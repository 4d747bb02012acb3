/** Runs `lvm`, and asks it. */
import { BlockhaulError } from "../errors.js";
import { type Ended, findProgram, type Program, runProgram } from "../system/program.js";
import {
  groupReportArgs,
  type LogicalVolume,
  listReportArgs,
  parseGroupReport,
  parseListReport,
  parseVolumeReport,
  snapshotsReportArgs,
  type VolumeGroup,
  volumeReportArgs,
} from "./report.js";

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
 * @throws BlockhaulError ERR_PERMISSION, ERR_IO where LVM failed and does not list it: it may be there
 */
export async function findVolume(vg: string, lv: string): Promise<LogicalVolume | undefined> {
  const ended = await runLvm(volumeReportArgs(vg, lv));
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

/** @throws BlockhaulError ERR_PERMISSION, ERR_IO */
export async function findVolumeGroup(vg: string): Promise<VolumeGroup | undefined> {
  const ended = await runLvm(groupReportArgs(vg));
  const group = readReport(ended, parseGroupReport);
  if (group !== undefined || ended.status === 0) return group;
  throw failure("could not look for the volume group", ended);
}

/** What LVM said of a failure that nothing else explains. */
export function failure(what: string, { status, stderr }: Ended): BlockhaulError {
  const lines = stderr.split("\n").map((line) => line.trim());
  const reason =
    lines.find((line) => line !== "" && !line.startsWith("WARNING:")) ??
    lines.find((line) => line !== "") ??
    `exit status ${status}`;
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
