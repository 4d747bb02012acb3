/** Jobs, as a person reads them. */
import { formatSize, type JobStatus, type MigrationStatus } from "../index.js";
import type { CommandContext } from "./command.js";
import { rangeLines } from "./error-report.js";
import { percentDone, resumeCommand } from "./job-failure.js";
import { alignFields, alignTable } from "./table.js";

export function jobsTable(
  jobs: readonly JobStatus[],
  migrations: readonly MigrationStatus[],
): string[] {
  return alignTable(
    ["id", "state", ">done", "source", "target", "when"],
    [
      ...jobs.map((job) => [
        job.id,
        stateText(job),
        job.state === "unreadable" ? "-" : `${percentDone(job)}%`,
        job.source?.ref ?? "-",
        job.target?.ref ?? "-",
        timeText(job.endedAt ?? job.begunAt ?? job.createdAt),
      ]),
      ...migrations.map((migration) => [
        migration.id,
        migrationState(migration),
        "-",
        migration.source || "-",
        migration.target || "-",
        timeText(migration.endedAt ?? migration.begunAt),
      ]),
    ],
  );
}

/** All that is known of a migration. */
export function migrationLines(migration: MigrationStatus): string[] {
  const { state, pid, size, error, resumable, abortable, id } = migration;
  if (state === "unreadable") {
    return alignFields([
      ["migration", id],
      ["state", state],
      ["error", error?.message ?? "-"],
      ["recorded in", migration.file],
    ]);
  }
  const fields: (readonly [string, string | undefined])[] = [
    ["migration", id],
    ["state", `${migrationState(migration)}${state === "running" ? `, process ${pid}` : ""}`],
    ["source", migration.source],
    ["target", migration.target],
    ["open now as", migration.openTarget === migration.target ? undefined : migration.openTarget],
    ["size", formatSize(size)],
    ["method", migration.method],
    ["set aside", migration.setAside],
    ["begun", timeText(migration.createdAt)],
    ["last run", timeText(migration.begunAt)],
    ["ended", migration.endedAt === undefined ? undefined : timeText(migration.endedAt)],
    ["error", error === undefined ? undefined : `${error.message} (${error.code})`],
    ["digest", migration.digest],
    ["verified", migration.verified ? "yes" : "no"],
    ...migration.notices.map((notice) => ["note", notice] as const),
    ["recorded in", migration.file],
    ["go on with", resumable ? `blockhaul resume ${id}` : undefined],
    ["go back with", abortable ? `blockhaul abort ${id}` : undefined],
  ];
  return alignFields(
    fields.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const])),
  );
}

/** "interrupted (copying)": what became of it, and how far it came. */
function migrationState({ state, phase }: MigrationStatus): string {
  return state === phase ? state : `${state} (${phase})`;
}

/** All that is known of one. */
export function jobLines(
  job: JobStatus,
  options: { readonly stateDir?: string },
  context: Pick<CommandContext, "environment">,
): string[] {
  const { source, target, error, digest, limits } = job;
  const fields: (readonly [string, string | undefined])[] = [
    ["job", job.id],
    ["state", job.state === "running" ? `${stateText(job)}, process ${job.pid}` : stateText(job)],
    ["source", source?.ref],
    ["target", target?.ref],
    ["done", doneText(job)],
    ["begun", timeText(job.createdAt)],
    ["last run", timeText(job.begunAt)],
    ["ended", job.endedAt === undefined ? undefined : timeText(job.endedAt)],
    ["limits", limitsText(limits)],
    ["error", error === undefined ? undefined : `${error.message} (${error.code})`],
    ["digest", digest],
    ["journal", job.journal],
    ["go on with", job.resumable ? resumeCommand(job, options, context) : undefined],
  ];
  const known = fields.flatMap(([name, text]) =>
    text === undefined ? [] : [[name, text] as const],
  );
  const bad = job.bad.length === 0 ? [] : ["could not be read:", ...rangeLines(job.bad)];
  return [...alignFields(known), ...bad];
}

function stateText({ state, limits }: JobStatus): string {
  return state === "running" && limits.paused ? "paused" : state;
}

function doneText(job: JobStatus): string | undefined {
  if (job.state === "unreadable") return undefined;
  const done = job.state === "done" ? job.size : job.done;
  return `${formatSize(done)} of ${formatSize(job.size)} (${percentDone(job)}%)`;
}

function limitsText({ bandwidthLimit = 0, iopsLimit = 0 }: JobStatus["limits"]) {
  const parts = [
    ...(bandwidthLimit === 0 ? [] : [`${formatSize(bandwidthLimit)}/s`]),
    ...(iopsLimit === 0 ? [] : [`${iopsLimit} requests a second`]),
  ];
  return parts.length === 0 ? undefined : parts.join(", ");
}

/** Without fractions of a second. */
function timeText(time: string | undefined): string {
  return time?.replace(/\.\d+Z$/, "Z") || "-";
}
