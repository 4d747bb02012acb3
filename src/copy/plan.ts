import { BlockhaulError } from "../errors.js";
import type { GuardFinding, GuardName } from "../guards/guard.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import type { DigestKind } from "../native.js";
import { sizeInWords } from "../units.js";
import { describe, toBytes } from "../volume/arguments.js";
import { Volume } from "../volume.js";
import type { CopyControl } from "./control.js";
import type { CopyProgress } from "./engine.js";

/** How a copy is done. Sizes are bytes. */
export interface CopyOptions {
  /** Requests in flight at the most; as many as the memory holds, up to 64, unless told. */
  readonly requests?: number | undefined;
  /** A power of two from 64 KiB to 4 MiB; 2 MiB unless told. */
  readonly requestSize?: number | bigint | undefined;
  /** All the buffers together; 32 MiB unless told, and 16 MiB to read only. `verify` reads back with half of a copy's. */
  readonly memory?: number | bigint | undefined;
  /** Threads that drive requests, 1 to 64, and no more than requests or buffers; 1 unless told. */
  readonly threads?: number | undefined;
  /** Ask the source where it holds data, and read only that; true unless told. Reads that prove something never do. */
  readonly useExtents?: boolean | undefined;
  /** Of the whole source; "xxh3" unless told. */
  readonly digest?: DigestKind | undefined;
  /** Bytes a second; 0, no limit, unless told. */
  readonly bandwidthLimit?: number | bigint | undefined;
  /** Pieces (requests to the source) a second; 0, no limit, unless told. */
  readonly iopsLimit?: number | undefined;
  /** Retries of a failed request; 5 unless told, 0 with a stream. */
  readonly retries?: number | undefined;
  /** How long one request, or a flush, may take, in milliseconds; 5 minutes unless told, for ever with a stream; 0: for ever. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long nothing at all may move, in milliseconds; 5 minutes unless told, for ever with a stream; 0: for ever. */
  readonly stallLimitMs?: number | undefined;
  /**
   * Blocks of the source that cannot be read become zeros on the target, and are listed in the report.
   * The source's first error ends the copy otherwise.
   */
  readonly salvage?: boolean | undefined;
  /**
   * Reads the target back after the flush and compares it with what was read from the source. "source" reads all of the
   * source again, too, whatever it says of where it holds data: else what the copy did not read is not compared.
   */
  readonly verify?: boolean | "source" | undefined;
  /** With `verify`: writes what differs once more, and compares that again. */
  readonly repair?: boolean | undefined;
  /** A file that is to say what was copied: see docs/MANIFEST.md. */
  readonly manifest?: string | undefined;
  /** Keeps a journal, by which `resumeCopy` can go on after a crash; false unless told. */
  readonly journal?: boolean | undefined;
  /** Where journals are kept; the host's place for it unless told. */
  readonly stateDirectory?: string | undefined;
  /** Milliseconds between two checkpoints of the journal, each of which flushes the target; 5000 unless told. */
  readonly checkpointIntervalMs?: number | undefined;
  /** Of a migration that the copy is a part of: its id. `resume` of that goes on with the copy, too. */
  readonly partOf?: string | undefined;
  /** Called with the job's id once its journal is there. */
  readonly onJob?: ((id: string) => void) | undefined;
  /** Changes limits, pauses and goes on while the copy runs. */
  readonly control?: CopyControl | undefined;
  /** Guards whose refusal is known and passed over: `checkGuards()` tells what they find. */
  readonly allow?: readonly GuardName[] | undefined;
  /** Called once before the copy begins, with what every guard found; a refusal is thrown after it. */
  readonly onGuards?: ((findings: readonly GuardFinding[]) => void) | undefined;
  /** Stops the copy: what is in flight is waited for, then it rejects with ERR_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Called a few times a second, and once at the end. If it throws, the copy is stopped. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Milliseconds between two calls of `onProgress`; 200 unless told. */
  readonly progressIntervalMs?: number | undefined;
}

