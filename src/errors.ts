import { codeFromErrno, errnoName } from "./errno.js";
import { ERROR_CODES, type ErrorCode, isErrorCode } from "./error-codes.js";
import { redact } from "./redact.js";

export { codeFromErrno, errnoName } from "./errno.js";
export { ERROR_CODES, type ErrorCode, type ErrorCodeFacts } from "./error-codes.js";

/** Which end of a copy an error belongs to. */
export type Side = "source" | "target";

/** Something that is wrong with a configuration file. */
export interface ConfigFault {
  readonly file: string;
  /** From 1 on; none of a fault of the file as a whole. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly message: string;
}

/** What is known of a failure besides its code. */
export interface ErrorDetails {
  /** What went wrong, in one line, without volume and offset: those are put before it. */
  readonly message?: string | undefined;
  readonly side?: Side | undefined;
  /** The volume's name, usually its ref. */
  readonly volume?: string | undefined;
  /** "open", "read", "write", "zero", "flush", "map", "copy", "verify", "snapshot", "delete", "attach", "detach" or "close" */
  readonly operation?: string | undefined;
  /** Bytes from the volume's start. */
  readonly offset?: number | undefined;
  /** Positive. */
  readonly errno?: number | undefined;
  /** Bytes that it is about, of ERR_VERIFICATION: where the volumes differ. */
  readonly ranges?: readonly { readonly offset: number; readonly length: number }[] | undefined;
  /** All of them, of ERR_CONFIG. */
  readonly faults?: readonly ConfigFault[] | undefined;
  /** What to do about it, where there is more to say than ERROR_CODES does. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The one class of errors that blockhaul throws. `code` is stable and explained in docs/ERRORS.md;
 * the message is for people and may change. Secrets in texts are replaced by asterisks.
 */
export class BlockhaulError extends Error {
  readonly code: ErrorCode;
  readonly side: Side | undefined;
  readonly volume: string | undefined;
  readonly operation: string | undefined;
  readonly offset: number | undefined;
  readonly errno: number | undefined;
  /** "ENOSPC" */
  readonly errnoName: string | undefined;
  /** Of ERR_VERIFICATION: where the volumes differ, in whole chunks of 4 MiB. */
  readonly ranges: readonly { readonly offset: number; readonly length: number }[] | undefined;
  /** Of ERR_CONFIG: everything that is wrong with the configuration. */
  readonly faults: readonly ConfigFault[] | undefined;
  readonly #details: ErrorDetails;

  static {
    // On the prototype, where Node's own errors have it: not repeated in every inspection.
    BlockhaulError.prototype.name = "BlockhaulError";
  }

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(
      composeMessage(code, details),
      details.cause === undefined ? {} : { cause: details.cause },
    );
    this.code = code;
    this.side = details.side;
    this.volume = details.volume === undefined ? undefined : redact(details.volume);
    this.operation = details.operation;
    this.offset = details.offset;
    this.errno = details.errno;
    this.errnoName = details.errno === undefined ? undefined : errnoName(details.errno);
    this.ranges = details.ranges;
    this.faults = details.faults?.map((fault) => ({ ...fault, message: redact(fault.message) }));
    this.#details = details;
  }

  /** The same call may succeed later, with nothing changed by a person. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** What to do about it, in one line. */
  get hint(): string | undefined {
    const hint = this.#details.hint ?? ERROR_CODES[this.code].hint;
    return hint === undefined ? undefined : redact(hint);
  }

