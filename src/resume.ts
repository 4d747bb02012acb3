import { cancelled, type EngineWatch, type HeldVolume, hold, watchOf } from "./copy/engine.js";
import { type CopyOptions, type CopyPlan, planCopy } from "./copy/plan.js";
import type { CopyReport } from "./copy/report.js";
import { runCopy } from "./copy/run.js";
import { chunkStart, compareWithJournal } from "./copy/verification.js";
import type { Provisioning } from "./driver.js";
import { BlockhaulError } from "./errors.js";
import { askGuards, throwRefusal } from "./guards/check.js";
import type { GuardName } from "./guards/guard.js";
import { checkWatched, ownClient } from "./guards/watched.js";
import { forgetControl, readControl } from "./jobs/control.js";
import { Job } from "./jobs/job.js";
import { JobStore } from "./jobs/store.js";
import { lockTarget } from "./jobs/target-lock.js";
import type { Range } from "./native.js";
import { onlyGiven } from "./only-given.js";
import { waitFor } from "./system/wait.js";
import { type OpenOptions, openVolume, type Volume } from "./volume.js";
import type { VolumeEnd } from "./volume-end.js";

/** How a copy goes on. What is not named is as the job was told when it was begun. */
export interface ResumeOptions
  extends Pick<
    CopyOptions,
    | "signal"
    | "onProgress"
    | "progressIntervalMs"
    | "control"
    | "stateDirectory"
    | "bandwidthLimit"
    | "iopsLimit"
    | "requestTimeoutMs"
    | "stallLimitMs"
    | "retries"
    | "salvage"
    | "verify"
    | "repair"
    | "allow"
    | "onGuards"
  > {
  /**
   * "thick": of a target that keeps all of its space. A volume does not say so of itself, and zeros that are made would
   * give space back.
   */
  readonly provisioning?: Provisioning | undefined;
  /** Called with the job, and how much of it still counts, before the copy goes on. */
  readonly onResume?: ((job: ResumedJob) => void) | undefined;
}

/** Where a job goes on. */
export interface ResumedJob {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes from the start that need not be copied again. */
  readonly begin: number;
  /** Bytes before that which were read back from both ends. */
  readonly checked: number;
  /** Bytes that were recorded, but did not hold when they were read back. */
  readonly dropped: number;
}

/** As long as a cluster shows a client that was killed, and a little more, in milliseconds. */
const WATCH_MS = 35_000;

/** What is read back before a copy goes on, in bytes; after a restart of the host, more. */
const WINDOW = 256 * 1024 ** 2;

/**
 * Goes on with a copy that has a journal. Opens both ends, as it named them; looks whether they are
 * what they were; reads the last of what is recorded back from both of them, and after a restart of
 * the host what the last two flushes covered; then copies the rest, and closes both.
 *
 * @param id of the job, or the beginning of it
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_IN_USE where a process works on the job or its target;
 *   ERR_JOURNAL where the journal does not fit an end any more, or the source has changed; and what
 *   `copyVolume` throws
 */
export async function resumeCopy(id: string, options: ResumeOptions = {}): Promise<CopyReport> {
  const { signal } = options;
  const store = new JobStore(options.stateDirectory);
  const job = await Job.open(store, await store.find(id));
  const volumes: Volume[] = [];
  let report: CopyReport;
  try {
    checkState(job);
    const source = await openEnd(job.record.source, { mode: "read", signal });
    volumes.push(source);
    const allow = allowedOf(job, options);
    const shared = allow.includes("mounted") || allow.includes("held");
    const { size } = job.record.target;
    const create =
      options.provisioning === "thick" ? { size, provisioning: "thick" as const } : undefined;
    const target = await openEnd(job.record.target, { mode: "write", shared, signal, create });
    volumes.push(target);
    report = await hold(source, "copy", (from) =>
      hold(target, "copy", (to) => goOn(job, from, to, options)),
    );
  } catch (error) {
    job.close();
    // The first error is what is reported; of a volume whose requests hang, the close fails by them.
    await Promise.allSettled(volumes.map((volume) => volume.close()));
    throw error;
  }
  job.close();
  const closed = await Promise.allSettled(volumes.map((volume) => volume.close()));
  const failed = closed.find((result) => result.status === "rejected");
  // A copy whose target could not be closed has failed.
  if (failed !== undefined) throw failed.reason;
  return report;
}

async function goOn(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  options: ResumeOptions,
): Promise<CopyReport> {
  const lock = await lockTarget(target.volume);
  try {
    const plan = planOf(job, source.volume, target.volume, {
      ...(await limitsTold(job)),
      ...onlyGiven(options),
    });
    const watch = watchOf(options);
    const recorded = job.journal.frontier;
    await checkAgain(job, source, target, options);
    const checked = await recheck(job, source, target, plan, watch);
    if (options.signal?.aborted) throw cancelled(options.signal);
    // Only now: a crash before it must leave the restart of the host to be seen.
    await job.begin(await ownClient(target.native));
    await forgetControl(job.store, job.id);
    const begin = job.journal.frontier;
    const { ref: from } = job.record.source;
    const { ref: to } = job.record.target;
    const facts = { source: from, target: to, size: plan.size, begin, dropped: recorded - begin };
    options.onResume?.({ id: job.id, ...facts, checked });
    const { manifest } = job.record.options;
    return await runCopy(source, target, plan, { job, manifest }, watch);
  } finally {
    lock?.release();
  }
}

