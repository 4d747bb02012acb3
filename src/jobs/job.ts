import { readFile } from "node:fs/promises";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import {
  type DigestKind,
  type NativeJournal,
  type NativeJournalContents,
  native,
} from "../native.js";
import type { NativeRegionLock } from "../native-host.js";
import { onlyGiven } from "../only-given.js";
import {
  type BegunNote,
  type EndedNote,
  type EndState,
  type JobRecord,
  noteError,
  parseJobRecord,
  parseNotes,
} from "./record.js";
import type { JobStore } from "./store.js";

/** What a run of a job notes of itself. */
export interface RunFacts {
  /** What a cluster calls it. */
  readonly client: string | undefined;
  /** See BegunNote. */
  readonly sourceStamp: string | undefined;
}

/** A job that this process works on: nobody else does, until it is closed. */
export class Job {
  readonly store: JobStore;
  readonly record: JobRecord;
  readonly journal: NativeJournal;
  /** What the journal said when this process took it up. */
  readonly contents: NativeJournalContents;
  readonly #hold: NativeRegionLock;

  private constructor(
    store: JobStore,
    record: JobRecord,
    journal: NativeJournal,
    hold: NativeRegionLock,
  ) {
    this.store = store;
    this.record = record;
    this.journal = journal;
    this.contents = journal.contents();
    this.#hold = hold;
  }

  get id(): string {
    return this.record.id;
  }

  /**
   * Makes a new job of the record, and says that it began.
   *
   * @param run what is known of this run
   */
  static async create(
    store: JobStore,
    facts: Omit<JobRecord, "version" | "id" | "kind" | "createdAt">,
    geometry: { readonly size: number; readonly digest: DigestKind },
    run: RunFacts,
  ): Promise<Job> {
    await store.make();
    const id = store.newId();
    const createdAt = new Date().toISOString();
    const record: JobRecord = { version: 1, id, kind: "copy", createdAt, ...facts };
    const hold = await holdOf(store, id);
    try {
      await store.setLastOf(record.target.identity, id);
      const header = { ...geometry, base: 0, job: JSON.stringify(record) };
      const journal = await native().createJournal(store.journalOf(id), header);
      return await beginRun(new Job(store, record, journal, hold), run);
    } catch (error) {
      hold.release();
      throw toBlockhaulError(error, { volume: store.journalOf(id) });
    }
  }

  /**
   * Takes up a job that somebody began.
   *
   * @throws BlockhaulError ERR_IN_USE where a process works on it; ERR_JOURNAL; ERR_NOT_FOUND
   */
  static async open(store: JobStore, id: string): Promise<Job> {
    const hold = await holdOf(store, id);
    try {
      const journal = await store.withJournal(id, (file) => native().openJournal(file));
      const record = parseJobRecord(journal.contents().job);
      if (record === undefined) throw unknownVersion(store.journalOf(id));
      checkGeometry(record, journal.contents());
      return new Job(store, record, journal, hold);
    } catch (error) {
      hold.release();
      throw toBlockhaulError(error, { volume: store.journalOf(id) });
    }
  }

  /** Says that a further run of it begins. */
  begin(run: RunFacts): Promise<Job> {
    return beginRun(this, run);
  }

  /** What a cluster called earlier runs: nobody but this process works on the job, so they are gone. */
  get goneClients(): string[] {
    return clientsOf(this.contents.notes);
  }

  /** The host has started anew since the last run began, so that unflushed bytes may be gone. */
  async isFromBeforeStart(): Promise<boolean> {
    return this.#lastBegin?.bootId !== (await currentBootId());
  }

  /**
   * The source's stamp before the last run read of it. A device counts anew once the host has started anew: undefined
   * then.
   */
  async sourceStamp(): Promise<string | undefined> {
    return (await this.isFromBeforeStart()) ? undefined : this.#lastBegin?.sourceStamp;
  }

  get #lastBegin(): BegunNote | undefined {
    return parseNotes(this.contents.notes).findLast(
      (note): note is BegunNote => note.type === "begun",
    );
  }

  /** How the job ended last; undefined where it is under way, or was killed. */
  get lastEnd(): EndedNote | undefined {
    const last = parseNotes(this.contents.notes).at(-1);
    return last?.type === "ended" ? last : undefined;
  }

  /** Says how this run ended. A journal that cannot be written any more says that it was killed. */
  async end(state: EndState, about: { error?: BlockhaulError; digest?: string | undefined } = {}) {
    const note: EndedNote = {
      type: "ended",
      at: new Date().toISOString(),
      state,
      ...(about.error === undefined ? {} : { error: noteError(about.error) }),
      ...(about.digest === undefined ? {} : { digest: about.digest }),
    };
    await this.journal.appendNote(JSON.stringify(note));
  }

  close(): void {
    this.journal.close();
    this.#hold.release();
  }
}

/** What a cluster called the runs that notes tell of. */
export function clientsOf(notes: readonly string[]): string[] {
  return parseNotes(notes).flatMap((note) => (note.type === "begun" ? (note.client ?? []) : []));
}

async function beginRun(job: Job, { client, sourceStamp }: RunFacts): Promise<Job> {
  const note: BegunNote = {
    type: "begun",
    at: new Date().toISOString(),
    pid: process.pid,
    bootId: await currentBootId(),
    ...onlyGiven({ client, sourceStamp }),
  };
  await job.journal.appendNote(JSON.stringify(note));
  return job;
}

async function holdOf(store: JobStore, id: string): Promise<NativeRegionLock> {
  const hold = await store.hold(id);
  if (hold !== undefined) return hold;
  throw new BlockhaulError("ERR_IN_USE", {
    message: `another process works on job ${id}`,
    hint: `\`blockhaul jobs show ${id}\` names it; wait for its end`,
  });
}

/** Both were written at once: before anything is read by the one or the other, they have to be of one copy. */
function checkGeometry({ source }: JobRecord, { size, base }: NativeJournalContents): void {
  if (size === source.size && base === 0) return;
  throw new BlockhaulError("ERR_JOURNAL", {
    message: `it was damaged: it is about ${size} bytes from ${base} on, and its source has ${source.size}`,
  });
}

function unknownVersion(file: string): BlockhaulError {
  return new BlockhaulError("ERR_JOURNAL", {
    volume: file,
    message: "its job is none that this version knows",
  });
}

async function currentBootId(): Promise<string> {
  const text = await readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => "");
  return text.trim();
}
