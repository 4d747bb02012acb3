import { BlockhaulError } from "./errors.js";
import {
  type CopyState,
  type NativeCopyJob,
  type NativeCopyReport,
  type NativeProgress,
  type NativeVolume,
  native,
} from "./native.js";
import { exactSize } from "./units.js";
import { describe, toBytes } from "./volume/arguments.js";
import { withJsCause } from "./volume/js-volume.js";
import { holdVolume, Volume } from "./volume.js";

/** How a copy is done. Sizes are bytes. */
export interface CopyOptions {
  /** Requests in flight at the most; as many as the memory holds, up to 64, unless told. */
  readonly requests?: number | undefined;
  /** A power of two from 64 KiB to 4 MiB; 1 MiB unless told. */
  readonly requestSize?: number | bigint | undefined;
  /** All the buffers together; 64 MiB unless told. */
  readonly memory?: number | bigint | undefined;
  /** Threads that drive requests, 1 to 64, and no more than requests or buffers; 1 unless told. */
  readonly threads?: number | undefined;
  /** Ask the source where it holds data, and read only that; true unless told. */
  readonly useExtents?: boolean | undefined;
  /** Of the whole source; "xxh3" unless told. */
  readonly digest?: "xxh3" | "sha256" | "none" | undefined;
  /** Bytes a second; 0, no limit, unless told. */
  readonly bandwidthLimit?: number | bigint | undefined;
  /** Stops the copy: what is in flight is waited for, then it rejects with ERR_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Called a few times a second, and once at the end. If it throws, the copy is stopped. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Milliseconds between two calls of `onProgress`; 200 unless told. */
  readonly progressIntervalMs?: number | undefined;
}

/** Where a copy stands. Bytes are counted when they are finished, never when they are begun. */
export interface CopyProgress {
  readonly state: CopyState;
  /** The source's size. */
  readonly total: number;
  /** Written, zeroed or skipped. */
  readonly done: number;
  /** Read from the source. */
  readonly read: number;
  /** Written to the target as data. */
  readonly written: number;
  /** Made zero on the target. */
  readonly zeroed: number;
  /** Zeros that the target was proven to hold already. */
  readonly skipped: number;
  readonly seconds: number;
}

/** What a copy will do: its options with every default filled in. */
export interface CopyPlan {
  readonly source: string;
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /** Moved by the engine of this process. */
  readonly method: "engine";
  readonly requests: number;
  readonly requestSize: number;
  readonly memory: number;
  readonly threads: number;
  readonly useExtents: boolean;
  readonly digest: "xxh3" | "sha256" | "none";
  readonly bandwidthLimit: number;
}

/** What a copy did, once all of it is durable on the target. */
export interface CopyReport {
  readonly source: string;
  readonly target: string;
  /** Bytes of the source, all of which the target holds now. */
  readonly size: number;
  readonly read: number;
  readonly written: number;
  readonly zeroed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
  readonly method: "engine";
  /** "io_uring" or "threads" */
  readonly io: string;
  readonly requests: number;
  readonly requestSize: number;
  readonly threads: number;
  /** "xxh3:…" or "sha256:…", a tree digest of the source; undefined with `digest: "none"`. */
  readonly digest: string | undefined;
}

const MiB = 1024 ** 2;
const DEFAULT_REQUEST_SIZE = MiB;
const DEFAULT_MEMORY = 64 * MiB;
const DEFAULT_MOST_REQUESTS = 64;
const DEFAULT_PROGRESS_INTERVAL_MS = 200;
const SMALLEST_REQUEST = 64 * 1024;
const LARGEST_REQUEST = 4 * MiB;
const MOST_REQUESTS = 4096;
const MOST_THREADS = 64;

/**
 * Checks whether a copy can be done, and with which values; changes nothing.
 *
 * @throws BlockhaulError ERR_SAME_VOLUME, ERR_TARGET_TOO_SMALL, ERR_READ_ONLY, ERR_VOLUME_CLOSED,
 *   ERR_INVALID_ARGUMENT
 */
