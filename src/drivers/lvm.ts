import { type Attachment, openAttachment } from "../attachments/attachment.js";
import { withHostLock } from "../attachments/lock.js";
import { undoing } from "../attachments/undoing.js";
import type {
  AttachedDevice,
  AttachOptions,
  DeleteOptions,
  DriverOpenOptions,
  DriverStatus,
  OpenedVolume,
  SnapshotInfo,
  SnapshotOptions,
  VolumeDriver,
} from "../driver.js";
import { BlockhaulError } from "../errors.js";
import type { ExportRequest } from "../export-driver.js";
import { extendVolume, renameVolume as renameTo } from "../lvm/changes.js";
import { devicePathOf } from "../lvm/device.js";
import { faultOfVolumeName, newSnapshotName } from "../lvm/names.js";
import type { LogicalVolume } from "../lvm/report.js";
import { findVolume, findVolumeGroup, isLvmInstalled, LVM } from "../lvm/run.js";
import {
  removeSnapshot,
  listSnapshots as snapshotsOf,
  createSnapshot as takeSnapshot,
} from "../lvm/snapshots.js";
import {
  allocatedBytes,
  existsAlready,
  isThin,
  removeVolume,
  requireVolume,
} from "../lvm/volumes.js";
import type { NativeVolume } from "../native.js";
import { openDevice as openPath } from "../usage/open-device.js";
import { openedDevice } from "../usage/opened-device.js";
import { createIfAsked, keepingIfDone } from "./lvm-create.js";
import { type ExportedLocation, lvmExportDriver } from "./lvm-export.js";
import { type LvmPlace, listPlace, lvmPlaces, statsOfPlace } from "./lvm-place.js";
import { formatLvmRef, type LvmLocation, parseLvmRef, volumeBeside } from "./lvm-ref.js";
import { thinSnapshotWay } from "./lvm-short-way.js";
import { activateFor, checkOpenable, isActivatedByUs, snapshotFor } from "./lvm-steps.js";

export type { LvmCreateOptions } from "./lvm-create.js";

interface OpenedLvm extends OpenedVolume {
  readonly volume: NativeVolume;
  /** What was done for it; undefined where that was nothing. */
  readonly attachment?: Attachment | undefined;
}

/** What a clean-up asks of the driver that exported something. */
type ExportCalls = Pick<typeof lvmExportDriver, "terminateConnection" | "removeExport">;

/** Logical volumes of this host, thick and thin, and their snapshots. */
export const lvmDriver: VolumeDriver<LvmLocation, OpenedLvm, LvmPlace> & ExportCalls = {
  name: lvmExportDriver.name,
  schemes: lvmExportDriver.schemes,
  summary: "LVM's logical volumes and their snapshots, opened directly or over iSCSI",
  refForms: ["lvm:VG/LV[?export=iscsi[&target=lio|tgt][&portal=ADDRESS[:PORT]]]"],
  supports: lvmExportDriver.supports,
  parseRef: parseLvmRef,
  formatRef: formatLvmRef,
  openVolume: (location, options) =>
    location.export === undefined ? openLocal(location, options) : openExported(location, options),
  closeVolume,
  deleteVolume,
  createSnapshot,
  checkSnapshotName,
  deleteSnapshot: (location) => removeSnapshot(location),
  listSnapshots,
  resizeVolume,
  renameVolume,
  checkChange: async (location, change) => {
    if (change === "rename") await requireRenamable(location);
  },
  nameOf: ({ lv }) => lv,
  siblingOf: volumeBeside,
  identifyPlace: async ({ vg }) => (await findVolumeGroup(vg))?.uuid,
  places: lvmPlaces,
  listVolumes: listPlace,
  stats: statsOfPlace,
  shortWay: thinSnapshotWay,
  attach: (location, options) =>
    location.export === undefined
      ? attachLocal(location, options)
      : lvmExportDriver.attach(location, options),
  terminateConnection: (request: ExportRequest<ExportedLocation>) =>
    lvmExportDriver.terminateConnection(request),
  removeExport: (request: ExportRequest<ExportedLocation>) => lvmExportDriver.removeExport(request),
  status,
};

async function openLocal(location: LvmLocation, options: DriverOpenOptions): Promise<OpenedLvm> {
  const { create, snapshot, signal } = options;
  const { created, existing } = await createIfAsked(location, create);
  if (created !== undefined) {
    const { volume, readsAsZero } = created;
    return keepingIfDone(created, () => openDevice(volume, options, readsAsZero));
  }
  const found = existing ?? (await requireVolume(location));
  checkOpenable(found, options.mode);
  if (!snapshot && found.isActive && !(await isActivatedByUs(found))) {
    return openDevice(found, options);
  }
  return withHostLock(async () => {
    const attachment = await openAttachment(formatLvmRef(location));
    return undoing(attachment, async () => {
      const shown = snapshot ? await snapshotFor(location, attachment) : location;
      return { ...(await openDevice(await activateFor(shown, attachment), options)), attachment };
    });
  }, signal);
}

