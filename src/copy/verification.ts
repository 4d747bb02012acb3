import { tmpdir } from "node:os";

import { BlockhaulError, type Side, toBlockhaulError } from "../errors.js";
import type { DigestKind, NativeJournal, NativeJournalHeader, Range } from "../native.js";
import { native } from "../native.js";
import { checksOf } from "../volume.js";
import { CHUNK, chunksOf, compareChunks } from "./chunks.js";
import { type EngineWatch, type HeldVolume, runEngine, runReading } from "./engine.js";
import { type CopyPlan, planReadBack } from "./plan.js";
import { describeRanges } from "./report.js";

/** The part of a plan by which a volume is read back. */
export type ReadingPlan = Omit<
  CopyPlan,
  "source" | "target" | "method" | "verify" | "repair" | "journal" | "salvage"
>;

/** What reading a target back showed. */
export interface VerificationReport {
  /** Bytes that were compared. */
  readonly size: number;
  /** Bytes that were really read for it, of both ends. */
  readonly read: number;
  /** What the target was compared with: what the copy read of the source, or all of the source, read again. */
  readonly against: "what was read" | "source";
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
): Promise<{ list: NativeJournal; digest: string | undefined; read: number }> {
  const list = await createDigestList(plan.size, begin, plan.digest);
  try {
    const report = await runReading(volume, engineOptions(plan, { begin, end }), list, watch);
    return { list, digest: report.digest, read: report.read };
  } catch (error) {
    list.close();
    throw error;
  }
}

/**
 * Looks whether the storage of a volume answers reads out of what it holds, before it is read to prove something.
 *
 * @throws BlockhaulError ERR_WRONG_MAP; what the look meets
 */
export async function checkHints({ volume }: HeldVolume, side?: Side): Promise<void> {
  try {
    await checksOf(volume).checkHints?.();
  } catch (error) {
    throw toBlockhaulError(error).withContext({ side, volume: volume.ref, operation: "verify" });
  }
}

/** Where a volume is not what a journal says, in whole chunks. */
export interface Comparison {
  readonly differences: readonly Range[];
  /** Bytes that were read for it. */
  readonly read: number;
}

/** Reads a range back and compares it with what a journal recorded of it. No hint of where it holds data counts. */
export async function compareWithJournal(
  volume: HeldVolume,
  expected: NativeJournal,
  plan: ReadingPlan,
  range: { readonly begin: number; readonly end: number },
  watch: EngineWatch,
): Promise<Comparison> {
  const { begin, end } = range;
  if (begin >= end) return { differences: [], read: 0 };
  const { list, read } = await readDigests(volume, planReadBack(plan), range, watch);
  try {
    const differences = await compareChunks(
      chunksOf(expected, begin, end),
      chunksOf(list, begin, end),
      begin,
      end,
    );
    return { differences, read };
  } finally {
    list.close();
  }
}

/**
 * Reads the target of a copy back and compares it with what was read from the source; with `verify: "source"`, all of
 * the source, too. With `plan.repair`, what differs is copied once more and compared again.
 *
 * @param bad what could not be read of the source: zeros stand for it
 * @throws BlockhaulError ERR_VERIFICATION of the source; ERR_WRONG_MAP
 */
export async function verifyTarget(
  source: HeldVolume,
  target: HeldVolume,
  recorded: NativeJournal,
  plan: CopyPlan,
  bad: readonly Range[],
  watch: EngineWatch,
): Promise<VerificationReport> {
  const began = performance.now();
  const whole = { begin: 0, end: plan.size };
  const verifying = { ...watch, phase: "verify" as const };
  const again = plan.verify === "source";
  let read = again ? await compareSource(source, recorded, plan, bad, verifying) : 0;
  await checkHints(target, "target");
  const found = await compareWithJournal(target, recorded, plan, whole, verifying);
  read += found.read;
  let { differences } = found;
  const repaired: Range[] = [];
  if (plan.repair && differences.length > 0) {
    const left: Range[] = [];
    for (const range of differences) {
      const part = { begin: range.offset, end: range.offset + range.length };
      await copyRange(source, target, plan, part, { ...watch, phase: "repair" });
      const still = await compareWithJournal(target, recorded, plan, part, verifying);
      read += still.read;
      if (still.differences.length === 0) repaired.push(range);
      left.push(...still.differences);
    }
    differences = left;
  }
  return {
    size: plan.size,
    read,
    against: again ? "source" : "what was read",
    differences,
    repaired,
    seconds: (performance.now() - began) / 1000,
  };
}

/** That all of the source is what the copy read of it. */
async function compareSource(
  source: HeldVolume,
  recorded: NativeJournal,
  plan: CopyPlan,
  bad: readonly Range[],
  watch: EngineWatch,
): Promise<number> {
  await checkHints(source, "source");
  const whole = { begin: 0, end: plan.size };
  const { differences, read } = await compareWithJournal(source, recorded, plan, whole, watch);
  const wrong = withoutBad(differences, bad);
  if (wrong.length === 0) return read;
  throw new BlockhaulError("ERR_VERIFICATION", {
    side: "source",
    volume: source.volume.ref,
    operation: "verify",
    offset: wrong[0]?.offset,
    message: `it does not hold what the copy read of it: ${describeRanges(wrong)}`,
    hint: "it was written to, or said that it holds nothing where it does; `blockhaul copy --no-extents` reads all of it",
    ranges: wrong,
  });
}

/** Without what could not be read when it was copied: zeros were recorded of it, and it may be read now. */
export function withoutBad(ranges: readonly Range[], bad: readonly Range[]): Range[] {
  return ranges.filter((range) => !bad.some((known) => overlaps(known, range)));
}

function overlaps(one: Range, other: Range): boolean {
  return one.offset < other.offset + other.length && other.offset < one.offset + one.length;
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
