import { cleanUpAttachments } from "../index.js";
import type { CommandRun } from "./command.js";
import type { listingOptions } from "./command-options.js";
import { describeError, explainError } from "./error-report.js";

const SOME_FAILED = 7;

export const runCleanup: CommandRun<typeof listingOptions> = async (_args, options, context) => {
  const { stdout, stderr } = context;
  const cleaned = await cleanUpAttachments();
  for (const { id, ref, undone, error } of cleaned) {
    if (options.json) {
      const failure = error === undefined ? {} : { error: describeError(error) };
      stdout.json({ type: "cleaned", id, ref, undone, ...failure });
    } else if (error === undefined && !options.quiet) {
      stdout.line(`detached ${ref}`);
      for (const step of undone) stdout.line(`  removed: ${step}`);
    }
    if (error === undefined) continue;
    for (const line of explainError(error, options.verbose ?? false)) stderr.line(line);
  }
  if (cleaned.length === 0 && !options.json && !options.quiet) stdout.line("nothing to clean up");
  return cleaned.some(({ error }) => error !== undefined) ? SOME_FAILED : 0;
};