/** What was fine when the job was begun may have been mounted since. */
async function checkAgain(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  options: ResumeOptions,
): Promise<void> {
  const { signal, onGuards } = options;
  const allow = allowedOf(job, options);
  if (!allow.includes("watched")) await awaitKilledClient(job, target, signal);
  const findings = await askGuards(source, target, {
    allow,
    goneClients: job.goneClients,
    signal,
  });
  onGuards?.(findings);
  throwRefusal(findings, { source: source.volume.ref, target: target.volume.ref });
  if (signal?.aborted) throw cancelled(signal);
}

/** A run that was killed before it could note what the cluster calls it is still shown for a while. */
async function awaitKilledClient(job: Job, { native }: HeldVolume, signal?: AbortSignal) {
  const isAlone = async () => (await checkWatched(native, job.goneClients)).isFree || undefined;
  await waitFor(isAlone, { deadlineMs: WATCH_MS, longestMs: 1000, signal });
}

/** The target carries the signatures of the source by now: what was copied is compared instead. */
function allowedOf({ record }: Job, { allow = [] }: ResumeOptions): GuardName[] {
  return ["signature", ...(record.options.allow ?? []), ...allow];
}

function checkState(job: Job): void {
  const { lastEnd, id } = job;
  if (lastEnd?.state === "done") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `job ${id} is done` });
  }
  if (lastEnd?.state !== "superseded") return;
  throw new BlockhaulError("ERR_JOURNAL", {
    message: `another job has written to the target of job ${id} since`,
    hint: "begin the copy anew",
  });
}

/** Opens an end and looks whether it is what the journal is bound to. */
async function openEnd(
  expected: VolumeEnd,
  options: OpenOptions & Required<Pick<OpenOptions, "mode">>,
): Promise<Volume> {
  const side = options.mode === "write" ? "target" : "source";
  let volume: Volume;
  try {
    volume = await openVolume(expected.ref, options);
  } catch (error) {
    throw error instanceof BlockhaulError ? error.withContext({ side }) : error;
  }
  const found = { identity: volume.info.identity, size: volume.size };
  const isSame = found.identity === expected.identity && found.size === expected.size;
  if (isSame) return volume;
  await volume.close();
  const what =
    found.identity === expected.identity
      ? `it has ${found.size} bytes, and had ${expected.size}`
      : `it is another volume: ${found.identity}, and was ${expected.identity}`;
  throw new BlockhaulError("ERR_JOURNAL", { side, volume: expected.ref, message: what });
}

function planOf(job: Job, source: Volume, target: Volume, options: ResumeOptions): CopyPlan {
  const { manifest, ...before } = job.record.options;
  return planCopy(source, target, {
    ...before,
    ...options,
    digest: job.contents.digest,
    manifest,
    journal: true,
  });
}

/** Limits that the job was told while it ran still count; that it was to pause does not. */
async function limitsTold(job: Job): Promise<ResumeOptions> {
  const { bandwidthLimit, iopsLimit } = await readControl(job.store, job.id);
  return onlyGiven({ bandwidthLimit, iopsLimit });
}

/**
 * Reads back the last of what is recorded. Where the target does not hold it, nothing that is recorded
 * is believed: all of it is read back, and the journal rewound to the first difference.
 *
 * @returns how many bytes before the frontier were read back
 */
async function recheck(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  watch: EngineWatch,
): Promise<number> {
  const { journal } = job;
  const end = journal.frontier;
  if (end === 0) return 0;
  const begin = await beginOfWindow(job);
  if (plan.digest === "none") {
    await journal.rewind(begin);
    return 0;
  }
  const verifying = { ...watch, phase: "verify" as const };
  const changed = await compareWithJournal(source, journal, plan, { begin, end }, verifying);
  // What could not be read then may be read now: zeros were recorded of it.
  const bad = job.contents.bad;
  const first = changed.find((range) => !bad.some((known) => overlaps(known, range)));
  if (first !== undefined) throw sourceChanged(job, first.offset);
  const wrong = await compareWithJournal(target, journal, plan, { begin, end }, verifying);
  if (wrong.length === 0) return end - begin;
  const all = await compareWithJournal(target, journal, plan, { begin: 0, end }, verifying);
  await journal.rewind(Math.min(all[0]?.offset ?? end, wrong[0]?.offset ?? end));
  return journal.frontier;
}

async function beginOfWindow(job: Job): Promise<number> {
  const end = job.journal.frontier;
  const window = chunkStart(Math.max(0, end - WINDOW));
  if (!(await job.isFromBeforeStart())) return window;
  const { checkpoints } = job.contents;
  return Math.min(window, checkpoints.at(-2) ?? 0);
}

function overlaps(one: Range, other: Range): boolean {
  return one.offset < other.offset + other.length && other.offset < one.offset + one.length;
}

function sourceChanged(job: Job, offset: number): BlockhaulError {
  return new BlockhaulError("ERR_JOURNAL", {
    side: "source",
    volume: job.record.source.ref,
    offset,
    message: "it was written to since the copy began",
    hint: "begin anew, from a snapshot or a source that nobody writes to",
  });
}
