import type {
  CreateOptions,
  DriverOpenOptions,
  DriverStatus,
  OpenedVolume,
  SnapshotOptions,
  VolumeDriver,
} from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { devicePathOf } from "../lvm/device.js";
import { faultOfVolumeName, newSnapshotName } from "../lvm/names.js";
import type { LogicalVolume } from "../lvm/report.js";
import { findVolume, isLvmInstalled, LVM } from "../lvm/run.js";
import { removeSnapshot, createSnapshot as takeSnapshot } from "../lvm/snapshots.js";
import {
  activateVolume,
  allocatedBytes,
  type CreatedVolume,
  createVolume,
  deactivateVolume,
  removeVolume,
  requireVolume,
} from "../lvm/volumes.js";
import { type NativeVolume, native } from "../native.js";
import { formatLvmRef, type LvmLocation, parseLvmRef } from "./lvm-ref.js";

/** Options of a new volume, beyond its size. */
export interface LvmCreateOptions {
  /** A thin pool of the same group; without one the volume is thick. */
  readonly thinPool?: string;
}

interface OpenedLvm extends OpenedVolume {
  readonly volume: NativeVolume;
  /** What the open activated. */
  readonly activated: LogicalVolume | undefined;
}

/** Logical volumes of this host, thick and thin, and their snapshots. */
export const lvmDriver: VolumeDriver<LvmLocation, OpenedLvm> = {
  name: "lvm",
  schemes: ["lvm"],
  summary: "LVM's logical volumes and their snapshots",
  refForms: ["lvm:VG/LV"],
  supports: {
    write: true,
    create: "when-asked",
    createOptions: ["thinPool"],
    extents: false,
    zero: true,
    snapshots: true,
    delete: true,
  },
  parseRef: parseLvmRef,
  formatRef: formatLvmRef,
  openVolume,
  closeVolume,
  deleteVolume,
  createSnapshot,
  deleteSnapshot,
  status,
};

async function openVolume(location: LvmLocation, options: DriverOpenOptions): Promise<OpenedLvm> {
  const { create, ref } = options;
  const existing = await findVolume(location.vg, location.lv);
  if (existing !== undefined && create?.exclusive) throw existsAlready(ref);
  if (existing === undefined && create !== undefined) {
    const opened = await createAndOpen(location, create, options);
    if (opened !== undefined) return opened;
  }
  return openExisting(existing ?? (await requireVolume(location)), options);
}

async function openExisting(found: LogicalVolume, options: DriverOpenOptions): Promise<OpenedLvm> {
  if (!found.roles.includes("public")) {
    throw new BlockhaulError("ERR_NOT_A_VOLUME", {
      volume: options.ref,
      message: `it holds other volumes and no data of its own: it is ${found.layout.join(", ")}`,
    });
  }
  if (options.mode === "write" && found.isReadOnly) {
    throw new BlockhaulError("ERR_READ_ONLY", {
      volume: options.ref,
      message: "the logical volume is marked read-only",
      hint: "`lvchange -prw` makes it writable",
    });
  }
  const active = found.isActive ? found : await activateVolume(found);
  const activated = found.isActive ? undefined : active;
  try {
    return { ...(await openDevice(active, options.mode)), activated };
  } catch (error) {
    if (activated !== undefined) await undoActivation(activated).catch(() => {});
    throw error;
  }
}

/** @returns undefined where somebody else made it in the meantime, and that is fine */
async function createAndOpen(
  { vg, lv }: LvmLocation,
  create: CreateOptions,
  { ref }: DriverOpenOptions,
): Promise<OpenedLvm | undefined> {
  const { thinPool } = create as LvmCreateOptions;
  checkPoolName(vg, thinPool, ref);
  let created: CreatedVolume;
  try {
    created = await createVolume({ vg, lv, size: create.size, thinPool });
  } catch (error) {
    const isThere = error instanceof BlockhaulError && error.code === "ERR_EXISTS";
    if (isThere && !create.exclusive) return undefined;
    throw error;
  }
  try {
    const opened = await openDevice(created.volume, "write", created.readsAsZero);
    await clearRest(opened.volume, create.size, created);
    return { ...opened, activated: undefined };
  } catch (error) {
    await removeVolume(created.volume).catch(() => {});
    throw error;
  }
}

/** What rounding up to whole extents added: nobody will write there, and old data must not stay. */
async function clearRest(
  volume: NativeVolume,
  wanted: number,
  { readsAsZero }: CreatedVolume,
): Promise<void> {
  const rest = volume.info.size - wanted;
  if (rest === 0 || readsAsZero) return;
  try {
    await volume.zero(wanted, rest);
    await volume.flush();
  } catch (error) {
    await volume.close().catch(() => {});
    throw error;
  }
}

async function openDevice(
  volume: LogicalVolume,
  mode: "read" | "write",
  provenZero = false,
): Promise<Pick<OpenedLvm, "volume" | "usage">> {
  const path = await devicePathOf(volume);
  const opened = await native().openPosix({
    path,
    mode,
    kind: "block",
    ...(provenZero ? { provenZero } : {}),
  });
  const allocated = allocatedBytes(volume);
  return { volume: opened, ...(allocated === undefined ? {} : { usage: { allocated } }) };
}

async function closeVolume({ volume, activated }: OpenedLvm): Promise<void> {
  try {
    await volume.close();
  } finally {
    if (activated !== undefined) await undoActivation(activated);
  }
}

async function undoActivation({ vg, name, uuid }: LogicalVolume): Promise<void> {
  await deactivateVolume({ vg, lv: name }, uuid);
}

async function deleteVolume(location: LvmLocation): Promise<void> {
  const volume = await requireVolume(location);
  if (!volume.roles.includes("public")) {
    throw new BlockhaulError("ERR_NOT_A_VOLUME", {
      message: `it holds other volumes: it is ${volume.layout.join(", ")}`,
    });
  }
  await removeVolume(volume);
}

async function createSnapshot(
  location: LvmLocation,
  { name = newSnapshotName() }: SnapshotOptions,
): Promise<LvmLocation> {
  const fault = faultOfVolumeName(location.vg, name);
  if (fault !== undefined) throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: fault });
  await takeSnapshot({ ...location, snapshot: name });
  return { vg: location.vg, lv: name };
}

function deleteSnapshot(location: LvmLocation): Promise<void> {
  return removeSnapshot(location);
}

function status(): DriverStatus {
  if (isLvmInstalled()) return { available: true };
  return { available: false, reason: `install it: apt-get install ${LVM.package}` };
}

function checkPoolName(vg: string, pool: unknown, ref: string): void {
  if (pool === undefined) return;
  const fault = typeof pool === "string" ? faultOfVolumeName(vg, pool) : "thinPool is no text";
  if (fault === undefined) return;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", { volume: ref, message: fault });
}

function existsAlready(ref: string): BlockhaulError {
  return new BlockhaulError("ERR_EXISTS", { volume: ref, message: "it exists already" });
}