export function planCopy(source: Volume, target: Volume, options: CopyOptions = {}): CopyPlan {
  checkVolumes(source, target);
  const requestSize = toBytes(options.requestSize ?? DEFAULT_REQUEST_SIZE, "requestSize");
  if (
    requestSize < SMALLEST_REQUEST ||
    requestSize > LARGEST_REQUEST ||
    !Number.isInteger(Math.log2(requestSize))
  ) {
    throw invalid("requestSize must be a power of two from 64 KiB to 4 MiB");
  }
  const memory = toBytes(options.memory ?? DEFAULT_MEMORY, "memory");
  if (memory < requestSize) {
    throw invalid(`memory must hold one request at least: ${exactSize(requestSize)}`);
  }
  const requests =
    options.requests ?? Math.min(Math.floor(memory / requestSize), DEFAULT_MOST_REQUESTS);
  const digest = options.digest ?? "xxh3";
  if (digest !== "xxh3" && digest !== "sha256" && digest !== "none") {
    throw invalid(`digest must be "xxh3", "sha256" or "none", not ${describe(digest)}`);
  }
  return {
    source: source.ref,
    target: target.ref,
    size: source.size,
    method: "engine",
    requests: toCount(requests, "requests", MOST_REQUESTS),
    requestSize,
    memory,
    // Each thread needs a request and a buffer of its own.
    threads: Math.min(
      toCount(options.threads ?? 1, "threads", MOST_THREADS),
      requests,
      Math.floor(memory / requestSize),
    ),
    useExtents: Boolean(options.useExtents ?? true),
    digest,
    bandwidthLimit: toBytes(options.bandwidthLimit ?? 0, "bandwidthLimit"),
  };
}

/**
 * Copies all of a source to the start of a target, and flushes it. The source must not be written to
 * meanwhile. Both volumes stay open.
 *
 * @throws BlockhaulError what `planCopy` throws; ERR_CANCELLED with the signal's reason as the
 *   cause; else the first error of either side, with `side`, `operation` and `offset`. The target's
 *   content is then undefined.
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
  const report = await holdBoth(source, target, (from, to) => {
    const job = native().startCopy(from, to, {
      size: plan.size,
      requestSize: plan.requestSize,
      requests: plan.requests,
      memory: plan.memory,
      threads: plan.threads,
      useExtents: plan.useExtents,
      digest: plan.digest,
      bandwidthLimit: plan.bandwidthLimit,
    });
    return supervise(job, options);
  });
  return composeReport(plan, report);
}

/** Keeps both volumes from closing while the copy runs. */
function holdBoth<Result>(
  source: Volume,
  target: Volume,
  action: (from: NativeVolume, to: NativeVolume) => Promise<Result>,
): Promise<Result> {
  return holdVolume(source, "copy", (from) =>
    holdVolume(target, "copy", async (to) => {
      try {
        return await action(from, to);
      } catch (error) {
        if (!(error instanceof BlockhaulError) || error.side === undefined) throw error;
        const [volume, side] = error.side === "source" ? [source, from] : [target, to];
        throw withJsCause(side, error.withContext({ volume: volume.ref }));
      }
    }),
  );
}

