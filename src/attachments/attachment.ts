import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { NativeFileLock } from "../native-host.js";
import { stepKind } from "./kinds.js";
import type { AttachmentRecord } from "./record.js";
import type { RecordedStep, StepData, StepKind } from "./step.js";
import { attachmentStore } from "./store.js";

/**
 * All that was done to open one volume, step by step, each recorded on disk before it is made. The
 * same record is undone by a close, by a failed open, by `detach`, and by `cleanup` after the process
 * was killed. Whoever calls has the host's lock.
 */
export class Attachment {
  #record: AttachmentRecord;
  #hold: NativeFileLock | undefined;

  constructor(record: AttachmentRecord, hold: NativeFileLock | undefined) {
    this.#record = record;
    this.#hold = hold;
  }

  get id(): string {
    return this.#record.id;
  }

  get ref(): string {
    return this.#record.ref;
  }

  /** Writes down a step that is about to be made: durable when this resolves. */
  async record<Data extends StepData>(kind: StepKind<Data>, data: Data): Promise<void> {
    await this.#save({ steps: [...this.#record.steps, { kind: kind.name, data }] });
  }

  /**
   * Joins in a step that another attachment made, so that the last of them undoes it. A thing that no
   * attachment lists is somebody else's: it is used, and left as it is.
   *
   * @returns whether it is a step of this attachment now
   */
  async share<Data extends StepData>(kind: StepKind<Data>, data: Data): Promise<boolean> {
    const key = kind.key(data);
    for (const record of await attachmentStore.list()) {
      if (record.id === this.id) continue;
      const made = stepsOfKind(record, kind).find((step) => kind.key(step) === key);
      if (made === undefined) continue;
      await this.record(kind, made);
      return true;
    }
    return false;
  }

  /** Says what has become known of a step, the newest with the same key. */
  async amend<Data extends StepData>(kind: StepKind<Data>, data: Data): Promise<void> {
    const { steps } = this.#record;
    const isIt = (step: RecordedStep) =>
      step.kind === kind.name && kind.key(step.data as Data) === kind.key(data);
    const index = steps.findLastIndex(isIt);
    if (index < 0) throw new BlockhaulError("ERR_INTERNAL", { message: `no step ${kind.name}` });
    await this.#save({ steps: steps.with(index, { kind: kind.name, data }) });
  }

  /** Takes a step back out, the newest with the same key, whose thing is gone: one that comes later is another's. */
  async forget<Data extends StepData>(kind: StepKind<Data>, data: Data): Promise<void> {
    const { steps } = this.#record;
    const isIt = (step: RecordedStep) =>
      step.kind === kind.name && kind.key(step.data as Data) === kind.key(data);
    const index = steps.findLastIndex(isIt);
    if (index >= 0) await this.#save({ steps: steps.toSpliced(index, 1) });
  }

  /**
   * Undoes all steps, newest first, and removes the record. A step that another attachment lists too
   * is left to that one. The first that fails stops it: a LUN must not be logged out or exported
   * anew while its device is still there, for the device would then be somebody else's volume.
   *
   * @param undone takes what was undone, in words, also where a later step fails
   * @throws BlockhaulError of the step that failed; what is left stays recorded, for `cleanup`
   */
  async undo(undone: string[] = []): Promise<void> {
    try {
      await this.#undoSteps(undone);
      await attachmentStore.remove(this.id);
    } catch (error) {
      const failure = toBlockhaulError(error);
      await this.#save({ failure: failure.message }).catch(() => {});
      throw failure.withContext({ volume: this.ref, operation: "detach" });
    } finally {
      this.release();
    }
  }

  async #undoSteps(undone: string[]): Promise<void> {
    const others = (await attachmentStore.list()).filter(({ id }) => id !== this.id);
    const isOfThisBoot = this.#record.bootId === bootId();
    for (let step = this.#record.steps.at(-1); step; step = this.#record.steps.at(-1)) {
      const kind = await stepKind(step.kind);
      const { data } = step;
      const isGone = kind.untilReboot && !isOfThisBoot;
      if (!isGone && !isListed(kind, data, others)) {
        await undoStep(kind, data);
        undone.push(kind.describe(data));
      }
      await this.#forgetLastStep();
    }
  }

  /** Where that cannot be written, the step stays listed: undoing it again would do nothing. */
  async #forgetLastStep(): Promise<void> {
    const steps = this.#record.steps.slice(0, -1);
    await this.#save({ steps }).catch(() => {
      this.#record = { ...this.#record, steps };
    });
  }

  /** Lets go of it without undoing it: it is kept until somebody says `detach`. */
  async keep(): Promise<void> {
    await this.#save({ kept: true });
    this.release();
  }

  /** Nobody here answers for it any more: unless it is kept, `cleanup` may take it up. */
  release(): void {
    this.#hold?.release();
    this.#hold = undefined;
  }

  async #save(changes: Partial<AttachmentRecord>): Promise<void> {
    const changed = { ...this.#record, ...changes };
    await attachmentStore.save(changed);
    this.#record = changed;
  }
}

/** Begins an attachment for a ref: on disk, without any step. */
export async function openAttachment(ref: string): Promise<Attachment> {
  const record: AttachmentRecord = {
    version: 1,
    id: randomBytes(6).toString("hex"),
    ref,
    createdAt: new Date().toISOString(),
    bootId: bootId(),
    pid: process.pid,
    kept: false,
    steps: [],
  };
  // Held before it can be seen: who finds one that nobody holds takes it for abandoned.
  const attachment = new Attachment(record, await attachmentStore.hold(record.id));
  try {
    await attachmentStore.save(record);
  } catch (error) {
    attachment.release();
    await attachmentStore.remove(record.id).catch(() => {});
    throw error;
  }
  return attachment;
}

/** Of this boot: another one after every start of the host. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

async function undoStep(kind: StepKind, data: StepData): Promise<void> {
  try {
    await kind.undo(data);
  } catch (error) {
    const cause = toBlockhaulError(error);
    throw new BlockhaulError(cause.code, {
      message: `could not undo the ${kind.describe(data)}: ${cause.message}`,
      hint: whatToDo(cause),
      errno: cause.errno,
      cause,
    });
  }
}

function whatToDo({ code, hint }: BlockhaulError): string | undefined {
  // What is missing is named by the hint; `blockhaul cleanup` alone would not bring it.
  if (code === "ERR_DRIVER_UNAVAILABLE") return hint;
  const then = "`blockhaul cleanup` undoes what is left, once the cause is gone";
  return hint === undefined ? then : `${hint}; ${then}`;
}

/** Whether one of these attachments lists a step too. */
function isListed(kind: StepKind, data: StepData, records: readonly AttachmentRecord[]): boolean {
  const key = kind.key(data);
  return records.some((record) => stepsOfKind(record, kind).some((step) => kind.key(step) === key));
}

/** The steps of a kind that an attachment lists, but for those that a start of the host has undone. */
function stepsOfKind<Data extends StepData>(
  record: AttachmentRecord,
  kind: StepKind<Data>,
): Data[] {
  if (kind.untilReboot && record.bootId !== bootId()) return [];
  return record.steps.filter((step) => step.kind === kind.name).map(({ data }) => data as Data);
}
