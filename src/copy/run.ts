import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { GuardName } from "../guards/guard.js";
import { followControl } from "../jobs/control.js";
import type { Job } from "../jobs/job.js";
import { writeManifest } from "../manifest.js";
import type { NativeJournal } from "../native.js";
import { absoluteRef } from "../refs.js";
import type { Volume } from "../volume.js";
import type { VolumeEnd } from "../volume-end.js";
import { chunksOf } from "./chunks.js";
import { CopyControl } from "./control.js";
import { type Ends, whileSame } from "./ends.js";
import { type EngineWatch, type HeldVolume, runEngine } from "./engine.js";
import type { CopyPlan } from "./plan.js";
import { type CopyReport, composeReport, describeRanges, mergeRanges } from "./report.js";
import {
  createDigestList,
  engineOptions,
  type VerificationReport,
  verifyTarget,
} from "./verification.js";

/** What a run keeps and leaves. */
export interface RunRecord {
  /** The job that it is a run of; it begins at its journal's frontier. */
  readonly job: Job | undefined;
  readonly manifest: string | undefined;
  /** As both ends were found before the first byte. */
  readonly ends: Ends;
  /** What is known of others that use an end, and accepted. */
  readonly allow: readonly GuardName[];
  /** What locks could not do: see CopyReport. */
  readonly notExcluded: readonly string[];
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
  { job, manifest, ends, allow, notExcluded }: RunRecord,
  watch: EngineWatch,
): Promise<CopyReport> {
  // The looks of a copy with a journal keep step with its checkpoints.
  const pace = { intervalMs: plan.journal ? plan.checkpointIntervalMs : 0, signal: watch.signal };
  const checkEnds = async () => {
    await ends.check();
    return ends.checkWrites(allow.includes("live-source"));
  };
  // A repair writes, and so does whoever uses what a mounted or held target lies on.
  const isOurs = !plan.repair && !allow.includes("mounted") && !allow.includes("held");
  const needsList = plan.verify || manifest !== undefined;
  const list =
    job === undefined && needsList ? await createDigestList(plan.size, 0, plan.digest) : undefined;
  const recorded = job?.journal ?? list;
  try {
    const begin = recorded?.frontier ?? 0;
    const options = { ...engineOptions(plan, { begin }), salvage: plan.salvage };
    const both = [ends.source, ends.target];
    const report = await whileSame(both, pace, (signal) =>
      runEngine(source, target, options, recorded, { ...watch, signal }),
    );
    // What is missing reads as zeros with some storage: nothing that was read counts before this.
    let sourceWrites = await checkEnds();
    const bad = mergeRanges(job?.journal.contents().bad ?? report.bad);
    let verification: VerificationReport | undefined;
    if (plan.verify && recorded !== undefined) {
      const before = isOurs ? await ends.target.writeStamp() : undefined;
      verification = await whileSame(both, pace, (signal) =>
        verifyTarget(source, target, recorded, plan, bad, { ...watch, signal }),
      );
      sourceWrites = await checkEnds();
      if (before !== undefined) await ends.target.checkUnwritten(before);
    }
    if (verification !== undefined && verification.differences.length > 0) {
      throw differs(target.volume, verification.differences);
    }
    const composed = composeReport(plan, report, {
      bad,
      verification,
      notIdentified: ends.notIdentified,
      sourceWrites,
      notExcluded,
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
export function endOf(volume: Volume, born?: string): VolumeEnd {
  const { identity, blockSize } = volume.info;
  const end = { ref: absoluteRef(volume.ref), identity, size: volume.size, blockSize };
  return born === undefined ? end : { ...end, born };
}
