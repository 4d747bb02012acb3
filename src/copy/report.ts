import type { NativeCopyReport, Range } from "../native.js";
import type { SourceWrites } from "./ends.js";
import type { CopyPlan } from "./plan.js";
import type { VerificationReport } from "./verification.js";

/** What a copy did, once all of it is durable on the target. */
export interface CopyReport {
  readonly source: string;
  readonly target: string;
  /** Bytes of the source, all of which the target holds now, but for `bad`. */
  readonly size: number;
  /** Where this run began: what is before was done by an earlier one. */
  readonly begin: number;
  readonly read: number;
  readonly written: number;
  readonly zeroed: number;
  readonly skipped: number;
  /** Requests that were made once more. */
  readonly retries: number;
  /** Questions about the source's extents that failed: all was read there. */
  readonly mapFailures: number;
  /** With `salvage`: what could not be read and is zeros on the target. Empty: the copy is complete. */
  readonly bad: readonly Range[];
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
  /** What reading the target back showed; undefined where that was not asked for. */
  readonly verification: VerificationReport | undefined;
  /** Refs of ends whose driver cannot tell what has their name: whether they still are what was named, nobody knows. */
  readonly notIdentified: readonly string[];
  /** Whether anybody wrote to the source meanwhile, as far as its storage shows. */
  readonly sourceWrites: SourceWrites;
  /**
   * Which other copies could not be kept away from an end, and who else may use it and does not show, in words;
   * empty: nobody else could begin, and all could be seen.
   */
  readonly notExcluded: readonly string[];
  /** The journal's; undefined without one. */
  readonly job: string | undefined;
}

/** What a run is reported with, besides what the engine says of it. */
export interface RunFacts {
  readonly bad: readonly Range[];
  readonly verification: VerificationReport | undefined;
  readonly notIdentified: readonly string[];
  readonly sourceWrites: SourceWrites;
  readonly notExcluded: readonly string[];
  readonly job: string | undefined;
}

export function composeReport(
  plan: CopyPlan,
  report: NativeCopyReport,
  { bad, verification, notIdentified, sourceWrites, notExcluded, job }: RunFacts,
): CopyReport {
  const seconds = report.elapsedMs / 1000;
  return {
    source: plan.source,
    target: plan.target,
    size: report.total,
    begin: report.begin,
    read: report.read,
    written: report.written,
    zeroed: report.zeroed,
    skipped: report.skipped,
    retries: report.retries,
    mapFailures: report.mapFailures,
    bad,
    seconds,
    bytesPerSecond: seconds > 0 ? Math.round((report.total - report.begin) / seconds) : 0,
    method: "engine",
    io: report.io,
    requests: report.requests,
    requestSize: report.requestSize,
    threads: report.threads,
    digest: report.digest === undefined ? undefined : `${plan.digest}:${report.digest}`,
    verification,
    notIdentified,
    sourceWrites,
    notExcluded,
    job,
  };
}

/** The same bytes in the fewest ranges, ascending. */
export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: { offset: number; length: number }[] = [];
  for (const { offset, length } of [...ranges].sort((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    if (last !== undefined && offset <= last.offset + last.length) {
      last.length = Math.max(last.length, offset + length - last.offset);
    } else {
      merged.push({ offset, length });
    }
  }
  return merged;
}

/** Ranges as a person reads them: the first few, and how many there are. */
export function describeRanges(ranges: readonly Range[]): string {
  const total = ranges.reduce((sum, { length }) => sum + length, 0);
  const first = ranges.slice(0, 3).map(({ offset, length }) => `${offset}+${length}`);
  const more = ranges.length > first.length ? ", …" : "";
  const count = ranges.length === 1 ? "1 range" : `${ranges.length} ranges`;
  return `${total} bytes in ${count} (${first.join(", ")}${more})`;
}
