/** How large a new volume will be, and whether there is room for it. */
import type { PlaceStats, Provisioning } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { formatSize, sizeInWords } from "../units.js";
import type { NamedVolume } from "./target-name.js";
import type { Findings, MigrateOptions } from "./types.js";

/** How much room there is where a volume is to be made. Bytes. */
export interface Room {
  readonly free: number | undefined;
  readonly capacity: number | undefined;
  readonly granularity: number;
  /** The same text for backends that share it. */
  readonly room: string | undefined;
  /** What a new volume is there, unless told. */
  readonly provisioning: Provisioning | undefined;
}

/** What a backend knows of its room; of a volume that belongs to none, only what its driver makes. */
export async function findRoom(target: NamedVolume): Promise<Room> {
  const { driver, backend } = target;
  const stats = await statsOf(target);
  return {
    free: stats?.free,
    capacity: stats?.capacity,
    granularity: stats?.granularity ?? 1,
    room: stats?.room ?? (backend && `backend ${backend.name}`),
    provisioning: backend?.provisioning ?? driver.supports.provisioning?.[0],
  };
}

/** Storage that cannot tell just now, as a thin pool that is inactive, may have the room all the same. */
async function statsOf({ driver, backend }: NamedVolume): Promise<PlaceStats | undefined> {
  if (backend === undefined || !driver.supports.stats) return undefined;
  try {
    return await driver.stats?.(backend.place);
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_UNSUPPORTED") return undefined;
    throw error;
  }
}

/** Whether what is to be made fits, as far as its backend tells. */
export function examineRoom(room: Room | undefined, found: Findings): void {
  const { size = 0, dataSize = size } = found;
  const { problems, notices } = found;
  const granularity = room?.granularity ?? 1;
  const wanted = Math.max(size, found.settings.size ?? size);
  const targetSize = Math.ceil(wanted / granularity) * granularity;
  found.targetSize = targetSize;
  found.free = room?.free;
  found.capacity = room?.capacity;
  found.room = room?.room;
  if (targetSize > wanted) {
    notices.push(
      `the target will have ${sizeInWords(targetSize)}: its backend makes volumes in steps of ${sizeInWords(granularity)}`,
    );
  }
  found.provisioning ??= room?.provisioning;
  const isThin = found.provisioning === "thin";
  if (found.provisioning === "thick" && dataSize < size) {
    notices.push(
      `the source is thin (${formatSize(dataSize)} of ${formatSize(size)}); the target takes all of its space at once`,
    );
  }
  if (room === undefined || room.free === undefined) return;
  const needed = isThin ? dataSize : targetSize;
  if (needed <= room.free) return;
  problems.push(
    new BlockhaulError("ERR_NO_SPACE", {
      side: "target",
      volume: found.target,
      message: `it needs ${sizeInWords(needed)}, and ${sizeInWords(room.free)} are free`,
    }),
  );
}

/** Of a target that is to be made. */
export function problemsOfSize(
  ref: string,
  least: number,
  { size }: MigrateOptions,
): BlockhaulError[] {
  if (size === undefined || (Number.isSafeInteger(size) && size >= least)) return [];
  return [
    new BlockhaulError("ERR_TARGET_TOO_SMALL", {
      side: "target",
      volume: ref,
      message: `it is to have ${sizeInWords(size)}, less than the source's ${sizeInWords(least)}`,
    }),
  ];
}

/** Of one that is there. */
export function sizeOfOld(ref: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", {
    side: "target",
    volume: ref,
    message: "a size is told of a new target, and this one is there already",
  });
}
