/** What the guards of a copy found, and what else there is to say before it begins. */
import {
  type CopyNotice,
  checkGuards,
  type GuardFinding,
  noticesOf,
  throwRefusal,
  type Volume,
} from "../index.js";
import type { CommandContext } from "./command.js";
import type { copyOptions } from "./command-options.js";
import { allowedGuards } from "./guard-options.js";
import type { OptionValues } from "./options.js";
import type { Output } from "./output.js";
import { alignTable } from "./table.js";

type Options = OptionValues<typeof copyOptions>;

/** The two ends of a copy; of a dry run, a target that would be made is not there. */
export interface GuardedEnds {
  readonly source: Volume;
  readonly target: Volume | undefined;
  readonly targetRef: string;
}

/**
 * Asks and shows all that would be asked before the copy.
 *
 * @throws BlockhaulError the refusal that the copy would end with
 */
export async function rehearseGuards(
  { source, target, targetRef }: GuardedEnds,
  options: Options,
  { stdout }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const findings = await checkGuards(source, target, { allow: allowedGuards(options), signal });
  showFindings(findings, options, stdout);
  throwRefusal(findings, { source: source.ref, target: targetRef });
}

/** Shows what guards found, to a program, or to somebody who wants to know more. */
export function showFindings(
  findings: readonly GuardFinding[],
  { json, verbose, dryRun }: Pick<Options, "json" | "verbose" | "dryRun">,
  output: Output,
): void {
  if (json) {
    for (const finding of findings) output.json({ type: "guard", ...finding });
  } else if (verbose || dryRun) {
    output.write(findingsText(findings));
  }
}

/** Says what may surprise: to a program, in a dry run, and to somebody who wants to know more. */
export async function showNotices(
  { source, target }: GuardedEnds,
  { json, verbose, dryRun }: Pick<Options, "json" | "verbose" | "dryRun">,
  { stdout, stderr }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  if (target === undefined || !(json || verbose || dryRun)) return;
  const notices = await noticesOf(source, target, signal);
  if (json) for (const notice of notices) stdout.json({ type: "notice", ...notice });
  else (dryRun ? stdout : stderr).write(noticesText(notices));
}

/** Each finding as a line. */
export function findingsText(findings: readonly GuardFinding[]): string {
  const rows = findings.map(({ guard, state, found }) => [`  ${guard}`, state, found]);
  return alignTable(["guards:", "", ""], rows);
}

export function noticesText(notices: readonly CopyNotice[]): string {
  return notices.map(({ text }) => `note: ${text}\n`).join("");
}