async function openExported(location: LvmLocation, options: DriverOpenOptions): Promise<OpenedLvm> {
  const { created, existing } = await createIfAsked(location, options.create);
  const found = created?.volume ?? existing ?? (await requireVolume(location));
  checkOpenable(found, options.mode);
  const readsAsZero = created?.readsAsZero ?? false;
  const ofSnapshot = options.snapshot ?? false;
  const opened = await keepingIfDone(created, () =>
    lvmExportDriver.openVolume({ ...location, readsAsZero, ofSnapshot }, options),
  );
  return { ...opened, ...usageOf(found) };
}

async function openDevice(
  volume: LogicalVolume,
  { mode, shared = false, exclusive = false }: DriverOpenOptions,
  provenZero = false,
): Promise<OpenedLvm> {
  const path = await devicePathOf(volume);
  const zero = provenZero ? { provenZero } : {};
  const opened = await openPath({ path, mode, kind: "block", shared, exclusive, ...zero });
  // Its name below /dev/mapper follows the volume: one that is renamed or removed is not found there.
  return { ...openedDevice(opened, path), ...usageOf(volume) };
}

function usageOf(volume: LogicalVolume): Pick<OpenedLvm, "usage"> {
  const allocated = allocatedBytes(volume);
  return allocated === undefined ? {} : { usage: { allocated } };
}

async function closeVolume({ volume, attachment }: OpenedLvm): Promise<void> {
  if (attachment === undefined) return volume.close();
  return lvmExportDriver.closeVolume({ volume, attachment });
}

async function attachLocal(
  location: LvmLocation,
  { attachment }: AttachOptions,
): Promise<AttachedDevice> {
  checkOpenable(await requireVolume(location), "read");
  const volume = await activateFor(location, attachment);
  const path = await devicePathOf(volume);
  return { path, identity: { size: volume.size }, paths: 1, failures: [] };
}

/** By its UUID; LVM removes none that anybody has open. */
async function deleteVolume(
  location: LvmLocation,
  { identity, lastLook }: DeleteOptions = {},
): Promise<void> {
  const volume = await requireVolume(location);
  checkOpenable(volume, "read");
  // One that is exported is known by its LUN; the last look compares that.
  if (identity !== undefined && location.export === undefined) refuseOther(volume, identity);
  await lastLook?.({ isUnwritten: true });
  await removeVolume(volume);
}

/** What device-mapper calls a volume, which is the identity of one that is opened on this host. */
function refuseOther({ vgUuid, uuid }: LogicalVolume, identity: string): void {
  const found = `dm:LVM-${`${vgUuid}${uuid}`.replaceAll("-", "")}`;
  if (found === identity) return;
  throw new BlockhaulError("ERR_VOLUME_CHANGED", {
    message: `it is ${found}, and was to be ${identity}`,
  });
}

/** What a thick volume gets is zeroed at once: whoever extends a file system there may rely on it. */
async function resizeVolume(location: LvmLocation, size: number): Promise<void> {
  const before = await requireVolume(location);
  checkOpenable(before, "write");
  if (!isThin(before) && before.isOpen && size > before.size) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: "it is open, and what is added to a thick volume is zeroed before anybody uses it",
      hint: "close it first, or do without the zeros: lvextend",
    });
  }
  const now = await extendVolume(before, size);
  if (isThin(now) || now.size === before.size) return;
  const { vg, lv } = location;
  const opened = await openLocal({ vg, lv }, { mode: "write", ref: formatLvmRef(location) });
  try {
    await opened.volume.zero(before.size, now.size - before.size);
    await opened.volume.flush();
  } finally {
    await closeVolume(opened);
  }
}

async function renameVolume(location: LvmLocation, name: string): Promise<LvmLocation> {
  checkVolumeName(location, name);
  await renameTo(await requireRenamable(location), name);
  return { ...location, lv: name };
}

async function requireRenamable(location: LvmLocation): Promise<LogicalVolume> {
  const volume = await requireVolume(location);
  checkOpenable(volume, "read");
  // What deactivates it later finds it by its name.
  if (await isActivatedByUs(volume)) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: "it was activated to be opened or attached",
      hint: "`blockhaul attachments` shows by whom",
    });
  }
  return volume;
}

async function listSnapshots(location: LvmLocation): Promise<SnapshotInfo<LvmLocation>[]> {
  const found = await snapshotsOf(location);
  return found.map(({ name, size }) => ({ name, size, location: { ...location, lv: name } }));
}

async function createSnapshot(
  location: LvmLocation,
  { name = newSnapshotName() }: SnapshotOptions,
): Promise<LvmLocation> {
  checkVolumeName(location, name);
  await takeSnapshot({ ...location, snapshot: name });
  return { ...location, lv: name };
}

/** Snapshots are volumes of the group, and share its names with all others. */
async function checkSnapshotName(location: LvmLocation, name: string): Promise<void> {
  checkVolumeName(location, name);
  const { vg } = location;
  const isTaken = name === location.lv || (await findVolume(vg, name)) !== undefined;
  if (isTaken) throw existsAlready({ vg, lv: name });
}

function checkVolumeName({ vg }: LvmLocation, name: string): void {
  const fault = faultOfVolumeName(vg, name);
  if (fault !== undefined) throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: fault });
}

function status(): DriverStatus {
  if (isLvmInstalled()) return { available: true };
  return { available: false, reason: `install it: apt-get install ${LVM.package}` };
}
