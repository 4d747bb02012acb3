/** What has to be done, and recorded, before a logical volume can be opened. */
import type { Attachment } from "../attachments/attachment.js";
import { attachmentStore } from "../attachments/store.js";
import { BlockhaulError } from "../errors.js";
import { newSnapshotName } from "../lvm/names.js";
import type { LogicalVolume } from "../lvm/report.js";
import { createSnapshot } from "../lvm/snapshots.js";
import { refuseInvalid } from "../lvm/states.js";
import { type ActivationData, lvmActivationStep, lvmSnapshotStep } from "../lvm/steps.js";
import { activateVolume, requireVolume } from "../lvm/volumes.js";
import type { LvmLocation } from "./lvm-ref.js";

/**
 * The volume, active for as long as the attachment is not undone, if it was not active before anybody
 * attached it.
 */
export async function activateFor(
  { vg, lv }: LvmLocation,
  attachment: Attachment,
): Promise<LogicalVolume> {
  const volume = await requireVolume({ vg, lv });
  const data = { vg, lv, vgUuid: volume.vgUuid, uuid: volume.uuid };
  if (volume.isActive) {
    await attachment.share(lvmActivationStep, data);
    return volume;
  }
  await attachment.record(lvmActivationStep, data);
  return activateVolume(volume);
}

/** A snapshot, taken now, that is removed with the attachment. */
export async function snapshotFor(
  { vg, lv }: LvmLocation,
  attachment: Attachment,
): Promise<LvmLocation> {
  const snapshot = newSnapshotName();
  await attachment.record(lvmSnapshotStep, { vg, lv: snapshot });
  await createSnapshot({ vg, lv, snapshot });
  return { vg, lv: snapshot };
}

/** Whether an attachment activated it, which deactivates it when it is undone. */
export async function isActivatedByUs({ vg, name, uuid }: LogicalVolume): Promise<boolean> {
  const own = lvmActivationStep.key({ vg, lv: name, uuid });
  const records = await attachmentStore.list();
  return records.some(({ steps }) =>
    steps.some(
      ({ kind, data }) =>
        kind === lvmActivationStep.name && lvmActivationStep.key(data as ActivationData) === own,
    ),
  );
}

/** @throws BlockhaulError ERR_NOT_A_VOLUME of pools and the like, ERR_IO of an invalid snapshot, ERR_READ_ONLY */
export function checkOpenable(volume: LogicalVolume, mode: "read" | "write"): void {
  refuseInvalid(volume);
  if (!volume.roles.includes("public")) {
    throw new BlockhaulError("ERR_NOT_A_VOLUME", {
      message: `it holds other volumes and no data of its own: it is ${volume.layout.join(", ")}`,
    });
  }
  if (mode === "write" && volume.isReadOnly) {
    throw new BlockhaulError("ERR_READ_ONLY", {
      message: "the logical volume is marked read-only",
      hint: "`lvchange -prw` makes it writable",
    });
  }
}
