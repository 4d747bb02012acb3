/** What an open did with LVM, and how it is undone. */
import type { StepKind } from "../attachments/step.js";
import { SNAPSHOT_PREFIX } from "./names.js";
import { findVolume } from "./run.js";
import { isSnapshot } from "./snapshots.js";
import { deactivateVolume, removeVolume } from "./volumes.js";

/** A volume that was inactive and is activated. */
export type ActivationData = {
  readonly vg: string;
  readonly lv: string;
  /** Of the group: another that comes with the same name is none of it. Records of before have none. */
  readonly vgUuid?: string;
  /** A volume of the same name that was made meanwhile is another one. */
  readonly uuid: string;
};

export const lvmActivationStep: StepKind<ActivationData> = {
  name: "lvm-activation",
  untilReboot: true,
  key: ({ uuid }) => uuid,
  describe: ({ vg, lv }) => `activation of the logical volume ${vg}/${lv}`,
  async undo({ vg, vgUuid, lv, uuid }) {
    // Whoever has it open by now needs it active, and it is none of ours any more.
    await deactivateVolume({ vg: vgUuid ?? vg, lv }, uuid);
  },
};

/** A snapshot that was taken to be copied from. */
export type SnapshotData = {
  readonly vg: string;
  readonly lv: string;
};

export const lvmSnapshotStep: StepKind<SnapshotData> = {
  name: "lvm-snapshot",
  key: ({ vg, lv }) => `${vg}/${lv}`,
  describe: ({ vg, lv }) => `snapshot ${vg}/${lv}`,
  async undo({ vg, lv }) {
    if (!lv.startsWith(SNAPSHOT_PREFIX)) return;
    const volume = await findVolume(vg, lv);
    if (volume !== undefined && isSnapshot(volume)) await removeVolume(volume);
  },
};
