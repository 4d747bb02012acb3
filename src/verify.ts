import { chunksOf, compareChunks } from "./copy/chunks.js";
import { ReadEnds, type ReadUnknowns } from "./copy/ends.js";
import { type EngineWatch, hold, watchOf } from "./copy/engine.js";
import { type CopyOptions, type CopyPlan, planReading } from "./copy/plan.js";
import { differs } from "./copy/run.js";
import {
  checkHints,
  type ReadingPlan,
  readDigests,
  type VerificationReport,
} from "./copy/verification.js";
import { BlockhaulError } from "./errors.js";
import { whileNobodyCopiesTo } from "./guards/exclusion.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { type OpenManifest, readManifest } from "./manifest.js";
import { sizeInWords } from "./units.js";
import type { Volume } from "./volume.js";

/** How volumes are read to be compared: all of each, unless told. */
export interface VerifyOptions
  extends Pick<
    CopyOptions,
    | "requests"
    | "requestSize"
    | "memory"
    | "threads"
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
  > {
  /**
   * Read only where a volume says that it holds data; false unless told. What it says wrongly is not found then: neither
   * what a wrong object map of Ceph denies, nor what a file system does.
   */
  readonly fast?: boolean | undefined;
}

const VERIFY_KEYS: KeysOf<VerifyOptions> = {
  requests: true,
  requestSize: true,
  memory: true,
  threads: true,
  bandwidthLimit: true,
  iopsLimit: true,
  retries: true,
  requestTimeoutMs: true,
  stallLimitMs: true,
  digest: true,
  signal: true,
  onProgress: true,
  progressIntervalMs: true,
  control: true,
  fast: true,
};

/** What a comparison that found nothing says. */
export interface ComparisonReport
  extends Omit<VerificationReport, "repaired" | "against">,
    ReadUnknowns {
  /** "xxh3:…", of both. */
  readonly digest: string;
  /** What was not read was taken for zeros, because the volume said so. */
  readonly fast: boolean;
}

/** What a volume's digest is. */
export interface DigestReport extends ReadUnknowns {
  /** "xxh3:…" or "sha256:…": a tree digest, docs/decisions/0001-tree-digest.md. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes that were really read: fewer than `size` with `fast` alone. */
  readonly read: number;
  /** What was not read was taken for zeros, because the volume said so. */
  readonly fast: boolean;
  readonly seconds: number;
}

/**
 * The digest of a volume: the same text for the same bytes, wherever they lie.
 *
 * @throws BlockhaulError ERR_VOLUME_CHANGED where it is not what was named any more, or was written to while it was read
 */
export async function digestVolume(
  volume: Volume,
  options: VerifyOptions = {},
): Promise<DigestReport> {
  const began = performance.now();
  checkKeys("digestVolume", options, VERIFY_KEYS);
  const plan = planReading(volume, options);
  const ends = await ReadEnds.begin([{ volume }], plan.requestTimeoutMs);
  const { list, digest, read } = await readWhole(volume, plan, watchOf(options, "verify"));
  list.close();
  await ends.check();
  return {
    digest: withName(plan, digest),
    size: plan.size,
    read,
    fast: plan.useExtents,
    ...ends.unknowns,
    seconds: secondsSince(began),
  };
}

/**
 * Compares the source's bytes with as many from the target's start, both read through the engine at the
 * same time.
 *
 * @throws BlockhaulError ERR_VERIFICATION, with `ranges`; ERR_TARGET_TOO_SMALL; ERR_VOLUME_CHANGED as `digestVolume`
 */
export async function verifyVolumes(
  source: Volume,
  target: Volume,
  options: VerifyOptions = {},
): Promise<ComparisonReport> {
  const began = performance.now();
  checkKeys("verifyVolumes", options, VERIFY_KEYS);
  if (target.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", { side: "target", volume: target.ref });
  }
  const plan = planReading(source, options, target);
  const both = [
    { volume: source, side: "source" },
    { volume: target, side: "target" },
  ] as const;
  const ends = await ReadEnds.begin(both, plan.requestTimeoutMs);
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
    // First: a volume that is gone is not one that differs.
    await ends.check();
    if (differences.length > 0) throw differs(target, differences);
    return {
      size: plan.size,
      read: one.read + other.read,
      fast: plan.useExtents,
      differences,
      digest: withName(plan, one.digest),
      ...ends.unknowns,
      seconds: secondsSince(began),
    };
  } finally {
    one.list.close();
    other.list.close();
  }
}

/**
 * Compares a volume with what a manifest says of a copy.
 *
 * @throws BlockhaulError ERR_VERIFICATION, with `ranges`; ERR_MANIFEST; ERR_TARGET_TOO_SMALL; ERR_VOLUME_CHANGED as
 *   `digestVolume`
 */
export async function verifyManifest(
  volume: Volume,
  file: string,
  options: Omit<VerifyOptions, "digest"> = {},
): Promise<ComparisonReport> {
  const began = performance.now();
  const { digest: _ofManifest, ...known } = VERIFY_KEYS;
  checkKeys("verifyManifest", options, known);
  const manifest = await readManifest(file);
  try {
    return await verifyOpenManifest(volume, file, manifest, options, began);
  } finally {
    await manifest.close();
  }
}

async function verifyOpenManifest(
  volume: Volume,
  file: string,
  { header, chunks }: OpenManifest,
  options: Omit<VerifyOptions, "digest">,
  began: number,
): Promise<ComparisonReport> {
  if (volume.size < header.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", {
      volume: volume.ref,
      message: `it has ${sizeInWords(volume.size)}, less than the manifest's ${sizeInWords(header.size)}`,
    });
  }
  const plan = {
    ...planReading(volume, { ...options, digest: header.algorithm }),
    size: header.size,
  };
  const ends = await ReadEnds.begin([{ volume }], plan.requestTimeoutMs);
  const { list, digest, read } = await readWhole(volume, plan, watchOf(options, "verify"));
  try {
    await ends.check();
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
    return {
      size: plan.size,
      read,
      fast: plan.useExtents,
      differences,
      digest: named,
      ...ends.unknowns,
      seconds: secondsSince(began),
    };
  } finally {
    list.close();
  }
}

function readWhole(volume: Volume, plan: ReadingPlan, watch: EngineWatch) {
  return hold(volume, "verify", (held) =>
    whileNobodyCopiesTo(held, async () => {
      if (!plan.useExtents) await checkHints(held);
      return readDigests(held, plan, { begin: 0, end: plan.size }, watch);
    }),
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
