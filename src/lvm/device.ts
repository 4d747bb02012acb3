/** The block device of an active volume. */
import { stat } from "node:fs/promises";

import { BlockhaulError } from "../errors.js";
import { deviceNumber } from "../system/block-device.js";
import { readAttribute } from "../system/sysfs.js";
import { waitFor } from "../system/wait.js";
import { mappedName } from "./names.js";
import type { LogicalVolume } from "./report.js";

/** udev makes the name; LVM waits for it, unless lvm.conf says otherwise. */
const NAME_DEADLINE_MS = 10_000;

/**
 * The path of a volume's device: a name of it that leads to the device that LVM speaks of, and that
 * device is mapped for this very volume.
 *
 * @throws BlockhaulError ERR_NOT_FOUND where there is no such name or device
 */
export async function devicePathOf(volume: LogicalVolume): Promise<string> {
  const { vg, name, deviceNumber: number } = volume;
  if (number === undefined || !(await isMappedFor(volume, number))) {
    throw missing(`${vg}/${name} has no device, although it is active`);
  }
  const path = `/dev/mapper/${mappedName(vg, name)}`;
  const found = await waitFor(() => leadsTo(path, number), { deadlineMs: NAME_DEADLINE_MS });
  if (found) return path;
  throw missing(`${path} does not lead to the device ${number}`);
}

async function isMappedFor(volume: LogicalVolume, number: string): Promise<boolean> {
  return (await readAttribute(`/sys/dev/block/${number}/dm/uuid`)) === mappedUuid(volume);
}

/** What LVM calls a volume's device, whatever its name is. */
export function mappedUuid({ vgUuid, uuid }: LogicalVolume): string {
  return `LVM-${vgUuid.replaceAll("-", "")}${uuid.replaceAll("-", "")}`;
}

async function leadsTo(path: string, number: string): Promise<true | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isBlockDevice() && deviceNumber(found.rdev) === number ? true : undefined;
}

function missing(message: string): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", {
    message,
    hint: "is udev running? `dmsetup info` and `lvs` show what there is",
  });
}
