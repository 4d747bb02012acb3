/** The block device of an active volume. */
import { stat } from "node:fs/promises";

import { BlockhaulError } from "../errors.js";
import { readAttribute } from "../system/sysfs.js";
import { waitFor } from "../system/wait.js";
import { mappedName } from "./names.js";
import type { DeviceNumber, LogicalVolume } from "./report.js";

/** udev makes the name; LVM waits for it, unless lvm.conf says otherwise. */
const NAME_DEADLINE_MS = 10_000;

/**
 * The path of a volume's device: a name of it that leads to the device that LVM speaks of, and that
 * device is mapped for this very volume.
 *
 * @throws BlockhaulError ERR_NOT_FOUND where there is no such name or device
 */
export async function devicePathOf(volume: LogicalVolume): Promise<string> {
  const { vg, name, deviceNumber } = volume;
  if (deviceNumber === undefined || !(await isMappedFor(volume, deviceNumber))) {
    throw missing(`${vg}/${name} has no device, although it is active`);
  }
  const path = `/dev/mapper/${mappedName(vg, name)}`;
  const found = await waitFor(() => leadsTo(path, deviceNumber), { deadlineMs: NAME_DEADLINE_MS });
  if (found) return path;
  throw missing(`${path} does not lead to the device ${deviceNumber.major}:${deviceNumber.minor}`);
}

async function isMappedFor(volume: LogicalVolume, number: DeviceNumber): Promise<boolean> {
  const file = `/sys/dev/block/${number.major}:${number.minor}/dm/uuid`;
  return (await readAttribute(file)) === mappedUuid(volume);
}

/** What LVM calls a volume's device, whatever its name is. */
export function mappedUuid({ vgUuid, uuid }: LogicalVolume): string {
  return `LVM-${vgUuid.replaceAll("-", "")}${uuid.replaceAll("-", "")}`;
}

async function leadsTo(path: string, { major, minor }: DeviceNumber): Promise<true | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isBlockDevice()) return undefined;
  return majorOf(found.rdev) === major && minorOf(found.rdev) === minor ? true : undefined;
}

/** Of a dev_t as glibc lays it out, below 2^32: sysmacros.h. */
function majorOf(device: number): number {
  return (device >>> 8) & 0xfff;
}

function minorOf(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}

function missing(message: string): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", {
    message,
    hint: "is udev running? `dmsetup info` and `lvs` show what there is",
  });
}
