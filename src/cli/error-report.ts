import { BlockhaulError, ERROR_CODES } from "../index.js";

const MOST_CAUSES = 8;

/** What a person sees of an error: one line, then what to do; with -v its code and causes. */
export function explainError(error: unknown, isVerbose: boolean): string[] {
  const known = asBlockhaulError(error);
  const lines = [`blockhaul: ${known.message}`];
  if (known.hint !== undefined) lines.push(`hint: ${known.hint}`);
  if (!isVerbose) return lines;
  lines.push(`code: ${known.code}${known.errnoName === undefined ? "" : ` (${known.errnoName})`}`);
  let cause: unknown = known.cause;
  for (let depth = 0; cause !== undefined && depth < MOST_CAUSES; depth += 1) {
    lines.push(`cause: ${describeCause(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

/** The event of an error, for programs. */
export function describeError(error: unknown): Record<string, unknown> {
  const known = asBlockhaulError(error);
  return { type: "error", ...known.toJSON(), exitCode: exitCodeOf(known) };
}

/** Of a command that ends with this error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof StoppedBySignal) return error.exitCode;
  return ERROR_CODES[asBlockhaulError(error).code].exitCode;
}

/** A command that a signal stopped: 130 or 143. */
export class StoppedBySignal extends BlockhaulError {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM", message: string, hint?: string) {
    super("ERR_CANCELLED", { message, hint });
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

function asBlockhaulError(error: unknown): BlockhaulError {
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
