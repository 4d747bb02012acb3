import {
  BlockhaulError,
  type CopyPlan,
  type CopyReport,
  copyVolume,
  deleteVolume,
  openVolume,
  planCopy,
  sizeInWords,
  type Volume,
  zeroRest,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { copyOptions } from "./command-options.js";
import {
  type CloseFailure,
  type CopyTarget,
  closeAll,
  closeEach,
  createOptions,
  openSource,
  openTarget,
} from "./copy-ends.js";
import { finishCopy } from "./copy-finish.js";
import { rehearseGuards, showFindings, showNotices } from "./copy-guards.js";
import { planLines } from "./copy-report.js";
import { chooseJob } from "./earlier-job.js";
import { StoppedBySignal } from "./error-report.js";
import { allowedGuards } from "./guard-options.js";
import { explainEnd } from "./job-failure.js";
import type { OptionValues } from "./options.js";
import { goOn } from "./resuming.js";
import { isStream } from "./streams.js";
import { engineOptions, milliseconds, proofOptions, stateDirectoryOf } from "./transfer.js";
import { Watch } from "./watch.js";

type Options = OptionValues<typeof copyOptions>;

/** What is under way, for whoever is told that it stopped. */
interface Copying {
  begun: boolean;
  job?: string;
}

export const runCopy: CommandRun<typeof copyOptions> = async (args, options, given) => {
  const [source = "", target = ""] = args;
  // What is told must not mix with the volume's bytes.
  const toStream = await isStream(target);
  const context = toStream ? { ...given, stdout: given.stderr } : given;
  const watch = new Watch(`${source} to ${target}`, options, context);
  const copying: Copying = { begun: false };
  let report: CopyReport | undefined;
  try {
    const ofTarget = await targetOptions(source, options);
    await checkOptions(ofTarget);
    const surroundings = { options, ofTarget, context, watch, copying };
    report = await copyBetween(source, target, surroundings);
    watch.clear();
  } catch (error) {
    watch.clear();
    const { received, progress } = watch;
    if (received !== undefined && !copying.begun) {
      throw new StoppedBySignal(received, "stopped before the copy began");
    }
    const again = `the same command${options.create ? ", without --create," : ""} copies all of it again`;
    const end = { target, received, progress, job: copying.job, again };
    throw await explainEnd(error, end, options, context);
  } finally {
    watch.release();
  }
  return report === undefined ? 0 : finishCopy(report, options, context);
};

/** Of a stream, --size says how much it has; the target is then made as large. */
async function targetOptions(source: string, options: Options): Promise<Options> {
  const { size: _ofSource, ...others } = options;
  return (await isStream(source)) ? others : options;
}

interface Surroundings {
  readonly options: Options;
  /** The same, without what is about a source that is a stream. */
  readonly ofTarget: Options;
  readonly context: CommandContext;
  readonly watch: Watch;
  readonly copying: Copying;
}

/** Undefined of a dry run. What it reports is said only once both ends are closed: that may fail, too. */
async function copyBetween(
  sourceRef: string,
  targetRef: string,
  surroundings: Surroundings,
): Promise<CopyReport | undefined> {
  const { ofTarget: options, context, watch, copying } = surroundings;
  let source: Volume | undefined;
  let target: CopyTarget | undefined;
  const outcome = await settle(async () => {
    source = await openSource(sourceRef, targetRef, surroundings.options, watch.signal);
    const opened = await openTargetOrEarlier(targetRef, source, options, watch.signal);
    target = opened.target;
    const job = await chooseJob(source, target, options, context, watch.signal);
    if (job !== undefined) return job;
    if (opened.refusal !== undefined) throw opened.refusal;
    const plan = await planFor(source, target, targetRef, options);
    announce(plan, target, options, context);
    const ends = { source, target: target.volume, targetRef };
    await showNotices(ends, options, context, watch.signal);
    if (target.volume === undefined || options.dryRun) {
      await rehearseGuards(ends, options, context, watch.signal);
      return undefined;
    }
    copying.begun = true;
    if (target.isNew) await zeroRest(target.volume, source.size);
    return await copyVolume(source, target.volume, {
      ...optionsFor(source, target.volume, options),
      ...watch.options,
      allow: allowedGuards(options),
      onGuards: (findings) =>
        showFindings(findings, options, options.json ? context.stdout : context.stderr),
      onJob: (id) => {
        copying.job = id;
      },
    });
  });
  const failures = await closeEach([source, target?.volume]);
  if ("error" in outcome) {
    warnOfClose(failures, context);
    if (failures.length === 0) await removeUntouched(target, surroundings);
    throw outcome.error;
  }
  if (failures[0] !== undefined) throw failures[0].error;
  if (typeof outcome.value !== "string") return outcome.value;
  // Only now: the job opens both ends itself.
  copying.begun = true;
  copying.job = outcome.value;
  return await goOn(outcome.value, options, context, watch);
}

/**
 * Removes a target that this command made, and into which it has written nothing: the same command would find it there
 * the next time, and refuse it.
 */
async function removeUntouched(
  target: CopyTarget | undefined,
  { copying, context, watch }: Surroundings,
): Promise<void> {
  const { volume, isNew = false } = target ?? {};
  const isUntouched = copying.job === undefined && (watch.progress?.done ?? 0) === 0;
  if (volume === undefined || !isNew || !isUntouched) return;
  try {
    await deleteVolume(volume.ref, { identity: volume.info.identity });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.stderr.line(`warning: ${volume.ref} was made, and stays: ${why}`);
  }
}

/** With --resume, what --create finds to exist may be what an earlier run has made. */
async function openTargetOrEarlier(
  ref: string,
  source: Volume,
  options: Options,
  signal: AbortSignal,
): Promise<{ target: CopyTarget; refusal?: BlockhaulError }> {
  try {
    return { target: await openTarget(ref, source, options, signal) };
  } catch (error) {
    const exists = error instanceof BlockhaulError && error.code === "ERR_EXISTS";
    if (!exists || !options.resume) throw error;
    const volume = await openVolume(ref, { signal });
    return { target: { volume, isNew: false }, refusal: error };
  }
}

type Outcome<Result> = { readonly value: Result } | { readonly error: unknown };

async function settle<Result>(action: () => Promise<Result>): Promise<Outcome<Result>> {
  try {
    return { value: await action() };
  } catch (error) {
    return { error };
  }
}

/** What is closed after a failure may fail because of it; that is not what has to be reported. */
function warnOfClose(failures: readonly CloseFailure[], { stderr }: CommandContext): void {
  const hangs = ({ error }: CloseFailure) =>
    error instanceof BlockhaulError && error.code === "ERR_TIMEOUT";
  for (const { error } of failures.filter((failure) => !hangs(failure))) {
    stderr.line(`warning: ${error instanceof Error ? error.message : String(error)}`);
  }
  const hanging = failures.filter(hangs).map(({ ref }) => ref);
  if (hanging.length === 0) return;
  stderr.line(
    `warning: requests still hang, so these could not be closed: ${hanging.join(", ")}; ` +
      "what was attached for them stays until `blockhaul cleanup`",
  );
}

/** What no volume can make right is said before one is opened, and above all before one is made. */
async function checkOptions(options: Options): Promise<void> {
  createOptions(options, 0);
  if (options.fixGpt && options.manifest !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "--fix-gpt changes the target, which a --manifest would then not describe",
      hint: "leave one of the two out, or run `sgdisk -e` on the target after it was verified",
    });
  }
  const needsDigest = (["verify", "repair", "manifest"] as const).find((flag) => options[flag]);
  if (needsDigest !== undefined && options.digest === "none") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `--${needsDigest} needs a digest: it goes with another --digest than none`,
    });
  }
  const nothing = await openVolume("zero:0");
  const sink = await openVolume("null:", { mode: "write" });
  try {
    planCopy(nothing, sink, sinkOptions(nothing, sink, options));
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
  if (volume !== undefined) return planCopy(source, volume, optionsFor(source, volume, options));
  const standIn = await openVolume("null:", { mode: "write" });
  try {
    const plan = planCopy(source, standIn, sinkOptions(source, standIn, options));
    const { verify = false, repair = false } = options;
    const journal = keepsJournal(options) && !source.info.sequential;
    return { ...plan, target: targetRef, verify: verify || repair, repair, journal };
  } finally {
    await standIn.close();
  }
}

