import { BlockhaulError } from "../errors.js";
import {
  type CopyState,
  type NativeCopyJob,
  type NativeCopyOptions,
  type NativeCopyReport,
  type NativeJournal,
  type NativeProgress,
  type NativeVolume,
  native,
} from "../native.js";
import { onAbort } from "../system/abort.js";
import { enterAsCaller, withJsCause } from "../volume/js-volume.js";
import { holdVolume, type Volume } from "../volume.js";
import type { CopyControl } from "./control.js";

/** What a copy is at: moving bytes, reading them back, or writing once more what differed. */
export type CopyPhase = "copy" | "verify" | "repair";

/** Where a copy stands. Bytes are counted when they are finished, never when they are begun. */
export interface CopyProgress {
  /** Each phase counts anew. */
  readonly phase: CopyPhase;
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
  /** Where this run began: what is before was done by an earlier one. */
  readonly begin: number;
  /** Requests that were made once more. */
  readonly retries: number;
  readonly seconds: number;
}

/** How a run of the engine is watched and stopped. */
export interface EngineWatch {
  readonly phase?: CopyPhase | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  readonly progressIntervalMs?: number | undefined;
  readonly control?: CopyControl | undefined;
}

/** What a caller's options say of that, and nothing else of them. */
export function watchOf(options: Omit<EngineWatch, "phase">, phase?: CopyPhase): EngineWatch {
  const { signal, onProgress, progressIntervalMs, control } = options;
  return { phase, signal, onProgress, progressIntervalMs, control };
}

const DEFAULT_PROGRESS_INTERVAL_MS = 200;

/** A volume that does not close before whoever holds it is done with it. */
export interface HeldVolume {
  readonly volume: Volume;
  readonly native: NativeVolume;
}

/** Keeps volumes from closing while something is done with them. */
export function hold<Result>(
  volume: Volume,
  operation: string,
  action: (held: HeldVolume) => Promise<Result>,
): Promise<Result> {
  return holdVolume(volume, operation, (native) => action({ volume, native }));
}

/**
 * One run of the engine between two volumes.
 *
 * @throws BlockhaulError ERR_CANCELLED with the signal's reason as the cause; else the first error of
 *   either side
 */
export async function runEngine(
  source: HeldVolume,
  target: HeldVolume,
  options: NativeCopyOptions,
  journal: NativeJournal | undefined,
  watch: EngineWatch,
): Promise<NativeCopyReport> {
  try {
    const start = () => native().startCopy(source.native, target.native, options, journal);
    return await supervise(start, [source.native, target.native], watch);
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.side === undefined) throw error;
    throw explain(error, error.side === "source" ? source : target);
  }
}

/** Reads a range of a volume through the engine, for its digests alone. */
export async function runReading(
  held: HeldVolume,
  options: NativeCopyOptions,
  journal: NativeJournal,
  watch: EngineWatch,
): Promise<NativeCopyReport> {
  const nothing = native().openSynthetic({ kind: "null", size: options.size });
  try {
    const start = () => native().startCopy(held.native, nothing, options, journal);
    return await supervise(start, [held.native], watch);
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.side !== "source") throw error;
    throw explain(error, held);
  } finally {
    // It refuses while a read of the volume hangs, which is said already.
    await nothing.close().catch(() => {});
  }
}

function explain(error: BlockhaulError, { volume, native: side }: HeldVolume): BlockhaulError {
  return withJsCause(side, error.withContext({ volume: volume.ref }));
}

/** Starts a job, waits for it, reports on it, and stops it when told. */
async function supervise(
  start: () => NativeCopyJob,
  volumes: readonly NativeVolume[],
  watch: EngineWatch,
): Promise<NativeCopyReport> {
  const { signal, onProgress, progressIntervalMs = DEFAULT_PROGRESS_INTERVAL_MS } = watch;
  const job = start();
  // Requests come from the job's threads by way of the event loop: none is here yet.
  const callers = volumes.map(enterAsCaller).filter((caller) => caller !== undefined);
  watch.control?.attach(job);
  let thrown: { error: unknown } | undefined;
  const report = (progress: NativeProgress) => {
    try {
      onProgress?.(toProgress(progress, watch.phase ?? "copy"));
    } catch (error) {
      thrown ??= { error };
      cancel();
    }
  };
  const cancel = () => {
    // First: a request that a driver gives up is no error of a copy that was stopped before.
    job.cancel();
    for (const caller of callers) caller.abort(signal?.reason);
  };
  const timer =
    onProgress === undefined
      ? undefined
      : setInterval(() => report(job.progress()), progressIntervalMs);
  const stopListening = onAbort(signal, cancel);
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
    watch.control?.detach(job);
    clearInterval(timer);
    stopListening();
    for (const caller of callers) caller.leave();
  }
}

function toProgress(progress: NativeProgress, phase: CopyPhase): CopyProgress {
  const { elapsedMs, ...counters } = progress;
  return {
    phase,
    state: counters.state,
    total: counters.total,
    done: counters.done,
    read: counters.read,
    written: counters.written,
    zeroed: counters.zeroed,
    skipped: counters.skipped,
    begin: counters.begin,
    retries: counters.retries,
    seconds: elapsedMs / 1000,
  };
}

/** What a caller that stopped a copy gets. */
export function cancelled(signal: AbortSignal): BlockhaulError {
  return new BlockhaulError("ERR_CANCELLED", {
    operation: "copy",
    message: "stopped on request",
    cause: signal.reason,
  });
}
