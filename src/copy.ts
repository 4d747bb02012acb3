import { type End, Ends } from "./copy/ends.js";
import { cancelled, type HeldVolume, hold, watchOf } from "./copy/engine.js";
import { type CopyOptions, type CopyPlan, checkCallbacks, planCopy } from "./copy/plan.js";
import type { CopyReport } from "./copy/report.js";
import { endOf, runCopy } from "./copy/run.js";
import { askGuards, throwRefusal } from "./guards/check.js";
import { excludeOthers, notExcludedOf, regionOf } from "./guards/exclusion.js";
import { ownClient } from "./guards/watched.js";
import { Job } from "./jobs/job.js";
import type { JobOptions } from "./jobs/record.js";
import { JobStore } from "./jobs/store.js";
import { goneClientsOf, pruneJobs, supersedeJobs } from "./jobs.js";
import { checkManifestPlace } from "./manifest.js";
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
 *   ERR_SAME_VOLUME where a guard refuses it; ERR_VOLUME_CHANGED where an end is not the volume any more that was named;
 *   ERR_LIVE_SOURCE also where the source was written to meanwhile; ERR_IN_USE where another copy writes to the target;
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
  // Not after hours of copying.
  if (manifest !== undefined) await checkManifestPlace(manifest);
  const locks = await excludeOthers(source, target, allow);
  let job: Job | undefined;
  try {
    throwRefusal(locks.findings, plan);
    // Before anything is noted: a copy that is refused leaves everything as it was.
    const ends = await Ends.begin(source.volume, target.volume, plan.requestTimeoutMs);
    const goneClients = await goneClientsOf(store, target.volume.info.identity);
    const asked = await askGuards(source, target, { ...options, goneClients });
    const findings = [...locks.findings, ...asked, ...locks.users];
    options.onGuards?.(findings);
    throwRefusal(findings, plan);
    if (options.signal?.aborted) throw cancelled(options.signal);
    // What no other process knows by its identity, no journal is about.
    if (regionOf(target.volume.info) !== undefined)
      await supersedeJobs(store, target.volume.info.identity);
    if (plan.journal) {
      await pruneJobs(store);
      job = await createJob(store, ends, target, plan, { manifest, allow, partOf });
    }
    if (job !== undefined) options.onJob?.(job.id);
    const notExcluded = notExcludedOf(findings);
    const record = { job, manifest, ends, notExcluded, allow: allow ?? [] };
    return await runCopy(source, target, plan, record, watchOf(options));
  } finally {
    job?.close();
    locks.release();
  }
}

async function createJob(
  store: JobStore,
  ends: Ends,
  target: HeldVolume,
  plan: CopyPlan,
  told: Pick<CopyOptions, "manifest" | "allow" | "partOf">,
): Promise<Job> {
  const { source: _from, target: _to, size, method: _method, digest, journal, ...rest } = plan;
  const options: JobOptions = { ...rest, ...told };
  const endAsFound = ({ volume, first }: End) => endOf(volume, first?.born);
  const facts = { source: endAsFound(ends.source), target: endAsFound(ends.target), options };
  const geometry = { size, digest };
  const { sourceStamp } = ends;
  return Job.create(store, facts, geometry, {
    client: await ownClient(target.native),
    sourceStamp,
  });
}
