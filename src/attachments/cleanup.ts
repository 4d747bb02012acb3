import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { Attachment, bootId } from "./attachment.js";
import { isStepKind, stepKind } from "./kinds.js";
import { withHostLock } from "./lock.js";
import type { AttachmentRecord } from "./record.js";
import type { RecordedStep } from "./step.js";
import { attachmentStore } from "./store.js";

/**
 * "in use": a living process answers for it. "kept": `attach` made it, and `detach` undoes it.
 * "abandoned": its process was killed, its undo failed, or the host was started anew; `cleanup` undoes it.
 */
export type AttachmentState = "in use" | "kept" | "abandoned";

/** An attachment, as a list shows it. */
export interface AttachmentStatus {
  readonly id: string;
  readonly ref: string;
  readonly state: AttachmentState;
  readonly createdAt: string;
  /** Of the process that made it. */
  readonly pid: number;
  /** Of the block device, as the kernel names it now; it may be another after a reconnect. */
  readonly device: string | undefined;
  /** What was done, in order, in words. */
  readonly steps: readonly string[];
  /** Why the last undo stopped. */
  readonly failure: string | undefined;
}

/** What became of one attachment. */
export interface CleanedAttachment {
  readonly id: string;
  readonly ref: string;
  /** What was undone, newest first, in words. */
  readonly undone: readonly string[];
  /** Why it could not be undone; what is left stays recorded. */
  readonly error?: BlockhaulError;
}

/**
 * Every attachment of this host, oldest first.
 *
 * @throws BlockhaulError ERR_JOURNAL for a file that is no record
 */
export async function listAttachments(): Promise<AttachmentStatus[]> {
  const described = (await attachmentStore.list()).map(describeRecord);
  return (await Promise.all(described)).filter((status) => status !== undefined);
}

/**
 * Undoes every abandoned attachment, newest first; as often as it is called. Others are left alone.
 *
 * @throws BlockhaulError ERR_TIMEOUT where others attach or detach for too long, ERR_JOURNAL for a file
 *   that is no record. What cannot be undone is in the answer.
 */
export function cleanUpAttachments(): Promise<CleanedAttachment[]> {
  return withHostLock(async () => {
    const cleaned: CleanedAttachment[] = [];
    for (const record of (await attachmentStore.list()).reverse()) {
      const abandoned = await takeAbandoned(record);
      if (abandoned !== undefined) cleaned.push(await undoOne(abandoned));
    }
    await attachmentStore.sweep();
    return cleaned;
  });
}

/**
 * Undoes a kept or abandoned attachment.
 *
 * @param named its id, or the ref that it was made for
 * @param ref the same ref in the driver's own form, where that is another
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE where a living process uses it,
 *   ERR_INVALID_ARGUMENT where a ref names several; and what the undo meets
 */
export function detachAttachment(named: string, ref = named): Promise<CleanedAttachment> {
  return withHostLock(async () => {
    const records = await attachmentStore.list();
    const found = records.filter((record) => record.id === named || record.ref === ref);
    const [record, ...further] = found;
    if (record === undefined) {
      throw new BlockhaulError("ERR_NOT_FOUND", {
        message: `no attachment has the id or the ref ${named}`,
        hint: "`blockhaul attachments` lists them",
      });
    }
    if (further.length > 0) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: `${found.length} attachments have the ref ${named}: ${found.map(({ id }) => id).join(", ")}`,
        hint: "name one by its id",
      });
    }
    const taken = await take(record);
    if (taken === undefined) {
      throw new BlockhaulError("ERR_IN_USE", {
        message: `the attachment ${record.id} is used by the process ${record.pid}`,
        hint: "it is undone when that process closes the volume or ends",
      });
    }
    const undone: string[] = [];
    await taken.undo(undone);
    return { id: taken.id, ref: taken.ref, undone };
  });
}

/**
 * Finishes what was abandoned of a thing that is about to be attached again.
 *
 * @param keys of steps, each with its kind's name before it
 * @throws BlockhaulError ERR_IN_USE where that fails: what is left of the old one could be taken for
 *   the new one
 */
export async function settleAbandoned(keys: readonly string[]): Promise<void> {
  for (const record of (await attachmentStore.list()).reverse()) {
    if (!(await keysOf(record)).some((key) => keys.includes(key))) continue;
    const abandoned = await takeAbandoned(record);
    if (abandoned === undefined) continue;
    const { error } = await undoOne(abandoned);
    if (error === undefined) continue;
    throw new BlockhaulError("ERR_IN_USE", {
      message: `an earlier attachment of it, ${record.id}, is not undone yet: ${error.message}`,
      hint: "remove the cause, then run `blockhaul cleanup`",
      cause: error,
    });
  }
}

async function undoOne(attachment: Attachment): Promise<CleanedAttachment> {
  const { id, ref } = attachment;
  const undone: string[] = [];
  try {
    await attachment.undo(undone);
    return { id, ref, undone };
  } catch (error) {
    return { id, ref, undone, error: toBlockhaulError(error) };
  }
}

/** An attachment that nobody answers for, now held by us; undefined where somebody does. */
async function takeAbandoned(record: AttachmentRecord): Promise<Attachment | undefined> {
  return isKept(record) ? undefined : take(record);
}

async function take(record: AttachmentRecord): Promise<Attachment | undefined> {
  const hold = await attachmentStore.hold(record.id);
  return hold === undefined ? undefined : new Attachment(record, hold);
}

async function describeRecord(record: AttachmentRecord): Promise<AttachmentStatus | undefined> {
  const { id, ref, createdAt, pid, failure } = record;
  const steps = await Promise.all(record.steps.map(describeStep));
  const device = steps.findLast((step) => step.device !== undefined)?.device;
  const seen = await attachmentStore.look(id);
  if (seen === "gone") return undefined;
  const state = seen === "held" ? "in use" : isKept(record) ? "kept" : "abandoned";
  return { id, ref, state, createdAt, pid, device, steps: steps.map(({ text }) => text), failure };
}

/** One that this version cannot undo is listed all the same. */
async function describeStep({ kind: name, data }: RecordedStep) {
  try {
    const kind = await stepKind(name);
    return { text: kind.describe(data), device: await kind.device?.(data) };
  } catch (error) {
    return { text: `step of the kind "${name}": ${toBlockhaulError(error).message}` };
  }
}

/** Left by nobody: not after a start of the host, nor after an undo that failed. */
function isKept({ kept, failure, bootId: madeIn }: AttachmentRecord): boolean {
  return kept && failure === undefined && madeIn === bootId();
}

/** Of the steps that can be undone here. */
async function keysOf({ steps }: AttachmentRecord): Promise<string[]> {
  const keys: string[] = [];
  for (const { kind: name, data } of steps) {
    const kind = isStepKind(name) ? await stepKind(name) : undefined;
    if (kind !== undefined) keys.push(`${name} ${kind.key(data)}`);
  }
  return keys;
}
