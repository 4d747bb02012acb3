import { seal, unseal } from "../system/sealed.js";
import type { RecordedStep, StepData } from "./step.js";

/** What is on disk of an attachment: `<state>/attachments/<id>.json`, one JSON object. */
export interface AttachmentRecord {
  readonly version: 1;
  /** Twelve hexadecimal digits. */
  readonly id: string;
  /** The ref that was opened; refs hold no secrets. */
  readonly ref: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Of the boot that it was made in: devices and sessions do not outlive it. */
  readonly bootId: string;
  /** Of the process that made it, for people; whether it lives is told by its lock. */
  readonly pid: number;
  /** Outlives its process: `blockhaul attach` made it, `blockhaul detach` undoes it. */
  readonly kept: boolean;
  /** In the order in which they were made. */
  readonly steps: readonly RecordedStep[];
  /** Why the last undo stopped. */
  readonly failure?: string;
}

export const ATTACHMENT_ID = /^[0-9a-f]{12}$/;

/** A record out of its text; undefined where that is none, or was changed since it was written. */
export function parseRecord(text: string): AttachmentRecord | undefined {
  const unsealed = unseal(text);
  return "value" in unsealed && isRecord(unsealed.value) ? unsealed.value : undefined;
}

export function formatRecord(record: AttachmentRecord): string {
  return seal(record);
}

function isRecord(value: unknown): value is AttachmentRecord {
  if (!isObject(value)) return false;
  const { version, id, ref, createdAt, bootId, pid, kept, steps, failure } = value;
  return (
    version === 1 &&
    typeof id === "string" &&
    ATTACHMENT_ID.test(id) &&
    [ref, createdAt, bootId].every((text) => typeof text === "string") &&
    Number.isSafeInteger(pid) &&
    typeof kept === "boolean" &&
    (failure === undefined || typeof failure === "string") &&
    Array.isArray(steps) &&
    steps.every(isStep)
  );
}

function isStep(value: unknown): value is RecordedStep {
  return isObject(value) && typeof value.kind === "string" && isStepData(value.data);
}

function isStepData(value: unknown): value is StepData {
  if (!isObject(value)) return false;
  return Object.values(value).every(
    (item) => item === null || ["string", "number", "boolean"].includes(typeof item),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
