import { type End, Ends } from "./copy/ends.js";
import { cancelled, type HeldVolume, hold, watchOf } from "./copy/engine.js";
import { type CopyOptions, type CopyPlan, planCopy } from "./copy/plan.js";
import { recheck } from "./copy/recorded.js";
import type { CopyReport } from "./copy/report.js";
import { runCopy } from "./copy/run.js";
import type { Provisioning } from "./driver.js";
import { BlockhaulError, type Side } from "./errors.js";
import { askGuards, throwRefusal } from "./guards/check.js";
import { type Exclusion, excludeOthers, notExcludedOf } from "./guards/exclusion.js";
import type { GuardFinding, GuardName } from "./guards/guard.js";
import { checkWatched, ownClient } from "./guards/watched.js";
import { forgetControl, readControl } from "./jobs/control.js";
import { Job } from "./jobs/job.js";
import { isResumableAfter } from "./jobs/record.js";
import { JobStore } from "./jobs/store.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { checkManifestPlace } from "./manifest.js";
import { onlyGiven } from "./only-given.js";
import { waitFor } from "./system/wait.js";
import { sizeInWords } from "./units.js";
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
  /**
   * Compares only the last 256 MiB of what is recorded; false unless told. What somebody else wrote before that is not
   * found then.
   */
  readonly fast?: boolean | undefined;
  /** The target is this copy's alone: what it does not hold any more is copied again; false unless told, or `repair`. */
  readonly overwrite?: boolean | undefined;
  /** Called with the job, and how much of it still counts, before the copy goes on. */
  readonly onResume?: ((job: ResumedJob) => void) | undefined;
}

const RESUME_KEYS: KeysOf<ResumeOptions> = {
  signal: true,
  onProgress: true,
  progressIntervalMs: true,
  control: true,
  stateDirectory: true,
  bandwidthLimit: true,
  iopsLimit: true,
  requestTimeoutMs: true,
  stallLimitMs: true,
  retries: true,
  salvage: true,
  verify: true,
  repair: true,
  allow: true,
  onGuards: true,
  provisioning: true,
  fast: true,
  overwrite: true,
  onResume: true,
};

/** Where a job goes on. */
export interface ResumedJob {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes from the start that need not be copied again. */
  readonly begin: number;
  /** Bytes before that which the target was found to hold. */
  readonly checked: number;
  /** Bytes that were recorded, but that the target did not hold any more. */
  readonly dropped: number;
}

/** As long as a cluster shows a client that was killed, and a little more, in milliseconds. */
const WATCH_MS = 35_000;

/**
 * Goes on with a copy that has a journal. Opens both ends, as it named them; looks whether they are
 * what they were; reads back what is recorded: of the source, its end alone where its storage shows that nobody wrote to
 * it; then copies the rest, and closes both.
 *
 * @param id of the job, or the beginning of it
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_IN_USE where a process works on the job or its target;
 *   ERR_JOURNAL where the journal does not fit an end any more, the source has changed, or the target
 *   does not hold what was recorded; and what `copyVolume` throws
 */
