import { tmpdir } from "node:os";

import type { DigestKind, NativeJournal, NativeJournalHeader, Range } from "../native.js";
import { native } from "../native.js";
import { CHUNK, chunksOf, compareChunks } from "./chunks.js";
import { type EngineWatch, type HeldVolume, runEngine, runReading } from "./engine.js";
import { type CopyPlan, planReadBack } from "./plan.js";

/** The part of a plan by which a volume is read back. */
export type ReadingPlan = Omit<
  CopyPlan,
  "source" | "target" | "method" | "verify" | "repair" | "journal" | "salvage"
>;

/** What reading a target back showed. */
export interface VerificationReport {
  /** Bytes that were compared. */
  readonly size: number;
  /** Where it differed, in whole chunks of 4 MiB; empty after a repair that took. */
  readonly differences: readonly Range[];
  /** What was written once more, and then compared equal. */
  readonly repaired: readonly Range[];
  readonly seconds: number;
}

/** Digests of one pass, that go when they are closed. */
export function createDigestList(
  size: number,
  base: number,
  digest: DigestKind,
): Promise<NativeJournal> {
  const header: NativeJournalHeader = { size, base, digest, job: "" };
  return native().createTemporaryJournal(tmpdir(), header);
}

/**
 * Reads a range of a volume and takes the digests of its chunks.
 *
 * @param begin a chunk's boundary
 * @param end another, or `plan.size`
 * @returns the list, which the caller closes, and the digest of all where the range is the volume
 */
export async function readDigests(
  volume: HeldVolume,
  plan: ReadingPlan,
  { begin, end }: { readonly begin: number; readonly end: number },
  watch: EngineWatch,
): Promise<{ list: NativeJournal; digest: string | undefined }> {
  const list = await createDigestList(plan.size, begin, plan.digest);
  try {
    const report = await runReading(volume, engineOptions(plan, { begin, end }), list, watch);
    return { list, digest: report.digest };
  } catch (error) {
    list.close();
    throw error;
  }
}

/** Reads a range back and compares it with what a journal recorded of it. */
export async function compareWithJournal(
  volume: HeldVolume,
  expected: NativeJournal,
  plan: ReadingPlan,
  range: { readonly begin: number; readonly end: number },
  watch: EngineWatch,
): Promise<Range[]> {
  const { begin, end } = range;
  if (begin >= end) return [];
  const { list } = await readDigests(volume, planReadBack(plan), range, watch);
  try {
    return await compareChunks(
      chunksOf(expected, begin, end),
      chunksOf(list, begin, end),
      begin,
      end,
    );
  } finally {
    list.close();
  }
}

/**
 * Reads the target of a copy back and compares it with what was read from the source. With
 * `plan.repair`, what differs is copied once more and compared again.
 */
export async function verifyTarget(
  source: HeldVolume,
  target: HeldVolume,
  recorded: NativeJournal,
  plan: CopyPlan,
  watch: EngineWatch,
): Promise<VerificationReport> {
  const began = performance.now();
  const whole = { begin: 0, end: plan.size };
  const verifying = { ...watch, phase: "verify" as const };
  let differences = await compareWithJournal(target, recorded, plan, whole, verifying);
  const repaired: Range[] = [];
  if (plan.repair && differences.length > 0) {
    const left: Range[] = [];
    for (const range of differences) {
      const part = { begin: range.offset, end: range.offset + range.length };
      await copyRange(source, target, plan, part, { ...watch, phase: "repair" });
      const still = await compareWithJournal(target, recorded, plan, part, verifying);
      if (still.length === 0) repaired.push(range);
      left.push(...still);
    }
    differences = left;
  }
  return {
    size: plan.size,
    differences,
    repaired,
    seconds: (performance.now() - began) / 1000,
  };
}

/** Copies whole chunks once more, and flushes. */
export function copyRange(
  source: HeldVolume,
  target: HeldVolume,
  plan: ReadingPlan & Pick<CopyPlan, "salvage">,
  range: { readonly begin: number; readonly end: number },
  watch: EngineWatch,
) {
  const options = { ...engineOptions(plan, range), digest: "none" as const, salvage: plan.salvage };
  return runEngine(source, target, options, undefined, watch);
}

/** What the engine is told; a range that is not named is the whole volume. */
export function engineOptions(
  plan: ReadingPlan,
  { begin = 0, end = 0 }: { readonly begin?: number; readonly end?: number } = {},
) {
  return {
    size: plan.size,
    begin,
    end,
    requestSize: plan.requestSize,
    requests: plan.requests,
    memory: plan.memory,
    threads: plan.threads,
    useExtents: plan.useExtents,
    digest: plan.digest,
    bandwidthLimit: plan.bandwidthLimit,
    iopsLimit: plan.iopsLimit,
    retries: plan.retries,
    requestTimeoutMs: plan.requestTimeoutMs,
    stallLimitMs: plan.stallLimitMs,
    checkpointMs: plan.checkpointIntervalMs,
    salvage: false,
  };
}

/** The chunk's boundary at or before a place. */
export function chunkStart(position: number): number {
  return position - (position % CHUNK);
}
