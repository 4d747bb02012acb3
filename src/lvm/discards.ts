import { readAttribute } from "../system/sysfs.js";
import type { LogicalVolume } from "./report.js";
import { findVolume } from "./run.js";
import { isThin } from "./volumes.js";

/**
 * Bytes of the pieces that a thin volume gives back to its pool when they are discarded, and that read as zero from then on:
 * its pool's chunks. 0 where that is not so: of a thick volume; of a pool that ignores discards, or that does not zero a
 * chunk before a volume gets it, so that the next write to a part of it would show what others left in the rest; and of a
 * volume that shows what another one outside of its pool holds where it has nothing of its own.
 */
export async function discardZeroesOf(volume: LogicalVolume): Promise<number> {
  const { deviceNumber, pool, vgUuid, origin } = volume;
  if (!isThin(volume) || pool === undefined || deviceNumber === undefined) return 0;
  if (!(await findVolume(vgUuid, pool))?.zeroesNewBlocks) return 0;
  if (origin !== undefined && (await findVolume(vgUuid, origin))?.pool !== pool) return 0;
  const queue = `/sys/dev/block/${deviceNumber}/queue`;
  const [most, granularity] = await Promise.all([
    readAttribute(`${queue}/discard_max_bytes`),
    readAttribute(`${queue}/discard_granularity`),
  ]);
  return Number(most) > 0 ? Number(granularity) || 0 : 0;
}
