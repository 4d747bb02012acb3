import type { CreateOptions, ShortWay } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { copyThinVolume } from "../lvm/changes.js";
import type { LogicalVolume } from "../lvm/report.js";
import { findVolume } from "../lvm/run.js";
import { isThin, removeVolume, requireVolume } from "../lvm/volumes.js";
import type { LvmCreateOptions } from "./lvm-create.js";
import type { LvmLocation } from "./lvm-ref.js";
import { refuseAborted } from "./refuse-aborted.js";

/**
 * A thin volume copied within its pool: by a thin snapshot that is a volume on its own from the start. Why LVM calls
 * it a snapshot all the same: docs/decisions/0015-lvm-short-way.md.
 */
export async function thinSnapshotWay(
  source: LvmLocation,
  target: LvmLocation,
  options: CreateOptions,
): Promise<ShortWay | undefined> {
  const { thinPool } = options as LvmCreateOptions;
  if (source.vg !== target.vg || thinPool === undefined || options.provisioning === "thick") {
    return undefined;
  }
  const volume = await findVolume(source.vg, source.lv);
  const isInPool = volume !== undefined && isThin(volume) && volume.pool === thinPool;
  if (!isInPool || volume.size !== options.size) return undefined;
  return {
    method: "thin snapshot",
    run: async ({ signal, onProgress }) => {
      refuseAborted(signal);
      const now = await requireVolume(source);
      if (now.uuid !== volume.uuid) {
        throw new BlockhaulError("ERR_NOT_FOUND", {
          message: "the source was replaced by another",
        });
      }
      const made = await copyThinVolume(volume, target.lv);
      await removeIfAborted(made, signal);
      onProgress?.(made.size);
    },
  };
}

async function removeIfAborted(
  made: LogicalVolume,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!signal?.aborted) return;
  await removeVolume(made);
  refuseAborted(signal);
}
