import {
  type CheckedPlan,
  checkPlan,
  type ManyReport,
  migrateVolumes,
  PlanError,
  readPlan,
} from "../index.js";
import type { CommandContext } from "./command.js";
import { StoppedBySignal } from "./error-report.js";
import { PlanCourse } from "./migrate-many-course.js";
import { estimatePlan } from "./migrate-many-estimate.js";
import { estimateEvent, estimateLines, faultLines, reportLines } from "./migrate-many-report.js";
import { createManyView } from "./migrate-many-view.js";
import { type ProgressMode, progressEvent, progressText } from "./progress.js";
import { StopSignals } from "./stop-signals.js";
import { type EngineFlags, engineOptions, stateDirectoryOf } from "./transfer.js";
import { progressMode } from "./watch.js";

export interface MigrateManyFlags extends EngineFlags {
  readonly dryRun?: boolean;
  readonly parallel?: number;
  readonly continueOnError?: boolean;
  readonly stateDir?: string;
  readonly progress?: "auto" | ProgressMode;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** Done, but not all of it. */
const IN_PART = 7;
/** Moves after each of which it is said how far the check is. */
const LOOKS_TOLD = 100;

/** Does what `migrate --plan FILE` is to do; resolves to the exit code. */
export async function runMigrateMany(
  file: string,
  options: MigrateManyFlags,
  context: CommandContext,
): Promise<number> {
  const plan = await readPlan(file);
  const moves = plan.moves.map((move) => ({
    ...move,
    options: { ...engineOptions(options), ...move.options },
  }));
  const checked = await checkPlan(
    { ...plan, moves },
    {
      stateDirectory: stateDirectoryOf(options),
      onLook: (...how) => tellLook(how, options, context),
    },
  );
  if (options.dryRun) tellPlan(checked, options, context);
  if (checked.faults.length > 0) {
    tellFaults(checked, options, context);
    throw new PlanError(checked.faults);
  }
  return options.dryRun ? 0 : carryOut(file, checked, options, context);
}

/** Of long plans, that they are still being looked at. */
function tellLook(
  [looked, moves]: readonly [looked: number, moves: number],
  { json, quiet }: MigrateManyFlags,
  { stdout, stderr }: CommandContext,
): void {
  if (looked % LOOKS_TOLD !== 0 || looked === moves) return;
  if (json) stdout.json({ type: "looking", looked, moves });
  else if (!quiet) stderr.line(`looked at ${looked} of ${moves} moves`);
}

function tellPlan(
  checked: CheckedPlan,
  { json, parallel }: MigrateManyFlags,
  { stdout }: CommandContext,
): void {
  const estimate = estimatePlan(checked, parallel ?? checked.shares.get("all") ?? 1);
  if (!json) {
    stdout.lines(estimateLines(estimate));
    return;
  }
  for (const one of estimate.moves) stdout.json({ type: "moveplan", ...estimateEvent(one) });
  const { moves, places, size, moved, seconds } = estimate;
  const totals = { moves: moves.length, size, bytesToMove: moved, estimatedSeconds: seconds };
  stdout.json({ type: "forecast", ...totals, backends: places });
}

function tellFaults(
  { faults }: CheckedPlan,
  { json }: MigrateManyFlags,
  { stdout, stderr }: CommandContext,
): void {
  if (json) for (const fault of faults) stdout.json({ type: "fault", ...fault });
  for (const line of faultLines(faults)) stderr.line(line);
}

async function carryOut(
  file: string,
  checked: CheckedPlan,
  options: MigrateManyFlags,
  context: CommandContext,
): Promise<number> {
  const { stdout, stderr } = context;
  const mode = progressMode(options, context);
  const view = createManyView(mode, checked, context, options.json ?? false);
  const signals = new StopSignals(() => {
    view.clear();
    if (!options.quiet) stderr.line("stopping what runs; once more ends it at once");
  });
  const course = new PlanCourse(checked);
  const stopAnswering = context.requests.answerBy(() => {
    view.clear();
    if (options.json) stdout.json(progressEvent(course.progress));
    else stderr.line(progressText(`${course.label} moves`, course.progress, course.rate));
  });
  let report: ManyReport;
  try {
    report = await migrateVolumes(checked, {
      parallel: options.parallel,
      continueOnError: options.continueOnError,
      stateDirectory: stateDirectoryOf(options),
      signal: signals.signal,
      onEvent: (event) => {
        course.note(event);
        view.update(event);
      },
    });
  } finally {
    view.clear();
    stopAnswering();
    signals.release();
  }
  tellReport(report, options, context);
  const { received } = signals;
  const { failed, skipped, interrupted, done, moves } = report;
  if (received !== undefined && interrupted + failed + skipped > 0) {
    const message = `stopped; ${done} of ${moves.length} moves are done`;
    throw new StoppedBySignal(received, message, goOn(file));
  }
  if (failed + skipped + interrupted === 0) return 0;
  if (!options.quiet) stderr.line(`hint: ${goOn(file)}`);
  return IN_PART;
}

function goOn(file: string): string {
  return `\`blockhaul migrate --plan ${file}\` goes on: it resumes what was begun, and does nothing twice`;
}

function tellReport(
  report: ManyReport,
  { json, quiet }: MigrateManyFlags,
  { stdout, stderr }: CommandContext,
): void {
  if (json) stdout.json({ type: "moves", ...report });
  else if (!quiet) stdout.lines(reportLines(report));
  if (!quiet) return;
  for (const { name, state, error } of report.moves) {
    if (state === "failed") stderr.line(`blockhaul: ${name}: ${error?.message}`);
  }
}
