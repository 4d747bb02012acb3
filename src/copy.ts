import { cancelled, type HeldVolume, hold, watchOf } from "./copy/engine.js";
import { type CopyOptions, type CopyPlan, checkCallbacks, planCopy } from "./copy/plan.js";
import type { CopyReport } from "./copy/report.js";
import { endOf, runCopy } from "./copy/run.js";
import { askGuards, throwRefusal } from "./guards/check.js";
import { ownClient } from "./guards/watched.js";
import { Job } from "./jobs/job.js";
import type { JobOptions } from "./jobs/record.js";
import { JobStore } from "./jobs/store.js";
import { lockTarget } from "./jobs/target-lock.js";
import { goneClientsOf, pruneJobs, supersedeJobs } from "./jobs.js";
import type { Volume } from "./volume.js";

export { CopyControl, type CopyLimits } from "./copy/control.js";
export type { CopyPhase, CopyProgress } from "./copy/engine.js";
export { type CopyOptions, type CopyPlan, planCopy } from "./copy/plan.js";
export type { CopyReport } from "./copy/report.js";
export type { VerificationReport } from "./copy/verification.js";

/**
 * Copies all of a source to the start of a target, and flushes it. The source must not be written to
 * meanwhile. Both volumes stay open.
 *
 * @throws BlockhaulError what `planCopy` throws; ERR_IN_USE, ERR_NOT_EMPTY, ERR_LIVE_SOURCE,
 *   ERR_SAME_VOLUME where a guard refuses it; ERR_IN_USE where another copy writes to the target;
 *   ERR_CANCELLED with the signal's reason as the cause; ERR_VERIFICATION, with `ranges`, where the
 *   target does not hold what was written; ERR_TIMEOUT where a request or all of them hang: what is in
 *   flight may still be done then, and the volumes cannot be closed before it is; else the first error
 *   of either side, with `side`, `operation` and `offset`. The target's content is then undefined;
 *   with a journal, `resumeCopy` can go on.
 */
export async function copyVolume(
  source: Volume,
  target: Volume,
  options: CopyOptions = {},
): Promise<CopyReport> {
  const plan = planCopy(source, target, options);
  checkCallbacks(options);
  const { signal } = options;
  if (signal?.aborted) throw cancelled(signal);
  return await hold(source, "copy", (from) =>
    hold(target, "copy", (to) => copyHeld(from, to, plan, options)),
  );
}

async function copyHeld(
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  options: CopyOptions,
): Promise<CopyReport> {
  const { manifest, allow, partOf } = options;
  const store = new JobStore(options.stateDirectory);
  const lock = await lockTarget(target.volume);
  let job: Job | undefined;
  try {
    // Before anything is noted: a copy that is refused leaves everything as it was.
    const goneClients = await goneClientsOf(store, target.volume.info.identity);
    const findings = await askGuards(source, target, { ...options, goneClients });
    options.onGuards?.(findings);
    throwRefusal(findings, plan);
    if (options.signal?.aborted) throw cancelled(options.signal);
    if (lock !== undefined) await supersedeJobs(store, target.volume.info.identity);
    if (plan.journal) {
      await pruneJobs(store);
      job = await createJob(store, source.volume, target, plan, { manifest, allow, partOf });
    }
    if (job !== undefined) options.onJob?.(job.id);
    return await runCopy(source, target, plan, { job, manifest }, watchOf(options));
  } finally {
    job?.close();
    lock?.release();
  }
}

async function createJob(
  store: JobStore,
  source: Volume,
  target: HeldVolume,
  plan: CopyPlan,
  told: Pick<CopyOptions, "manifest" | "allow" | "partOf">,
): Promise<Job> {
  const { source: _from, target: _to, size, method: _method, digest, journal, ...rest } = plan;
  const options: JobOptions = { ...rest, ...told };
  const facts = { source: endOf(source), target: endOf(target.volume), options };
  const geometry = { size, digest };
  return Job.create(store, facts, geometry, await ownClient(target.native));
}