/** All of CopyOptions: `resumeCopy` and the comparisons take some of them. */
export const COPY_KEYS: KeysOf<CopyOptions> = {
  requests: true,
  requestSize: true,
  memory: true,
  threads: true,
  useExtents: true,
  digest: true,
  bandwidthLimit: true,
  iopsLimit: true,
  retries: true,
  requestTimeoutMs: true,
  stallLimitMs: true,
  salvage: true,
  verify: true,
  repair: true,
  manifest: true,
  journal: true,
  stateDirectory: true,
  checkpointIntervalMs: true,
  partOf: true,
  onJob: true,
  control: true,
  allow: true,
  onGuards: true,
  signal: true,
  onProgress: true,
  progressIntervalMs: true,
};

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
  readonly digest: DigestKind;
  readonly bandwidthLimit: number;
  readonly iopsLimit: number;
  readonly retries: number;
  readonly requestTimeoutMs: number;
  readonly stallLimitMs: number;
  readonly salvage: boolean;
  readonly verify: boolean | "source";
  readonly repair: boolean;
  readonly journal: boolean;
  readonly checkpointIntervalMs: number;
}

const MiB = 1024 ** 2;
const DEFAULT_REQUEST_SIZE = 2 * MiB;
const DEFAULT_MEMORY = 32 * MiB;
/** See `planReadBack`. */
const DEFAULT_READING_MEMORY = DEFAULT_MEMORY / 2;
const DEFAULT_MOST_REQUESTS = 64;
const DEFAULT_RETRIES = 5;
const MOST_RETRIES = 1000;
const DEFAULT_DEADLINE_MS = 5 * 60 * 1000;
const DEFAULT_CHECKPOINT_MS = 5000;
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
  checkKeys("a copy", options, COPY_KEYS);
  checkVolumes(source, target);
  const isStream = source.info.sequential || target.info.sequential;
  const plan = planEngine(source.size, isStream ? asStream(options) : options);
  checkRecord(options, plan.digest, target);
  checkStreams(source, target, options);
  return {
    source: source.ref,
    target: target.ref,
    method: "engine",
    ...plan,
    salvage: Boolean(options.salvage),
    verify: toVerify(options),
    repair: Boolean(options.repair),
    journal: Boolean(options.journal),
  };
}

/**
 * How the engine is to read one volume for its digests: the part of a plan that says so.
 *
 * @param options `fast`: only where the volume says that it holds data, which nothing checks
 * @param beside another that is read at the same time, and at the same pace
 */
export function planReading(
  volume: Volume,
  { fast, ...options }: Omit<CopyOptions, "useExtents"> & { readonly fast?: boolean | undefined },
  beside: Volume = volume,
) {
  if (!(volume instanceof Volume)) throw notAVolume("volume", volume);
  if (volume.closed) throw closedVolume(volume);
  const reading = { ...options, useExtents: Boolean(fast) };
  const isStream = volume.info.sequential || beside.info.sequential;
  const fitting = isStream ? asStream(reading) : reading;
  const plan = planEngine(volume.size, fitting, DEFAULT_READING_MEMORY);
  if (plan.digest === "none") throw invalid("a comparison needs a digest");
  return plan;
}

/**
 * How what a copy moved is read again. A copy's buffer waits for a read, and then for a write; where nothing is
 * written, half as many keep a volume as busy: docs/decisions/0017-defaults-of-the-window.md. All of it is read: what is to
 * prove a copy shares no hint with it.
 */
export function planReadBack<
  Plan extends Pick<CopyPlan, "requests" | "memory" | "requestSize" | "threads" | "useExtents">,
>(plan: Plan): Plan {
  const requests = Math.ceil(plan.requests / 2);
  const buffers = Math.ceil(Math.floor(plan.memory / plan.requestSize) / 2);
  const threads = Math.min(plan.threads, requests, buffers);
  return { ...plan, requests, memory: buffers * plan.requestSize, threads, useExtents: false };
}

/** Whoever is at the other end decides how fast a stream goes, and nothing of it can be asked for once more. */
function asStream(options: CopyOptions): CopyOptions {
  const { stallLimitMs = 0 } = options;
  return { ...options, retries: 0, requestTimeoutMs: 0, stallLimitMs };
}