  /** The same error with what the caller knows of its place; what is known already stays. */
  withContext(
    context: Pick<ErrorDetails, "side" | "volume" | "operation" | "hint">,
  ): BlockhaulError {
    // No volume is to blame where the engine itself is not there.
    if (this.code === "ERR_NATIVE_UNAVAILABLE") return this;
    const known = Object.entries(this.#details).filter(([, value]) => value !== undefined);
    const merged = new BlockhaulError(this.code, { ...context, ...Object.fromEntries(known) });
    if (this.stack !== undefined) merged.stack = this.stack.replace(this.message, merged.message);
    return merged;
  }

  toJSON(): Record<string, unknown> {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      side: this.side,
      volume: this.volume,
      operation: this.operation,
      offset: this.offset,
      errno: this.errno,
      errnoName: this.errnoName,
      ranges: this.ranges,
      faults: this.faults,
      retryable: this.retryable,
      hint: this.hint,
    };
  }
}

/** "target rbd:rbd/x: write at offset 4096: No space left on device" */
function composeMessage(code: ErrorCode, details: ErrorDetails): string {
  // Each part by itself: a secret must not swallow what stands behind it.
  const volume = details.volume && redact(details.volume);
  const place = [details.side, volume].filter(Boolean).join(" ");
  // That opening failed goes without saying where nothing but the volume's name is known.
  const operation = details.operation === "open" ? undefined : details.operation;
  const at = details.offset === undefined ? "" : ` at offset ${details.offset}`;
  const action = operation === undefined ? undefined : `${operation}${at}`;
  const reason = redact(details.message || ERROR_CODES[code].meaning);
  // A ref such as "pattern:" brings its colon along.
  const text = [place.replace(/:$/, ""), action, reason].filter(Boolean).join(": ");
  return text.replace(/\s*[\r\n]+\s*/g, " ");
}

/** What the addon knows of a failure; every field but the message may be missing. */
export interface NativeErrorFields {
  readonly message: string;
  readonly code?: string;
  readonly errno?: number;
  readonly side?: string;
  readonly operation?: string;
  readonly offset?: number;
  readonly volume?: string;
}

/** Builds the addon's errors: it is handed to the addon once, when that is loaded. */
export function createNativeError(fields: NativeErrorFields): BlockhaulError {
  const errno =
    fields.errno === undefined || fields.errno === 0 ? undefined : Math.abs(fields.errno);
  const derived = errno === undefined ? "ERR_INTERNAL" : codeFromErrno(errno, fields.operation);
  const offset = fields.offset === undefined || fields.offset < 0 ? undefined : fields.offset;
  return new BlockhaulError(isErrorCode(fields.code) ? fields.code : derived, {
    message: fields.message,
    side: fields.side === "source" || fields.side === "target" ? fields.side : undefined,
    volume: fields.volume || undefined,
    operation: fields.operation || undefined,
    offset,
    errno,
  });
}

/** Any thrown value as a BlockhaulError; what is none already becomes the cause of one. */
export function toBlockhaulError(thrown: unknown, details: ErrorDetails = {}): BlockhaulError {
  if (thrown instanceof BlockhaulError) return thrown.withContext(details);
  const cause = thrown;
  if (isOfNulInPath(thrown)) {
    const message = "a path must not have a NUL character in it";
    return new BlockhaulError("ERR_INVALID_ARGUMENT", { message, ...details, cause });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = errnoOf(thrown);
  const code = errno === undefined ? "ERR_INTERNAL" : codeFromErrno(errno, details.operation);
  return new BlockhaulError(code, { message, errno, ...details, cause });
}

/** No system call was made, so Node gives no errno: a path that some text named cannot be one. */
function isOfNulInPath(thrown: unknown): boolean {
  if (!(thrown instanceof TypeError) || !("code" in thrown)) return false;
  return thrown.code === "ERR_INVALID_ARG_VALUE" && thrown.message.includes("null bytes");
}

/** The positive errno that a thrown value carries, as Node's system errors do. */
export function errnoOf(thrown: unknown): number | undefined {
  if (typeof thrown !== "object" || thrown === null || !("errno" in thrown)) return undefined;
  const errno = thrown.errno;
  return typeof errno === "number" && Number.isInteger(errno) && errno !== 0
    ? Math.abs(errno)
    : undefined;
}
