import { BlockhaulError, ERROR_CODES, sizeInWords } from "../index.js";
import { exitCodeOfSignal, type StopSignal } from "./stop-signals.js";

const MOST_CAUSES = 8;
/** Of the places where volumes differ, a person is shown so many. */
const MOST_RANGES = 20;

/** What a person sees of an error: one line, then what to do; with -v its code and causes. */
export function explainError(error: unknown, isVerbose: boolean): string[] {
  const known = asBlockhaulError(error);
  const advice = error instanceof ResumableFailure ? error.advice : undefined;
  const hint = [known.hint, advice].filter((text) => text !== undefined).join("; ");
  const lines = [...headLines(known), ...rangeLines(known.ranges ?? [])];
  if (hint !== "") lines.push(`hint: ${hint}`);
  if (!isVerbose) return lines;
  lines.push(`code: ${known.code}${known.errnoName === undefined ? "" : ` (${known.errnoName})`}`);
  let cause: unknown = known.cause;
  for (let depth = 0; cause !== undefined && depth < MOST_CAUSES; depth += 1) {
    lines.push(`cause: ${describeCause(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

/** Faults of a configuration one a line, as compilers do, so that editors find their places. */
function headLines({ message, faults = [] }: BlockhaulError): string[] {
  if (faults.length < 2) return [`blockhaul: ${message}`];
  const lines = faults.map(({ file, line, column, message: text }) =>
    [file, line, column, ` ${text}`].filter((part) => part !== undefined).join(":"),
  );
  return [`blockhaul: the configuration has ${faults.length} faults`, ...lines];
}

/** The event of an error, for programs. */
export function describeError(error: unknown): Record<string, unknown> {
  const known = asBlockhaulError(error);
  const job = error instanceof ResumableFailure ? { job: error.job } : {};
  return { type: "error", ...known.toJSON(), ...job, exitCode: exitCodeOf(error) };
}

/** Of a command that ends with this error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof StoppedBySignal) return error.exitCode;
  if (error instanceof ResumableFailure) return exitCodeOf(error.failure);
  return ERROR_CODES[asBlockhaulError(error).code].exitCode;
}

/** A command that a signal stopped: 129, 130 or 143. */
export class StoppedBySignal extends BlockhaulError {
  readonly exitCode: number;

  constructor(signal: StopSignal, message: string, hint?: string) {
    super("ERR_CANCELLED", { message, hint });
    this.exitCode = exitCodeOfSignal(signal);
  }
}

/** A copy that ended too early, and can go on. */
export class ResumableFailure extends Error {
  readonly failure: unknown;
  readonly job: string;
  readonly advice: string;

  /**
   * @param failure what ended it
   * @param job what `blockhaul resume` takes
   * @param advice how to go on, in a few words
   */
  constructor(failure: unknown, job: string, advice: string) {
    super(asBlockhaulError(failure).message);
    this.failure = failure;
    this.job = job;
    this.advice = advice;
  }
}

/** Ranges as lines: the first of them, and how many more there are. */
export function rangeLines(
  ranges: readonly { readonly offset: number; readonly length: number }[],
): string[] {
  const first = ranges.slice(0, MOST_RANGES);
  const lines = first.map(({ offset, length }) => `  ${sizeInWords(length)} at offset ${offset}`);
  if (ranges.length > first.length) lines.push(`  and ${ranges.length - first.length} more`);
  return lines;
}

function asBlockhaulError(error: unknown): BlockhaulError {
  if (error instanceof ResumableFailure) return asBlockhaulError(error.failure);
  if (error instanceof BlockhaulError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BlockhaulError("ERR_INTERNAL", { message, cause: error });
}

function describeCause(cause: unknown): string {
  const text =
    cause instanceof Error
      ? `${"code" in cause && typeof cause.code === "string" ? `${cause.code}: ` : ""}${cause.message}`
      : String(cause);
  // A BlockhaulError redacts its texts; so are those of others by becoming part of one.
  return new BlockhaulError("ERR_INTERNAL", { message: text }).message;
}
