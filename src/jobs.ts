import { stat } from "node:fs/promises";

import { type CopyLimits, LIMIT_KEYS } from "./copy/control.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import { isLongAgo } from "./jobs/age.js";
import { readControl, writeControl } from "./jobs/control.js";
import { clientsOf, Job } from "./jobs/job.js";
import {
  type BegunNote,
  type EndedNote,
  type EndState,
  isResumableAfter,
  type JobNote,
  type JobOptions,
  parseJobRecord,
  parseNotes,
} from "./jobs/record.js";
import { JobStore } from "./jobs/store.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { type DigestKind, native, type Range } from "./native.js";
import type { Volume } from "./volume.js";
import type { VolumeEnd } from "./volume-end.js";

export type { JobOptions } from "./jobs/record.js";

/**
 * "interrupted": stopped on request, or its process is gone; "superseded": the target was written to by
 * another job since; "unreadable": its journal says nothing that this version understands.
 */
export type JobState = "running" | EndState | "unreadable";

/** What is known of a job. */
export interface JobStatus {
  readonly id: string;
  readonly state: JobState;
  /** Of one that runs: what it was told since it began, and whether it pauses. */
  readonly limits: CopyLimits;
  /** `resume` can go on with it, as far as the journal tells. */
  readonly resumable: boolean;
  readonly source: VolumeEnd | undefined;
  readonly target: VolumeEnd | undefined;
  /** Bytes. */
  readonly size: number;
  /** Bytes from the start that are done and flushed. */
  readonly done: number;
  readonly algorithm: DigestKind;
  readonly options: JobOptions | undefined;
  /** ISO 8601. */
  readonly createdAt: string | undefined;
  /** When the last run began, and its process. */
  readonly begunAt: string | undefined;
  readonly pid: number | undefined;
  readonly endedAt: string | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly digest: string | undefined;
  /** What of the source could not be read. */
  readonly bad: readonly Range[];
  /** Where the journal lies. */
  readonly journal: string;
}

/** Where jobs are looked for. */
export interface JobsOptions {
  /** The host's place for it unless told. */
  readonly stateDirectory?: string | undefined;
}

const JOBS_KEYS: KeysOf<JobsOptions> = { stateDirectory: true };

function storeOf(what: string, options: JobsOptions): JobStore {
  return new JobStore(checkKeys(what, options, JOBS_KEYS).stateDirectory);
}

/** Every job that has a journal, the oldest first. */
export async function listJobs(options: JobsOptions = {}): Promise<JobStatus[]> {
  const store = storeOf("listJobs", options);
  const jobs: JobStatus[] = [];
  for (const id of await store.ids()) {
    const job = await statusOf(store, id);
    if (job !== undefined) jobs.push(job);
  }
  return jobs.sort((a, b) => (a.createdAt ?? "").localeCompare(b.createdAt ?? ""));
}

/**
 * One job.
 *
 * @param id or the beginning of one that no other has
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_INVALID_ARGUMENT
 */
export async function showJob(id: string, options: JobsOptions = {}): Promise<JobStatus> {
  const store = storeOf("showJob", options);
  const whole = await store.find(id);
  const job = await statusOf(store, whole);
  if (job !== undefined) return job;
  throw new BlockhaulError("ERR_NOT_FOUND", { message: `job ${whole} was just removed` });
}

/**
 * The last job between the same two volumes that can go on; undefined where there is none.
 *
 * @param source and `target`: open, in whatever mode
 */
export async function findResumable(
  source: Volume,
  target: Volume,
  options: JobsOptions = {},
): Promise<JobStatus | undefined> {
  const store = storeOf("findResumable", options);
  const id = await store.lastOf(target.info.identity);
  const job = id === undefined ? undefined : await statusOf(store, id);
  const isEnd = (end: VolumeEnd | undefined, { info }: Volume) =>
    end?.identity === info.identity && end.size === info.size;
  const fits = job?.resumable && isEnd(job.source, source) && isEnd(job.target, target);
  return fits ? job : undefined;
}

/**
 * Forgets a job; its target stays as it is.
 *
 * @throws BlockhaulError ERR_IN_USE while a process works on it
 */
export async function removeJob(id: string, options: JobsOptions = {}): Promise<JobStatus> {
  const store = storeOf("removeJob", options);
  const job = await showJob(id, options);
  const hold = await store.hold(job.id);
  if (hold === undefined) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: `process ${job.pid ?? "unknown"} works on job ${job.id}`,
      hint: "stop it first: SIGINT drains it and keeps what is done",
    });
  }
  try {
    await store.remove(job.id);
  } finally {
    hold.release();
  }
  return job;
}

/**
 * Changes a job that runs: its limits, or whether it pauses. It takes effect within a second.
 *
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_INVALID_ARGUMENT where the job does not run
 */
export async function controlJob(
  id: string,
  limits: CopyLimits,
  options: JobsOptions = {},
): Promise<JobStatus> {
  const store = storeOf("controlJob", options);
  checkKeys("controlJob", limits, LIMIT_KEYS);
  const job = await showJob(id, options);
  if (job.state !== "running") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `job ${job.id} does not run: it is ${job.state}`,
    });
  }
  try {
    await writeControl(store, job.id, limits);
  } catch (error) {
    throw toBlockhaulError(error, { volume: store.controlOf(job.id) });
  }
  return job;
}

