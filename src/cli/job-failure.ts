/** Says of a copy that ended too early how it can go on. */
import {
  BlockhaulError,
  type CopyProgress,
  formatSize,
  type JobStatus,
  showJob,
} from "../index.js";
import type { CommandContext } from "./command.js";
import { ResumableFailure, StoppedBySignal } from "./error-report.js";
import type { StopSignal } from "./stop-signals.js";
import { stateDirectoryOf } from "./transfer.js";

export interface EarlyEnd {
  /** As it was typed. */
  readonly target: string;
  /** The signal that stopped it. */
  readonly received: StopSignal | undefined;
  readonly progress: CopyProgress | undefined;
  /** Its journal's, where it has one. */
  readonly job: string | undefined;
  /** How to do it again where it cannot go on. */
  readonly again: string;
}

interface StateOptions {
  readonly stateDir?: string;
}

/** What the command ends with. */
export async function explainEnd(
  error: unknown,
  end: EarlyEnd,
  options: StateOptions,
  context: CommandContext,
): Promise<unknown> {
  const job = await resumableJob(end.job, options);
  if (end.received === undefined) {
    if (job === undefined || hasNoSequel(error)) return error;
    return new ResumableFailure(error, job.id, adviceFor(error, job, options, context));
  }
  if (job === undefined) return stopped(end.received, end);
  const safe = `${formatSize(job.done)} of ${formatSize(job.size)} are safe`;
  const message = `stopped; the target ${end.target} is incomplete: ${safe}`;
  const command = resumeCommand(job, options, context);
  return new ResumableFailure(
    new StoppedBySignal(end.received, message),
    job.id,
    `\`${command}\` goes on from there`,
  );
}

/** A job's share that is done, in whole percent: 100 means all of it. */
export function percentDone({ done, size, state }: Pick<JobStatus, "done" | "size" | "state">) {
  if (state === "done") return 100;
  return size === 0 ? 0 : Math.floor((done / size) * 100);
}

/** As it has to be typed here. */
export function resumeCommand(
  { id }: Pick<JobStatus, "id">,
  { stateDir }: StateOptions,
  { environment }: Pick<CommandContext, "environment">,
): string {
  const isElsewhere = stateDir !== undefined && stateDir !== environment.BLOCKHAUL_STATE_DIR;
  return `blockhaul resume ${id}${isElsewhere ? ` --state-dir ${stateDir}` : ""}`;
}

async function resumableJob(id: string | undefined, options: StateOptions) {
  if (id === undefined) return undefined;
  const stateDirectory = stateDirectoryOf(options);
  const job = await showJob(id, { stateDirectory }).catch(() => undefined);
  return job?.resumable ? job : undefined;
}

/** The journal does not fit any more, or what was asked for cannot be. */
function hasNoSequel(error: unknown): boolean {
  const code = error instanceof BlockhaulError ? error.code : undefined;
  return code === "ERR_JOURNAL" || code === "ERR_INVALID_ARGUMENT";
}

function adviceFor(
  error: unknown,
  job: JobStatus,
  options: StateOptions,
  context: CommandContext,
): string {
  const command = resumeCommand(job, options, context);
  const code = error instanceof BlockhaulError ? error.code : undefined;
  if (code === "ERR_VERIFICATION") return `\`${command} --repair\` does so`;
  return `\`${command}\` goes on at ${percentDone(job)}%`;
}

function stopped(signal: StopSignal, { target, progress, again }: EarlyEnd): StoppedBySignal {
  const { done, total } = progress ?? { done: 0, total: 0 };
  const share = total === 0 ? "" : `: ${formatSize(done)} of ${formatSize(total)} were copied`;
  return new StoppedBySignal(signal, `stopped; the target ${target} is incomplete${share}`, again);
}
