/** What the guards of a copy found, and what else there is to say before it begins. */
import {
  checkGuards,
  type GuardFinding,
  noticesOf,
  noticesOfNew,
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
    output.lines(findingLines(findings));
  }
}

/**
 * Says what may surprise: to a program, in a dry run, and to somebody who wants to know more. What has to be done by hand
 * afterwards, and what a new target does not have of the source, is said to everybody but those who want to hear nothing.
 */
export async function showNotices(
  { source, target, targetRef }: GuardedEnds,
  { json, verbose, dryRun, quiet, size, fixGpt }: Options,
  { stdout, stderr }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const isAsked = json || verbose || dryRun;
  if (quiet && !isAsked) return;
  const how = { fixGpt, signal };
  const all =
    target === undefined
      ? await noticesOfNew(source, { ref: targetRef, size: size ?? source.size }, how)
      : await noticesOf(source, target, how);
  const notices = isAsked ? all : all.filter(({ notice }) => notice !== "larger-target");
  if (json) for (const notice of notices) stdout.json({ type: "notice", ...notice });
  else (dryRun ? stdout : stderr).lines(notices.map(({ text }) => `note: ${text}`));
}

/** Each finding as a line. */
export function findingLines(findings: readonly GuardFinding[]): string[] {
  const rows = findings.map(({ guard, state, found }) => [`  ${guard}`, state, found]);
  return alignTable(["guards:", "", ""], rows);
}
