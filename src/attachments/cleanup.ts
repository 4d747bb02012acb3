import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { Attachment, bootId } from "./attachment.js";
import { stepKind } from "./kinds.js";
import { withHostLock } from "./lock.js";
import type { AttachmentRecord } from "./record.js";
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

/** Every attachment of this host, oldest first. */
export async function listAttachments(): Promise<AttachmentStatus[]> {
  const records = await attachmentStore.list();
  return Promise.all(records.map(describeRecord));
}

/**
 * Undoes every abandoned attachment, newest first; as often as it is called. Others are left alone.
 *
 * @throws BlockhaulError ERR_IN_USE where others attach or detach for too long, ERR_IO for a file
 *   that is no record. What cannot be undone is in the answer.
 */
export function cleanUpAttachments(): Promise<CleanedAttachment[]> {
  return withHostLock(async () => {
    const cleaned: CleanedAttachment[] = [];
    for (const record of (await attachmentStore.list()).reverse()) {
      const abandoned = await takeAbandoned(record);
      if (abandoned !== undefined) cleaned.push(await undoOne(abandoned));
    }
    return cleaned;
  });
}

/**
 * Undoes a kept or abandoned attachment.
 *
 * @param idOrRef its id, or the ref that it was made for
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE where a living process uses it,
 *   ERR_INVALID_ARGUMENT where a ref names several; and what the undo meets
 */
export function detachVolume(idOrRef: string): Promise<CleanedAttachment> {
  return withHostLock(async () => {
    const records = await attachmentStore.list();
    const named = records.filter(({ id, ref }) => id === idOrRef || ref === idOrRef);
    const [record, ...further] = named;
    if (record === undefined) {
      throw new BlockhaulError("ERR_NOT_FOUND", {
        message: `no attachment has the id or the ref ${idOrRef}`,
        hint: "`blockhaul attachments` lists them",
      });
    }
    if (further.length > 0) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: `${named.length} attachments have the ref ${idOrRef}: ${named.map(({ id }) => id).join(", ")}`,
        hint: "name one by its id",
      });
    }
    const taken = record.kept ? await takeKept(record) : await takeAbandoned(record);
    if (taken === undefined) {
      throw new BlockhaulError("ERR_IN_USE", {
        message: `the attachment ${record.id} is used by the process ${record.pid}`,
        hint: "it is undone when that process closes the volume or ends",
      });
    }
    return { id: taken.id, ref: taken.ref, undone: await taken.undo() };
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
  try {
    return { id, ref, undone: await attachment.undo() };
  } catch (error) {
    return { id, ref, undone: [], error: toBlockhaulError(error) };
  }
}

/** An attachment that nobody answers for, now held by us; undefined where somebody does. */
async function takeAbandoned(record: AttachmentRecord): Promise<Attachment | undefined> {
  if (record.kept && isOfThisBoot(record) && record.failure === undefined) return undefined;
  return takeKept(record);
}

async function takeKept(record: AttachmentRecord): Promise<Attachment | undefined> {
  const hold = await attachmentStore.hold(record.id);
  return hold === undefined ? undefined : new Attachment(record, hold);
}

async function describeRecord(record: AttachmentRecord): Promise<AttachmentStatus> {
  const { id, ref, createdAt, pid, failure } = record;
  const steps: string[] = [];
  let device: string | undefined;
  for (const { kind: name, data } of record.steps) {
    const kind = await stepKind(name);
    steps.push(kind.describe(data));
    device = (await kind.device?.(data)) ?? device;
  }
  return { id, ref, state: await stateOf(record), createdAt, pid, device, steps, failure };
}

async function stateOf(record: AttachmentRecord): Promise<AttachmentState> {
  const hold = await attachmentStore.hold(record.id);
  if (hold === undefined) return "in use";
  hold.release();
  return record.kept && isOfThisBoot(record) && record.failure === undefined ? "kept" : "abandoned";
}

function isOfThisBoot(record: AttachmentRecord): boolean {
  return record.bootId === bootId();
}

async function keysOf({ steps }: AttachmentRecord): Promise<string[]> {
  return Promise.all(
    steps.map(async ({ kind, data }) => `${kind} ${(await stepKind(kind)).key(data)}`),
  );
}
