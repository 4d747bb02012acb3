import type { CopyReport } from "../index.js";
import type { CommandContext } from "./command.js";
import { incompleteText, summary } from "./copy-report.js";

const DONE_IN_PART = 7;

/** Says what a copy did. Returns the exit code. */
export function finishCopy(
  report: CopyReport,
  options: { readonly json?: boolean; readonly quiet?: boolean },
  { stdout, stderr }: CommandContext,
): number {
  if (options.json) stdout.json({ type: "done", ...report });
  else if (!options.quiet) stdout.lines(summary(report));
  if (report.bad.length === 0) return 0;
  stderr.line(`blockhaul: ${incompleteText(report)}`);
  return DONE_IN_PART;
}
