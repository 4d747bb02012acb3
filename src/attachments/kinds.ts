import { BlockhaulError } from "../errors.js";
import type { StepKind } from "./step.js";

/** Loaded when a record first needs them. */
const KINDS: Readonly<Record<string, () => Promise<StepKind<never>>>> = {
  export: async () => (await import("../export-steps.js")).exportStep,
  connection: async () => (await import("../export-steps.js")).connectionStep,
  "iscsi-discovery": async () => (await import("../connectors/iscsi/steps.js")).discoveryStep,
  "iscsi-node": async () => (await import("../connectors/iscsi/steps.js")).nodeStep,
  "iscsi-session": async () => (await import("../connectors/iscsi/steps.js")).sessionStep,
  "iscsi-lun": async () => (await import("../connectors/iscsi/steps.js")).lunStep,
  "multipath-map": async () => (await import("../connectors/iscsi/steps.js")).mapStep,
  "lvm-activation": async () => (await import("../lvm/steps.js")).lvmActivationStep,
  "rbd-snapshot": async () => (await import("../drivers/rbd-steps.js")).rbdSnapshotStep,
  "lvm-snapshot": async () => (await import("../lvm/steps.js")).lvmSnapshotStep,
};

/** Whether this version knows how to undo steps of a kind. */
export function isStepKind(name: string): boolean {
  return Object.hasOwn(KINDS, name);
}

/**
 * How steps of a kind are undone.
 *
 * @throws BlockhaulError ERR_UNSUPPORTED for a kind that this version does not know
 */
export async function stepKind(name: string): Promise<StepKind> {
  const load = isStepKind(name) ? KINDS[name] : undefined;
  if (load !== undefined) return (await load()) as unknown as StepKind;
  throw new BlockhaulError("ERR_UNSUPPORTED", {
    message: `this version does not know how to undo a step of the kind "${name}"`,
    hint: "run the version of blockhaul that made it",
  });
}
