import {
  type CopyPlan,
  type CopyProgress,
  type CopyReport,
  copyVolume,
  exactSize,
  formatDuration,
  formatSize,
  openVolume,
  planCopy,
  type Volume,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { copyOptions } from "./commands.js";
import { type CopyTarget, closeAll, createOptions, openSource, openTarget } from "./copy-ends.js";
import { rehearseGuards, showFindings, showNotices } from "./copy-guards.js";
import { StoppedBySignal } from "./error-report.js";
import { allowedGuards } from "./guard-options.js";
import type { OptionValues } from "./options.js";
import { createProgressDisplay, type ProgressDisplay, type ProgressMode } from "./progress.js";
import { StopSignals } from "./stop-signals.js";
import { plural } from "./table.js";

type Options = OptionValues<typeof copyOptions>;

/** What is under way, for whoever is told that it stopped. */
interface Copying {
  target?: CopyTarget;
  progress?: CopyProgress;
}

export const runCopy: CommandRun<typeof copyOptions> = async (args, options, context) => {
  const [source = "", target = ""] = args;
  const display = createProgressDisplay(progressMode(options, context), {
    stderr: context.stderr,
    lines: options.json ? context.stdout : context.stderr,
    label: `${source} to ${target}`,
  });
  const copying: Copying = {};
  const signals = new StopSignals(() => {
    display?.clear();
    if (!options.quiet) context.stderr.line("stopping; once more ends it at once");
  });
  try {
    await checkOptions(options);
    return await copyBetween(source, target, { options, context, display, signals, copying });
  } catch (error) {
    display?.clear();
    throw signals.received === undefined
      ? error
      : stoppedBySignal(signals.received, target, options, copying);
  } finally {
    signals.release();
  }
};

interface Surroundings {
  readonly options: Options;
  readonly context: CommandContext;
  readonly display: ProgressDisplay | undefined;
  readonly signals: StopSignals;
  readonly copying: Copying;
}

async function copyBetween(
  sourceRef: string,
  targetRef: string,
  surroundings: Surroundings,
): Promise<number> {
  const { options, context, display, signals, copying } = surroundings;
  let source: Volume | undefined;
  let target: CopyTarget | undefined;
  let report: CopyReport | undefined;
  try {
    source = await openSource(sourceRef, options, signals.signal);
    target = await openTarget(targetRef, source.size, options, signals.signal);
    const plan = await planFor(source, target, targetRef, options);
    announce(plan, target, options, context);
    const ends = { source, target: target.volume, targetRef };
    await showNotices(ends, options, context, signals.signal);
    if (target.volume === undefined || options.dryRun) {
      await rehearseGuards(ends, options, context, signals.signal);
      return 0;
    }
    copying.target = target;
    report = await copyVolume(source, target.volume, {
      ...engineOptions(options),
      allow: allowedGuards(options),
      onGuards: (findings) =>
        showFindings(findings, options, options.json ? context.stdout : context.stderr),
      signal: signals.signal,
      onProgress: (progress) => {
        copying.progress = progress;
        display?.update(progress);
      },
    });
    display?.clear();
  } finally {
    await closeAll([source, target?.volume]);
  }
  // Said only now: the close may still have failed.
  if (options.json) context.stdout.json({ type: "done", ...report });
  else if (!options.quiet) context.stdout.write(summary(report));
  return 0;
}

/** What no volume can make right is said before one is opened, and above all before one is made. */
async function checkOptions(options: Options): Promise<void> {
  createOptions(options, 0);
  const nothing = await openVolume("zero:0");
  const sink = await openVolume("null:", { mode: "write" });
  try {
    planCopy(nothing, sink, engineOptions(options));
  } finally {
    await closeAll([nothing, sink]);
  }
}

/** A target that is not there yet is planned for like a sink. */
async function planFor(
  source: Volume,
  { volume }: CopyTarget,
  targetRef: string,
  options: Options,
): Promise<CopyPlan> {
  if (volume !== undefined) return planCopy(source, volume, engineOptions(options));
  const standIn = await openVolume("null:", { mode: "write" });
  try {
    return { ...planCopy(source, standIn, engineOptions(options)), target: targetRef };
  } finally {
    await standIn.close();
  }
}

function engineOptions(options: Options) {
  return {
    requests: options.requests,
    requestSize: options.requestSize,
    memory: options.memory,
    threads: options.threads,
    useExtents: options.noExtents === undefined ? undefined : !options.noExtents,
    digest: options.digest,
    bandwidthLimit: options.bwlimit,
  };
}

function announce(plan: CopyPlan, target: CopyTarget, options: Options, context: CommandContext) {
  const isDryRun = options.dryRun ?? false;
  const targetSize = target.volume?.size;
  if (options.json) {
    const facts = { ...plan, isNewTarget: target.isNew, targetSize };
    context.stdout.json({ type: "plan", ...facts, dryRun: isDryRun });
  } else if (isDryRun) {
    context.stdout.write(planText(plan, target));
  } else if (options.verbose) {
    context.stderr.write(planText(plan, target));
  }
  if (!options.json && !options.quiet && target.isNew && (targetSize ?? 0) > plan.size) {
    const rest = exactSize((targetSize ?? 0) - plan.size);
    context.stderr.line(`${plan.target} is ${rest} larger than asked for: its storage rounds up`);
  }
}

/** The plan as a person reads it. */
export function planText(
  plan: CopyPlan,
  { isNew, missing }: Pick<CopyTarget, "isNew" | "missing">,
): string {
  const limit =
    plan.bandwidthLimit === 0 ? "" : `, ${formatSize(plan.bandwidthLimit)}/s at the most`;
  return [
    `plan: ${formatSize(plan.size)} (${plan.size} bytes)`,
    `  from ${plan.source}${plan.useExtents ? ", only where it holds data" : ", all of it"}`,
    `  to ${plan.target}${isNew ? ", a new volume" : ""}${missing === undefined ? "" : ` (now: ${missing})`}`,
    `  ${plural(plan.requests, "request")} of ${exactSize(plan.requestSize)} at the most, ` +
      `${formatSize(plan.memory)} of buffers, ${plural(plan.threads, "thread")}${limit}`,
    `  digest: ${plan.digest}`,
    "",
  ].join("\n");
}

/** What was done, as a person reads it. */
export function summary(report: CopyReport | undefined): string {
  if (report === undefined) return "";
  const zeros = [
    report.zeroed > 0 ? `, ${formatSize(report.zeroed)} made zero` : "",
    report.skipped > 0 ? `, ${formatSize(report.skipped)} of zeros skipped` : "",
  ].join("");
  return [
    `copied ${report.source} to ${report.target}`,
    `  ${formatSize(report.size)} in ${formatDuration(report.seconds)}, ` +
      `${formatSize(report.bytesPerSecond)}/s`,
    `  ${formatSize(report.written)} moved${zeros}`,
    `  by the ${report.method}, ${report.io}: ${plural(report.requests, "request")} of ` +
      `${exactSize(report.requestSize)}, ${plural(report.threads, "thread")}`,
    ...(report.digest === undefined ? [] : [`  ${report.digest}`]),
    "",
  ].join("\n");
}

/** What `auto` means here. */
export function progressMode(
  options: Pick<Options, "progress" | "quiet" | "json">,
  { stderr }: Pick<CommandContext, "stderr">,
): ProgressMode {
  const { progress = "auto" } = options;
  if (progress !== "auto") return progress;
  if (options.quiet) return "none";
  if (options.json) return "json";
  return stderr.isTerminal ? "bar" : "plain";
}

function stoppedBySignal(
  signal: "SIGINT" | "SIGTERM",
  targetRef: string,
  { create }: Options,
  { target, progress }: Copying,
): StoppedBySignal {
  if (target === undefined) return new StoppedBySignal(signal, "stopped before the copy began");
  const { done, total } = progress ?? { done: 0, total: 0 };
  const share = total === 0 ? "" : `: ${formatSize(done)} of ${formatSize(total)} were copied`;
  return new StoppedBySignal(
    signal,
    `stopped; the target ${targetRef} is incomplete${share}`,
    `the same command${create ? ", without --create," : ""} copies all of it again`,
  );
}
