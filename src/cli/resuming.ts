import {
  BlockhaulError,
  type CopyReport,
  formatSize,
  type ResumedJob,
  resumeCopy,
} from "../index.js";
import type { CommandContext } from "./command.js";
import { allowedGuards } from "./guard-options.js";
import { limitsOf, proofOptions, stateDirectoryOf } from "./transfer.js";
import type { Watch } from "./watch.js";

type ResumeFlags = Parameters<typeof limitsOf>[0] &
  Parameters<typeof proofOptions>[0] &
  Parameters<typeof allowedGuards>[0] & {
    readonly stateDir?: string;
    readonly fast?: boolean;
    readonly overwrite?: boolean;
    readonly json?: boolean;
    readonly quiet?: boolean;
  };

/** Goes on with a job, and says from where. */
export function goOn(
  id: string,
  options: ResumeFlags,
  context: CommandContext,
  watch: Watch,
): Promise<CopyReport> {
  return resumeCopy(id, {
    ...limitsOf(options),
    ...proofOptions(options),
    allow: allowedGuards(options),
    fast: options.fast,
    overwrite: options.overwrite,
    ...watch.options,
    stateDirectory: stateDirectoryOf(options),
    onResume: (job) => {
      watch.clear();
      if (options.json) context.stdout.json({ type: "resumed", ...job });
      else if (!options.quiet) context.stderr.lines(resumedLines(job));
    },
  });
}

/** @param what "migration" */
export function noSuchJob(id: string, what: string): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", {
    message: `there is no ${what} ${JSON.stringify(id)}`,
    hint: "`blockhaul jobs` lists them",
  });
}

/** Where a copy goes on, and why there. */
export function resumedLines({
  id,
  source,
  target,
  size,
  begin,
  checked,
  dropped,
}: ResumedJob): string[] {
  const share = size === 0 ? 100 : Math.floor((begin / size) * 100);
  const proof =
    checked === 0 ? "" : `; ${formatSize(checked)} before it were read back and are right`;
  return [
    `job ${id}: ${source} to ${target}`,
    ...(dropped === 0
      ? []
      : [
          `  ${formatSize(dropped)} that were recorded are not on the target any more: they are copied again`,
        ]),
    `  goes on at ${share}%, ${formatSize(begin)} of ${formatSize(size)}${proof}`,
  ];
}
