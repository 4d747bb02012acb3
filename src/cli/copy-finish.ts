import type { CopyReport } from "../index.js";
import type { CommandContext } from "./command.js";
import { incompleteText, summary } from "./copy-report.js";
import { fixGpt, gptText } from "./fix-gpt.js";

const DONE_IN_PART = 7;

/** Does what is left to do once a copy is done, and says what it did. Returns the exit code. */
export async function finishCopy(
  report: CopyReport,
  options: { readonly json?: boolean; readonly quiet?: boolean; readonly fixGpt?: boolean },
  { stdout, stderr }: CommandContext,
): Promise<number> {
  const gptBackup = options.fixGpt ? await fixGpt(report.target) : undefined;
  if (options.json) stdout.json({ type: "done", ...report, gptBackup });
  else if (!options.quiet) {
    stdout.lines(summary(report));
    if (gptBackup !== undefined) stdout.line(`  ${gptText(gptBackup)}`);
  }
  if (report.bad.length === 0) return 0;
  stderr.line(`blockhaul: ${incompleteText(report)}`);
  return DONE_IN_PART;
}