/** A target is about to be written to: what an earlier job recorded of it does not count any more. */
export async function supersedeJobs(store: JobStore, target: string): Promise<void> {
  const id = await store.lastOf(target);
  const status = id === undefined ? undefined : await statusOf(store, id);
  if (!status?.resumable || status.target?.identity !== target) return;
  const job = await Job.open(store, status.id);
  try {
    await job.end("superseded");
  } finally {
    job.close();
  }
}

/** What a cluster calls the last job's runs to a target, where no process works on that job any more. */
export async function goneClientsOf(store: JobStore, target: string): Promise<string[]> {
  const id = await store.lastOf(target);
  if (id === undefined || (await store.isHeld(id))) return [];
  // A journal that cannot be read vouches for nobody.
  return store
    .withJournal(id, async (file) => clientsOf((await native().readJournal(file)).notes))
    .catch(() => []);
}

/** Journals of jobs that can never go on are worth a look for a while, not for ever. */
const KEPT_FINISHED = 200;
/** So many more are let gather before all journals are read to find the oldest. */
const PRUNED_AT_ONCE = 50;

/** Removes the oldest jobs that are done, or that can never go on: those of more than 90 days ago, and of many the most. */
export async function pruneJobs(
  store: JobStore,
  kept = KEPT_FINISHED,
  slack = PRUNED_AT_ONCE,
  now = Date.now(),
): Promise<void> {
  await store.sweep();
  const every = await store.ids();
  const isFull = every.length > kept + slack;
  const ids = isFull ? every : await notWrittenForLong(store, every, now);
  if (ids.length === 0) return;
  const all = await Promise.all(ids.map((id) => statusOf(store, id)));
  const finished = all
    .filter((job) => job?.state === "done" || job?.state === "superseded")
    .filter((job) => job !== undefined)
    .sort((a, b) => (b.endedAt ?? "").localeCompare(a.endedAt ?? ""));
  // What is part of a migration may be asked for as long as that has not ended.
  const isOld = ({ endedAt, options }: JobStatus) =>
    endedAt !== undefined && options?.partOf === undefined && isLongAgo(new Date(endedAt), now);
  for (const { id } of finished.filter((job, place) => place >= kept || isOld(job))) {
    const hold = await store.hold(id);
    if (hold === undefined) continue;
    try {
      await store.remove(id);
    } finally {
      hold.release();
    }
  }
}

/** Those whose journals nobody has written to for so long: only they are read. */
async function notWrittenForLong(
  store: JobStore,
  ids: readonly string[],
  now: number,
): Promise<string[]> {
  const found = await Promise.all(
    ids.map(async (id) => {
      const status = await stat(store.journalOf(id)).catch(() => undefined);
      return status !== undefined && isLongAgo(status.mtime, now) ? [id] : [];
    }),
  );
  return found.flat();
}

/** Undefined where the job was removed meanwhile. */
async function statusOf(store: JobStore, id: string): Promise<JobStatus | undefined> {
  const file = store.journalOf(id);
  let contents: Awaited<ReturnType<ReturnType<typeof native>["readJournal"]>>;
  try {
    contents = await store.withJournal(id, (journal) => native().readJournal(journal));
  } catch (error) {
    const { code, message } = toBlockhaulError(error);
    return code === "ERR_NOT_FOUND" ? undefined : unreadable(id, file, { code, message });
  }
  const record = parseJobRecord(contents.job);
  if (record === undefined) {
    return unreadable(id, file, { code: "ERR_JOURNAL", message: "of another version" });
  }
  let notes: JobNote[];
  try {
    notes = parseNotes(contents.notes);
  } catch (error) {
    const { code, message } = toBlockhaulError(error);
    return unreadable(id, file, { code, message });
  }
  const begun = notes.findLast((note): note is BegunNote => note.type === "begun");
  const last = notes.at(-1);
  const ended: EndedNote | undefined = last?.type === "ended" ? last : undefined;
  const isRunning = await store.isHeld(id);
  const state = isRunning ? "running" : (ended?.state ?? "interrupted");
  return {
    id,
    state,
    limits: isRunning ? await readControl(store, id) : {},
    resumable:
      state === "interrupted" ||
      (state === "failed" && (ended?.error === undefined || isResumableAfter(ended.error))),
    source: record.source,
    target: record.target,
    size: contents.size,
    done: contents.frontier,
    algorithm: contents.digest,
    options: record.options,
    createdAt: record.createdAt,
    begunAt: begun?.at,
    pid: begun?.pid,
    endedAt: ended?.at,
    error: ended?.error,
    digest: ended?.digest,
    bad: contents.bad,
    journal: file,
  };
}

function unreadable(id: string, journal: string, error: JobStatus["error"]): JobStatus {
  return {
    id,
    state: "unreadable",
    limits: {},
    resumable: false,
    source: undefined,
    target: undefined,
    size: 0,
    done: 0,
    algorithm: "none",
    options: undefined,
    createdAt: undefined,
    begunAt: undefined,
    pid: undefined,
    endedAt: undefined,
    error,
    digest: undefined,
    bad: [],
    journal,
  };
}
