/** A copy between the same two volumes that was cut short: whether it is to go on. */
import { BlockhaulError, findResumable, type JobStatus, type Volume } from "../index.js";
import type { CommandContext } from "./command.js";
import type { copyOptions } from "./command-options.js";
import type { CopyTarget } from "./copy-ends.js";
import { percentDone, resumeCommand } from "./job-failure.js";
import type { OptionValues } from "./options.js";
import { ask } from "./question.js";
import { stateDirectoryOf } from "./transfer.js";

type Options = OptionValues<typeof copyOptions>;

/** The job that is to go on in place of a new copy; undefined where there is none, or nobody wants it. */
export async function chooseJob(
  source: Volume,
  { volume }: CopyTarget,
  options: Options,
  context: CommandContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (volume === undefined || options.snapshot) return undefined;
  const job = await findResumable(source, volume, { stateDirectory: stateDirectoryOf(options) });
  if (job === undefined || (options.resume && !options.dryRun)) return job?.id;
  const { stderr } = context;
  if (!options.quiet) stderr.line(offer(job, options, context));
  const isAsked = stderr.isTerminal && process.stdin.isTTY && !options.quiet && !options.json;
  if (!isAsked || options.dryRun) return undefined;
  const answer = await ask("continue it? [Y/n] ", stderr, signal);
  if (answer === undefined) {
    throw new BlockhaulError("ERR_CANCELLED", { message: "nobody answered; nothing was changed" });
  }
  return /^\s*n/i.test(answer) ? undefined : job.id;
}

function offer(job: JobStatus, options: Options, context: CommandContext): string {
  return `a copy between the two was cut short: \`${resumeCommand(job, options, context)}\` would continue it at ${percentDone(job)}%`;
}
