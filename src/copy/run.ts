import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { followControl } from "../jobs/control.js";
import type { Job } from "../jobs/job.js";
import { writeManifest } from "../manifest.js";
import type { NativeJournal } from "../native.js";
import { absoluteRef } from "../refs.js";
import type { Volume } from "../volume.js";
import type { VolumeEnd } from "../volume-end.js";
import { chunksOf } from "./chunks.js";
import { CopyControl } from "./control.js";
import { type EngineWatch, type HeldVolume, runEngine } from "./engine.js";
import type { CopyPlan } from "./plan.js";
import { type CopyReport, composeReport, describeRanges, mergeRanges } from "./report.js";
import { createDigestList, engineOptions, verifyTarget } from "./verification.js";

/** What a run keeps and leaves. */
export interface RunRecord {
  /** The job that it is a run of; it begins at its journal's frontier. */
  readonly job: Job | undefined;
  readonly manifest: string | undefined;
}

/**
 * One run of a copy, from where its journal stands to the end: moves the bytes, flushes, and does what
 * the plan says of verification and manifest. The job's journal says how it ended.
 */
export async function runCopy(
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  record: RunRecord,
  watch: EngineWatch,
): Promise<CopyReport> {
  const { job } = record;
  if (job === undefined) return await moveAndProve(source, target, plan, record, watch);
  const control = watch.control ?? new CopyControl();
  const stopFollowing = followControl(job.store, job.id, control);
  try {
    const report = await moveAndProve(source, target, plan, record, { ...watch, control });
    await job.end("done", { digest: report.digest });
    return report;
  } catch (thrown) {
    const error = toBlockhaulError(thrown);
    // A journal that cannot take it says that the run was killed, which is resumed all the same.
    await job
      .end(error.code === "ERR_CANCELLED" ? "interrupted" : "failed", { error })
      .catch(() => {});
    throw thrown;
  } finally {
    stopFollowing();
  }
}

async function moveAndProve(
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  { job, manifest }: RunRecord,
  watch: EngineWatch,
): Promise<CopyReport> {
  const needsList = plan.verify || manifest !== undefined;
  const list =
    job === undefined && needsList ? await createDigestList(plan.size, 0, plan.digest) : undefined;
  const recorded = job?.journal ?? list;
  try {
    const begin = recorded?.frontier ?? 0;
    const options = { ...engineOptions(plan, { begin }), salvage: plan.salvage };
    const report = await runEngine(source, target, options, recorded, watch);
    const verification =
      plan.verify && recorded !== undefined
        ? await verifyTarget(source, target, recorded, plan, watch)
        : undefined;
    if (verification !== undefined && verification.differences.length > 0) {
      throw differs(target.volume, verification.differences);
    }
    const composed = composeReport(plan, report, {
      bad: mergeRanges(job?.journal.contents().bad ?? report.bad),
      verification,
      job: job?.id,
    });
    if (manifest !== undefined && recorded !== undefined) {
      await writeManifestOf(source, target, plan, recorded, composed, manifest);
    }
    return composed;
  } finally {
    list?.close();
  }
}

/** What a target that does not hold what was written to it is reported as. */
export function differs(
  volume: Volume,
  ranges: readonly { offset: number; length: number }[],
): BlockhaulError {
  return new BlockhaulError("ERR_VERIFICATION", {
    side: "target",
    volume: volume.ref,
    operation: "verify",
    offset: ranges[0]?.offset,
    message: `differs in ${describeRanges(ranges)}`,
    ranges,
  });
}

async function writeManifestOf(
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  recorded: NativeJournal,
  { digest }: CopyReport,
  file: string,
): Promise<void> {
  if (plan.digest === "none" || digest === undefined) return;
  const header = {
    source: endOf(source.volume),
    target: endOf(target.volume),
    size: plan.size,
    algorithm: plan.digest,
    digest,
  };
  await writeManifest(file, header, chunksOf(recorded, 0, plan.size));
}

/** A volume as manifests and journals name it: so that it is found from any folder. */
export function endOf(volume: Volume): VolumeEnd {
  const { identity, blockSize } = volume.info;
  return { ref: absoluteRef(volume.ref), identity, size: volume.size, blockSize };
}
