/** Runs something of a migration for a person who watches, and says how it ended. */
import {
  findMigration,
  type MigrationEvent,
  type MigrationReport,
  type MigrationWatch,
} from "../index.js";
import type { CommandContext } from "./command.js";
import { ResumableFailure, StoppedBySignal } from "./error-report.js";
import { migrationSummary, sequelText } from "./migrate-text.js";
import type { StopSignal } from "./stop-signals.js";
import { stateDirectoryOf } from "./transfer.js";
import { Watch } from "./watch.js";

interface Flags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly progress?: "auto" | "bar" | "plain" | "json" | "none";
  readonly stateDir?: string;
}

/** Shows what happens while `action` runs, and what to do where it ends too early. */
export async function runWatched(
  label: string,
  options: Flags,
  context: CommandContext,
  action: (watch: MigrationWatch) => Promise<MigrationReport>,
): Promise<number> {
  const watch = new Watch(label, options, context);
  const { stdout, stderr } = context;
  let id: string | undefined;
  const onEvent = (event: MigrationEvent) => {
    if ("id" in event) id = event.id;
    if (event.type === "progress") return watch.onProgress(event.progress);
    watch.clear();
    if (options.json) stdout.json(jsonOf(event));
    else if (!options.quiet) for (const line of linesOf(event, options)) stderr.line(line);
  };
  try {
    const { signal, control } = watch;
    const stateDirectory = stateDirectoryOf(options);
    const report = await action({ signal, control, stateDirectory, onEvent });
    watch.clear();
    if (options.json) stdout.json({ ...report, type: report.state });
    else if (!options.quiet) stdout.lines(endLines(report));
    return 0;
  } catch (error) {
    watch.clear();
    throw await explain(error, id, watch.received, options);
  } finally {
    watch.release();
  }
}

function endLines(report: MigrationReport): string[] {
  if (report.state === "done") return migrationSummary(report);
  return [`migration ${report.id} is taken back: ${report.source} is what it was`];
}

function jsonOf(event: MigrationEvent): object {
  if (event.type !== "planned") return event;
  const problems = event.plan.problems.map((problem) => problem.toJSON());
  return { ...event.plan, type: "plan", problems };
}

function linesOf(event: MigrationEvent, { verbose = false }: Flags): string[] {
  switch (event.type) {
    case "begun":
      return [`job ${event.id}`];
    case "state":
      return [event.state];
    case "notice":
      return [`note: ${event.message}`];
    case "hook":
      return verbose || event.state === "begun" ? [`hook ${event.hook}: ${event.state}`] : [];
    default:
      return [];
  }
}

async function explain(
  error: unknown,
  id: string | undefined,
  received: StopSignal | undefined,
  options: Flags,
): Promise<unknown> {
  const stateDirectory = stateDirectoryOf(options);
  const status =
    id === undefined
      ? undefined
      : await findMigration(id, { stateDirectory }).catch(() => undefined);
  const failure =
    received === undefined ? error : new StoppedBySignal(received, stoppedText(status?.phase));
  if (status === undefined || !(status.resumable || status.abortable)) return failure;
  return new ResumableFailure(failure, status.id, sequelText(status));
}

function stoppedText(phase: string | undefined): string {
  return phase === undefined ? "stopped before the migration began" : `stopped while ${phase}`;
}