function optionsFor(source: Volume, target: Volume, options: Options) {
  const journal = keepsJournal(options) && !source.info.sequential && !target.info.ephemeral;
  return {
    ...engineOptions(options),
    ...proofOptions(options),
    digest: options.digest,
    manifest: options.manifest,
    journal,
    stateDirectory: stateDirectoryOf(options),
    checkpointIntervalMs: milliseconds(options.checkpointInterval),
  };
}

/** A sink keeps nothing that could be read back. */
function sinkOptions(source: Volume, sink: Volume, options: Options) {
  return { ...optionsFor(source, sink, options), verify: false, repair: false };
}

/** A snapshot that is taken for the copy goes with it, so nothing could go on. */
function keepsJournal({ noJournal = false, snapshot = false }: Options): boolean {
  return !noJournal && !snapshot;
}

function announce(plan: CopyPlan, target: CopyTarget, options: Options, context: CommandContext) {
  const isDryRun = options.dryRun ?? false;
  const targetSize = target.volume?.size;
  if (options.json) {
    const facts = { ...plan, isNewTarget: target.isNew, targetSize };
    context.stdout.json({ type: "plan", ...facts, dryRun: isDryRun });
  } else if (isDryRun) {
    context.stdout.lines(planLines(plan, target));
  } else if (options.verbose) {
    context.stderr.lines(planLines(plan, target));
  }
  if (
    !options.json &&
    !options.quiet &&
    target.isNew &&
    (targetSize ?? 0) > (options.size ?? plan.size)
  ) {
    const rest = sizeInWords((targetSize ?? 0) - (options.size ?? plan.size));
    context.stderr.line(`${plan.target} is ${rest} larger than asked for: its storage rounds up`);
  }
}