function planEngine(size: number, options: CopyOptions, defaultMemory = DEFAULT_MEMORY) {
  const requestSize = toBytes(options.requestSize ?? DEFAULT_REQUEST_SIZE, "requestSize");
  if (
    requestSize < SMALLEST_REQUEST ||
    requestSize > LARGEST_REQUEST ||
    !Number.isInteger(Math.log2(requestSize))
  ) {
    throw invalid("requestSize must be a power of two from 64 KiB to 4 MiB");
  }
  const memory = toBytes(options.memory ?? defaultMemory, "memory");
  if (memory < requestSize) {
    throw invalid(`memory must hold one request at least: ${sizeInWords(requestSize)}`);
  }
  const requests =
    options.requests ?? Math.min(Math.floor(memory / requestSize), DEFAULT_MOST_REQUESTS);
  const digest = options.digest ?? "xxh3";
  if (digest !== "xxh3" && digest !== "sha256" && digest !== "none") {
    throw invalid(`digest must be "xxh3", "sha256" or "none", not ${describe(digest)}`);
  }
  return {
    size,
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
    iopsLimit: toLimit(options.iopsLimit ?? 0, "iopsLimit"),
    retries: toLimit(options.retries ?? DEFAULT_RETRIES, "retries", MOST_RETRIES),
    requestTimeoutMs: toLimit(options.requestTimeoutMs ?? DEFAULT_DEADLINE_MS, "requestTimeoutMs"),
    stallLimitMs: toLimit(options.stallLimitMs ?? DEFAULT_DEADLINE_MS, "stallLimitMs"),
    checkpointIntervalMs: toLimit(
      options.checkpointIntervalMs ?? DEFAULT_CHECKPOINT_MS,
      "checkpointIntervalMs",
    ),
  };
}

function checkVolumes(source: Volume, target: Volume): void {
  for (const [volume, side] of [
    [source, "source"],
    [target, "target"],
  ] as const) {
    if (!(volume instanceof Volume)) throw notAVolume(side, volume);
    if (volume.closed) throw closedVolume(volume).withContext({ side });
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
      message: `it has ${sizeInWords(target.size)}, less than the source's ${sizeInWords(source.size)}`,
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

export function checkCallbacks({ onProgress, progressIntervalMs }: CopyOptions): void {
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

function toVerify({ verify = false, repair }: CopyOptions): boolean | "source" {
  if (verify === "source") return verify;
  if (typeof verify === "string") {
    throw invalid(`verify must be true, false or "source", not ${describe(verify)}`);
  }
  return Boolean(verify || repair);
}

/** A whole number from 0 on. */
function toLimit(value: unknown, name: string, most = 2 ** 31 - 1): number {
  const isWhole = typeof value === "number" && Number.isInteger(value) && value >= 0;
  if (isWhole && value <= most) return value;
  throw invalid(`${name} must be a whole number from 0 to ${most}, not ${describe(value)}`);
}

/** What proves a copy needs digests, and a target that keeps what it is given. */
function checkRecord(options: CopyOptions, digest: DigestKind, target: Volume): void {
  const wanted = options.verify || options.repair ? "verify" : options.manifest && "manifest";
  if (!wanted) return;
  if (digest === "none") throw invalid(`${wanted} needs a digest`);
  if (target.info.ephemeral && wanted === "verify") {
    throw invalid(`${target.ref} keeps nothing that could be read back`);
  }
}

/** What needs to read or write something of a stream a second time. */
function checkStreams(source: Volume, target: Volume, options: CopyOptions): void {
  const [stream] = [source, target].filter(({ info }) => info.sequential);
  if (stream === undefined) return;
  const { verify, repair, salvage, journal } = options;
  const fromSource = source.info.sequential;
  const [unfit] = [
    fromSource && verify === "source" && 'verify: "source" would read it again',
    fromSource && repair && "repair would read it again",
    fromSource && salvage && "salvage would read what comes after an error",
    journal && "a journal could not go on with it",
  ].filter((text) => text);
  if (unfit) throw invalid(`${stream.ref} can be read or written once only: ${unfit}`);
}

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}

function notAVolume(name: string, given: unknown): BlockhaulError {
  return invalid(`the ${name} must be an open volume, not ${describe(given)}`);
}

function closedVolume(volume: Volume): BlockhaulError {
  return new BlockhaulError("ERR_VOLUME_CLOSED", {
    volume: volume.ref,
    message: "the volume is closed",
  });
}
