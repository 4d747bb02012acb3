import type { CreateOptions } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { devicePathOf } from "../lvm/device.js";
import { faultOfVolumeName } from "../lvm/names.js";
import type { LogicalVolume } from "../lvm/report.js";
import { findVolume } from "../lvm/run.js";
import { type CreatedVolume, createVolume, removeVolume } from "../lvm/volumes.js";
import { native } from "../native.js";
import type { LvmLocation } from "./lvm-ref.js";

/** Options of a new volume, beyond its size. */
export interface LvmCreateOptions {
  /** A thin pool of the same group; without one the volume is thick. */
  readonly thinPool?: string;
}

/** A volume that is there now, and, where this made it, what is known of it. */
export interface PresentVolume {
  readonly created: CreatedVolume | undefined;
  readonly existing: LogicalVolume | undefined;
}

/**
 * Makes a volume where it is missing and that is asked for.
 *
 * @throws BlockhaulError ERR_EXISTS where it must not exist, and what `createVolume` throws
 */
export async function createIfAsked(
  { vg, lv }: LvmLocation,
  create: CreateOptions | undefined,
): Promise<PresentVolume> {
  if (create !== undefined) checkPool(vg, create);
  const existing = await findVolume(vg, lv);
  if (create === undefined) return { existing, created: undefined };
  if (existing !== undefined) {
    if (create.exclusive) {
      throw new BlockhaulError("ERR_EXISTS", { message: "it exists already" });
    }
    return { existing, created: undefined };
  }
  try {
    return { existing, created: await createWhole(vg, lv, create) };
  } catch (error) {
    const isThere = error instanceof BlockhaulError && error.code === "ERR_EXISTS";
    if (!isThere || create.exclusive) throw error;
    // Somebody else made it in the meantime, which is fine.
    return { existing: await findVolume(vg, lv), created: undefined };
  }
}

/** Runs what comes after a creation, and takes the volume back where that fails. */
export async function keepingIfDone<Result>(
  created: CreatedVolume | undefined,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    if (created !== undefined) await removeVolume(created.volume).catch(() => {});
    throw error;
  }
}

async function createWhole(vg: string, lv: string, create: CreateOptions): Promise<CreatedVolume> {
  const { thinPool } = create as LvmCreateOptions;
  const created = await createVolume({ vg, lv, size: create.size, thinPool });
  await keepingIfDone(created, () => clearRest(created, create.size));
  return created;
}

/** What rounding up to whole extents added: nobody will write there, and old data must not stay. */
async function clearRest({ volume, readsAsZero }: CreatedVolume, wanted: number): Promise<void> {
  const rest = volume.size - wanted;
  if (rest === 0 || readsAsZero) return;
  const path = await devicePathOf(volume);
  const opened = await native().openPosix({ path, mode: "write", kind: "block" });
  try {
    await opened.zero(wanted, rest);
    await opened.flush();
  } finally {
    await opened.close();
  }
}

/** Thin goes with a pool, thick without one: what says both means neither. */
function checkPool(vg: string, { thinPool: pool, provisioning }: CreateOptions): void {
  if (provisioning === "thick" && pool !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "a thick volume takes no space from a thin pool: name none",
    });
  }
  if (provisioning === "thin" && pool === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "a thin volume takes its space from a thin pool, and none is named",
      hint: "name one: thinPool, --thin-pool, or `thin` of a backend",
    });
  }
  if (pool === undefined) return;
  const fault = typeof pool === "string" ? faultOfVolumeName(vg, pool) : "thinPool is no text";
  if (fault !== undefined) throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: fault });
}