export async function resumeCopy(id: string, options: ResumeOptions = {}): Promise<CopyReport> {
  checkKeys("resumeCopy", options, RESUME_KEYS);
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
  const { manifest } = job.record.options;
  if (manifest !== undefined) await checkManifestPlace(manifest);
  const locks = await excludeOthers(source, target, allowedOf(job, options));
  try {
    const plan = planOf(job, source.volume, target.volume, {
      ...(await limitsTold(job)),
      ...onlyGiven(options),
    });
    const watch = watchOf(options);
    const recorded = job.journal.frontier;
    const ends = await Ends.begin(source.volume, target.volume, plan.requestTimeoutMs);
    checkBorn("source", job.record.source, ends.source);
    checkBorn("target", job.record.target, ends.target);
    const findings = await checkAgain(job, source, target, locks, options);
    const { fast } = options;
    const { sourceStamp } = ends;
    const isUnwritten = sourceStamp !== undefined && sourceStamp === (await job.sourceStamp());
    // A source that may be written to all the while is not asked whether it was.
    const sourceIsUnwritten =
      isUnwritten || source.volume.info.snapshot || allowedOf(job, options).includes("live-source");
    const compared = { sourceIsUnwritten, fast, overwrite: mayOverwrite(options) };
    const checked = await recheck(job, source, target, plan, compared, watch);
    if (options.signal?.aborted) throw cancelled(options.signal);
    // Only now: a crash before it must leave the restart of the host to be seen.
    await job.begin({ client: await ownClient(target.native), sourceStamp });
    await forgetControl(job.store, job.id);
    const begin = job.journal.frontier;
    const { ref: from } = job.record.source;
    const { ref: to } = job.record.target;
    const facts = { source: from, target: to, size: plan.size, begin, dropped: recorded - begin };
    options.onResume?.({ id: job.id, ...facts, checked });
    const allow = allowedOf(job, options);
    const notExcluded = notExcludedOf(findings);
    const record = { job, manifest, ends, allow, notExcluded };
    return await runCopy(source, target, plan, record, watch);
  } finally {
    locks.release();
  }
}

/** The number of an inode is given again: a file that was made in the place of ours would be taken for it. */
function checkBorn(side: Side, expected: VolumeEnd, { first }: End): void {
  if (expected.born === undefined || first?.born === expected.born) return;
  throw new BlockhaulError("ERR_JOURNAL", {
    side,
    volume: expected.ref,
    message: "it is another volume, made since the copy began",
  });
}

/** What was fine when the job was begun may have been mounted since. */
async function checkAgain(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  locks: Exclusion,
  options: ResumeOptions,
): Promise<GuardFinding[]> {
  const { signal, onGuards } = options;
  const allow = allowedOf(job, options);
  const refs = { source: source.volume.ref, target: target.volume.ref };
  throwRefusal(locks.findings, refs);
  if (!allow.includes("watched")) await awaitKilledClient(job, target, signal);
  const asked = await askGuards(source, target, {
    allow,
    goneClients: job.goneClients,
    // The target carries the signatures of the source by now.
    isBegun: true,
    signal,
  });
  const findings = [...locks.findings, ...asked, ...locks.users];
  onGuards?.(findings);
  throwRefusal(findings, refs);
  if (signal?.aborted) throw cancelled(signal);
  return findings;
}

/** A run that was killed before it could note what the cluster calls it is still shown for a while. */
async function awaitKilledClient(job: Job, { native }: HeldVolume, signal?: AbortSignal) {
  const isAlone = async () =>
    (await checkWatched(native, job.goneClients)).state === "clear" || undefined;
  await waitFor(isAlone, { deadlineMs: WATCH_MS, longestMs: 1000, signal });
}

function allowedOf({ record }: Job, options: ResumeOptions): GuardName[] {
  const ours: GuardName[] = mayOverwrite(options) ? ["signature"] : [];
  return [...ours, ...(record.options.allow ?? []), ...(options.allow ?? [])];
}

/** Who has the target repaired says that it is the copy's. */
function mayOverwrite({ overwrite, repair }: ResumeOptions): boolean {
  return Boolean(overwrite || repair);
}

function checkState(job: Job): void {
  const { lastEnd, id } = job;
  if (lastEnd?.error !== undefined && !isResumableAfter(lastEnd.error)) {
    throw new BlockhaulError("ERR_JOURNAL", {
      message: `job ${id} ended with ${lastEnd.error.code}: what it recorded proves nothing`,
      hint: "begin the copy anew",
    });
  }
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
      ? `it has ${sizeInWords(found.size)}, and had ${sizeInWords(expected.size)}`
      : `it is another volume: ${found.identity}, and was ${expected.identity}`;
  throw new BlockhaulError("ERR_JOURNAL", { side, volume: expected.ref, message: what });
}

function planOf(job: Job, source: Volume, target: Volume, options: ResumeOptions): CopyPlan {
  const { manifest, ...before } = job.record.options;
  const { provisioning: _ofTarget, fast: _f, overwrite: _o, onResume: _c, ...copying } = options;
  return planCopy(source, target, {
    ...before,
    ...copying,
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
