/** A copy's plan and report, as a person reads them. */
import {
  type CopyPlan,
  type CopyReport,
  exactSize,
  formatDuration,
  formatSize,
  sizeInWords,
} from "../index.js";
import type { CopyTarget } from "./copy-ends.js";
import { rangeLines } from "./error-report.js";
import { plural } from "./table.js";

export function planLines(
  plan: CopyPlan,
  { isNew, missing }: Pick<CopyTarget, "isNew" | "missing">,
): string[] {
  const limits = [
    plan.bandwidthLimit === 0 ? "" : `, ${formatSize(plan.bandwidthLimit)}/s at the most`,
    plan.iopsLimit === 0 ? "" : `, ${plural(plan.iopsLimit, "request")} a second at the most`,
  ].join("");
  return [
    `plan: ${formatSize(plan.size)} (${plan.size} bytes)`,
    `  from ${plan.source}${plan.useExtents ? ", only where it holds data" : ", all of it"}`,
    `  to ${plan.target}${isNew ? ", a new volume" : ""}${missing === undefined ? "" : ` (now: ${missing})`}`,
    `  ${plural(plan.requests, "request")} of ${exactSize(plan.requestSize)} at the most, ` +
      `${formatSize(plan.memory)} of buffers, ${plural(plan.threads, "thread")}${limits}`,
    `  digest: ${plan.digest}${proofText(plan)}`,
    `  journal: ${plan.journal ? `every ${plan.checkpointIntervalMs / 1000} s` : "none, so it cannot be resumed"}`,
    ...(plan.salvage ? ["  what cannot be read becomes zeros"] : []),
  ];
}

function proofText({ verify, repair }: CopyPlan): string {
  if (verify === "source") return ", and both ends are read again and compared";
  if (repair) return ", and the target is read back and repaired";
  return verify ? ", and the target is read back" : "";
}

/** What was done. */
export function summary(report: CopyReport): string[] {
  const zeros = [
    report.zeroed > 0 ? `, ${formatSize(report.zeroed)} made zero` : "",
    report.skipped > 0 ? `, ${formatSize(report.skipped)} of zeros skipped` : "",
  ].join("");
  const before =
    report.begin === 0 ? "" : `, the last ${formatSize(report.size - report.begin)} of it`;
  return [
    `copied ${report.source} to ${report.target}`,
    `  ${formatSize(report.size)}${before} in ${formatDuration(report.seconds)}, ` +
      `${formatSize(report.bytesPerSecond)}/s`,
    `  ${formatSize(report.written)} moved${zeros}`,
    `  by the ${report.method}, ${report.io}: ${plural(report.requests, "request")} of ` +
      `${exactSize(report.requestSize)}, ${plural(report.threads, "thread")}`,
    ...troubleLines(report),
    ...verificationLines(report),
    ...endLines(report),
    ...report.notExcluded.map((text) => `  not excluded: ${text}`),
    ...(report.digest === undefined ? [] : [`  ${report.digest}`]),
    ...(report.job === undefined ? [] : [`  job ${report.job}`]),
    ...(report.bad.length === 0
      ? []
      : ["not complete; these are zeros:", ...rangeLines(report.bad)]),
  ];
}

function troubleLines({ retries, mapFailures }: CopyReport): string[] {
  return [
    ...(retries === 0 ? [] : [`  ${plural(retries, "request")} made once more`]),
    ...(mapFailures === 0
      ? []
      : ["  the source did not say where it holds data: all was read there"]),
  ];
}

/** What nobody can know of the ends, or was told to accept. */
function endLines({ notIdentified, sourceWrites }: CopyReport): string[] {
  return [
    ...notIdentified.map(notIdentifiedLine),
    ...(sourceWrites === "allowed"
      ? ["  the source may have been written to meanwhile, which was allowed"]
      : []),
    ...(sourceWrites === "unknown"
      ? ["  nothing shows whether the source was written to meanwhile"]
      : []),
  ];
}

export function notIdentifiedLine(ref: string): string {
  return `  not identified again: the driver of ${ref} cannot tell what has that name now`;
}

export function writesUnknownLine(ref: string): string {
  return `  nothing shows whether ${ref} was written to meanwhile`;
}

function verificationLines({ verification }: CopyReport): string[] {
  if (verification === undefined) return [];
  const { size, seconds, repaired, against } = verification;
  const both = against === "source" ? " from both ends" : "";
  const time = `${formatSize(size)} read back${both} in ${formatDuration(seconds)}`;
  const found =
    against === "source"
      ? "the target holds what the source does"
      : "the target holds what was read of the source";
  if (repaired.length === 0) return [`  verified: ${time}, ${found}`];
  return [
    `  verified: ${time}, ${found}, after this was written once more:`,
    ...rangeLines(repaired).map((line) => `  ${line}`),
  ];
}

/** Of a salvage: that it is not all there. */
export function incompleteText({ bad, target }: CopyReport): string {
  const bytes = bad.reduce((sum, { length }) => sum + length, 0);
  return (
    `${target} is not complete: ${sizeInWords(bytes)} of the source in ${plural(bad.length, "range")} ` +
    "could not be read, and are zeros"
  );
}
