import { chunksOf, compareChunks } from "./copy/chunks.js";
import { type EngineWatch, hold, watchOf } from "./copy/engine.js";
import { type CopyOptions, type CopyPlan, planReading } from "./copy/plan.js";
import { differs } from "./copy/run.js";
import { type ReadingPlan, readDigests, type VerificationReport } from "./copy/verification.js";
import { BlockhaulError } from "./errors.js";
import { readManifest } from "./manifest.js";
import type { Volume } from "./volume.js";

/** How volumes are read to be compared. */
export type VerifyOptions = Pick<
  CopyOptions,
  | "requests"
  | "requestSize"
  | "memory"
  | "threads"
  | "useExtents"
  | "bandwidthLimit"
  | "iopsLimit"
  | "retries"
  | "requestTimeoutMs"
  | "stallLimitMs"
  | "digest"
  | "signal"
  | "onProgress"
  | "progressIntervalMs"
  | "control"
>;

/** What a comparison that found nothing says. */
export interface ComparisonReport extends Omit<VerificationReport, "repaired"> {
  /** "xxh3:…", of both. */
  readonly digest: string;
}

/** What a volume's digest is. */
export interface DigestReport {
  /** "xxh3:…" or "sha256:…": a tree digest, docs/decisions/0001-tree-digest.md. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly seconds: number;
}

/** The digest of a volume: the same text for the same bytes, wherever they lie. */
export async function digestVolume(
  volume: Volume,
  options: VerifyOptions = {},
): Promise<DigestReport> {
  const began = performance.now();
  const plan = planReading(volume, options);
  const { list, digest } = await readWhole(volume, plan, watchOf(options, "verify"));
  list.close();
  return { digest: withName(plan, digest), size: plan.size, seconds: secondsSince(began) };
}

/**
 * Compares the source's bytes with as many from the target's start, both read through the engine at the
 * same time.
 *
 * @throws BlockhaulError ERR_VERIFICATION, with `ranges`; ERR_TARGET_TOO_SMALL
 */
export async function verifyVolumes(
  source: Volume,
  target: Volume,
  options: VerifyOptions = {},
): Promise<ComparisonReport> {
  const began = performance.now();
  if (target.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", { side: "target", volume: target.ref });
  }
  const plan = planReading(source, options);
  // The slower of the two says how far they are.
  const [one, other] = await bothOrNeither(
    readWhole(source, plan, { ...watchOf(options, "verify"), onProgress: undefined }),
    readWhole(target, plan, watchOf(options, "verify")),
  );
  try {
    const differences = await compareChunks(
      chunksOf(one.list, 0, plan.size),
      chunksOf(other.list, 0, plan.size),
      0,
      plan.size,
    );
    if (differences.length > 0) throw differs(target, differences);
    const digest = withName(plan, one.digest);
    return { size: plan.size, differences, digest, seconds: secondsSince(began) };
  } finally {
    one.list.close();
    other.list.close();
  }
}

/**
 * Compares a volume with what a manifest says of a copy.
 *
 * @throws BlockhaulError ERR_VERIFICATION, with `ranges`; ERR_MANIFEST; ERR_TARGET_TOO_SMALL
 */
export async function verifyManifest(
  volume: Volume,
  file: string,
  options: Omit<VerifyOptions, "digest"> = {},
): Promise<ComparisonReport> {
  const began = performance.now();
  const { header, chunks } = await readManifest(file);
  if (volume.size < header.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", {
      volume: volume.ref,
      message: `its ${volume.size} bytes are fewer than the manifest's ${header.size}`,
    });
  }
  const plan = {
    ...planReading(volume, { ...options, digest: header.algorithm }),
    size: header.size,
  };
  const { list, digest } = await readWhole(volume, plan, watchOf(options, "verify"));
  try {
    const differences = await compareChunks(chunks, chunksOf(list, 0, plan.size), 0, plan.size);
    // To the end: a manifest that is cut short is no proof.
    for await (const _ of chunks) break;
    const named = withName(plan, digest);
    // The volume has the digest, or its chunks, but not both.
    if ((named === header.digest) !== (differences.length === 0)) {
      throw new BlockhaulError("ERR_MANIFEST", {
        volume: file,
        message: "its chunks do not have its digest: it was changed",
      });
    }
    if (differences.length > 0) throw differs(volume, differences);
    return { size: plan.size, differences, digest: named, seconds: secondsSince(began) };
  } finally {
    list.close();
  }
}

function readWhole(volume: Volume, plan: ReadingPlan, watch: EngineWatch) {
  return hold(volume, "verify", (held) =>
    readDigests(held, plan, { begin: 0, end: plan.size }, watch),
  );
}

type Reading = Awaited<ReturnType<typeof readDigests>>;

/** Both results; where one fails, the other's list is closed. */
async function bothOrNeither(
  ...readings: [Promise<Reading>, Promise<Reading>]
): Promise<[Reading, Reading]> {
  const [one, other] = await Promise.allSettled(readings);
  if (one.status === "fulfilled" && other.status === "fulfilled") return [one.value, other.value];
  for (const reading of [one, other]) {
    if (reading.status === "fulfilled") reading.value.list.close();
  }
  throw one.status === "rejected" ? one.reason : (other as PromiseRejectedResult).reason;
}

function withName(plan: Pick<CopyPlan, "digest">, digest: string | undefined): string {
  return `${plan.digest}:${digest ?? ""}`;
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