/** Waits for a job, reports on it, and stops it when told. */
async function supervise(job: NativeCopyJob, options: CopyOptions): Promise<NativeCopyReport> {
  const { signal, onProgress, progressIntervalMs = DEFAULT_PROGRESS_INTERVAL_MS } = options;
  let thrown: { error: unknown } | undefined;
  const report = (progress: NativeProgress) => {
    try {
      onProgress?.(toProgress(progress));
    } catch (error) {
      thrown ??= { error };
      job.cancel();
    }
  };
  const cancel = () => job.cancel();
  const timer =
    onProgress === undefined
      ? undefined
      : setInterval(() => report(job.progress()), progressIntervalMs);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const finished = await job.finished;
    clearInterval(timer);
    report(finished);
    if (thrown !== undefined) throw thrown.error;
    return finished;
  } catch (error) {
    clearInterval(timer);
    if (thrown === undefined) report(job.progress());
    const code = error instanceof BlockhaulError ? error.code : undefined;
    if (code === "ERR_CANCELLED" && thrown !== undefined) throw thrown.error;
    if (code === "ERR_CANCELLED" && signal?.aborted) throw cancelled(signal);
    throw error;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

function composeReport(plan: CopyPlan, report: NativeCopyReport): CopyReport {
  const seconds = report.elapsedMs / 1000;
  return {
    source: plan.source,
    target: plan.target,
    size: report.total,
    read: report.read,
    written: report.written,
    zeroed: report.zeroed,
    skipped: report.skipped,
    seconds,
    bytesPerSecond: seconds > 0 ? Math.round(report.total / seconds) : 0,
    method: "engine",
    io: report.io,
    requests: report.requests,
    requestSize: report.requestSize,
    threads: report.threads,
    digest: report.digest === undefined ? undefined : `${plan.digest}:${report.digest}`,
  };
}

function toProgress(progress: NativeProgress): CopyProgress {
  const { state, total, done, read, written, zeroed, skipped, elapsedMs } = progress;
  return { state, total, done, read, written, zeroed, skipped, seconds: elapsedMs / 1000 };
}

function checkVolumes(source: Volume, target: Volume): void {
  for (const [volume, side] of [
    [source, "source"],
    [target, "target"],
  ] as const) {
    if (!(volume instanceof Volume)) {
      throw invalid(`the ${side} must be an open volume, not ${describe(volume)}`);
    }
    if (!volume.closed) continue;
    throw new BlockhaulError("ERR_VOLUME_CLOSED", {
      side,
      volume: volume.ref,
      message: "the volume is closed",
    });
  }
  checkApart(source, target);
  if (target.info.readOnly) {
    throw new BlockhaulError("ERR_READ_ONLY", {
      side: "target",
      volume: target.ref,
      message: 'the volume cannot be written to; it was not opened with mode "write"',
    });
  }
  if (target.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", {
      side: "target",
      volume: target.ref,
      message: `its ${target.size} bytes are fewer than the source's ${source.size}`,
    });
  }
}

/** Bytes that are read and written at once would be neither the source's nor the target's. */
function checkApart(source: Volume, target: Volume): void {
  const [from, to] = [source.info, target.info];
  const areSame = source === target || from.identity === to.identity;
  const distance = Math.abs(from.mediumOffset - to.mediumOffset);
  const overlap = from.medium === to.medium && distance < source.size;
  if (!areSame && !overlap) return;
  throw new BlockhaulError("ERR_SAME_VOLUME", {
    message: areSame
      ? `${source.ref} and ${target.ref} are the same volume`
      : `${source.ref} and ${target.ref} overlap: both lie on ${from.medium}`,
  });
}

function checkCallbacks({ onProgress, progressIntervalMs }: CopyOptions): void {
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw invalid(`onProgress must be a function, not ${describe(onProgress)}`);
  }
  if (
    progressIntervalMs !== undefined &&
    !(progressIntervalMs >= 1 && progressIntervalMs < 2 ** 31)
  ) {
    throw invalid("progressIntervalMs must be from 1 to 2^31 - 1");
  }
}

function toCount(value: unknown, name: string, most: number): number {
  const isCount = typeof value === "number" && Number.isInteger(value) && value >= 1;
  if (isCount && value <= most) return value;
  throw invalid(`${name} must be a whole number from 1 to ${most}, not ${describe(value)}`);
}

function cancelled(signal: AbortSignal): BlockhaulError {
  return new BlockhaulError("ERR_CANCELLED", {
    operation: "copy",
    message: "stopped on request",
    cause: signal.reason,
  });
}

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
