import { stat } from "node:fs/promises";

import { BlockhaulError } from "../errors.js";
import { readAttribute, SYSFS_SECTOR } from "./sysfs.js";

/** What the kernel knows of a block device of this host. */
export interface BlockDevice {
  /** "254:0" */
  readonly number: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes: the smallest unit that it reads and writes. */
  readonly blockSize: number;
}

/**
 * The device that a path leads to.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_NOT_A_VOLUME
 */
export async function blockDeviceAt(path: string): Promise<BlockDevice> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new BlockhaulError("ERR_NOT_FOUND", { message: `there is no device ${path}` });
  }
  if (!found.isBlockDevice()) {
    throw new BlockhaulError("ERR_NOT_A_VOLUME", { message: `${path} is no block device` });
  }
  const number = deviceNumber(found.rdev);
  const folder = `/sys/dev/block/${number}`;
  const [sectors, blockSize] = await Promise.all([
    readAttribute(`${folder}/size`),
    // A partition has no queue of its own.
    readAttribute(`${folder}/queue/logical_block_size`).then(
      (own) => own ?? readAttribute(`${folder}/../queue/logical_block_size`),
    ),
  ]);
  if (sectors === undefined || blockSize === undefined) {
    throw new BlockhaulError("ERR_NOT_FOUND", { message: `the device ${path} is gone` });
  }
  return { number, size: Number(sectors) * SYSFS_SECTOR, blockSize: Number(blockSize) };
}

/** "254:0" of a dev_t below 2^32, as glibc lays it out: sysmacros.h. */
export function deviceNumber(device: number): string {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}
