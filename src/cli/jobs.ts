import {
  BlockhaulError,
  controlJob,
  findMigration,
  type JobStatus,
  listJobs,
  listMigrations,
  parseSize,
  removeJob,
  removeMigration,
  showJob,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { jobsOptions } from "./command-options.js";
import { jobLines, jobsTable, migrationLines } from "./job-report.js";
import type { OptionValues } from "./options.js";
import { stateDirectoryOf } from "./transfer.js";

type Options = OptionValues<typeof jobsOptions>;
type Action = (ids: readonly string[], options: Options, context: CommandContext) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = {
  show,
  rm: remove,
  throttle,
  pause: (ids, options, context) => setPaused(ids, true, options, context),
  continue: (ids, options, context) => setPaused(ids, false, options, context),
};

export const runJobs: CommandRun<typeof jobsOptions> = async ([word, ...ids], options, context) => {
  const action = word === undefined ? list : Object.hasOwn(ACTIONS, word) && ACTIONS[word];
  if (!action) {
    throw invalid(`"${word}" is none of ${Object.keys(ACTIONS).join(", ")}`);
  }
  if (options.done && word !== "rm") throw invalid("--done goes with `jobs rm`");
  if (options.iops !== undefined && word !== "throttle") {
    throw invalid("--iops goes with `jobs throttle`");
  }
  await action(ids, options, context);
  return 0;
};

async function list(_ids: readonly string[], options: Options, { stdout }: CommandContext) {
  const { copies, migrations } = await listAll(options);
  const ids = [...copies, ...migrations].map(({ id }) => id);
  if (options.json) {
    for (const job of copies) stdout.json({ type: "job", ...job });
    for (const job of migrations) stdout.json({ type: "migration", ...job });
  } else if (options.quiet) for (const id of ids) stdout.line(id);
  else if (ids.length === 0) stdout.line("no jobs");
  else stdout.lines(jobsTable(copies, migrations));
}

/** Copies that are no part of a migration, and migrations. */
async function listAll(options: Options) {
  const place = placeOf(options);
  const [jobs, migrations] = await Promise.all([listJobs(place), listMigrations(place)]);
  return { copies: jobs.filter((job) => job.options?.partOf === undefined), migrations };
}

async function show(ids: readonly string[], options: Options, context: CommandContext) {
  for (const id of atLeastOne(ids, "show")) {
    const migration = await findMigration(id, placeOf(options));
    const job = migration === undefined ? await showJob(id, placeOf(options)) : undefined;
    if (options.json) {
      context.stdout.json({ type: job === undefined ? "migration" : "job", ...(job ?? migration) });
    } else if (job !== undefined) context.stdout.lines(jobLines(job, options, context));
    else if (migration !== undefined) context.stdout.lines(migrationLines(migration));
  }
}

async function remove(ids: readonly string[], options: Options, { stdout }: CommandContext) {
  const place = placeOf(options);
  const given = options.done ? ids : atLeastOne(ids, "rm");
  // All are looked for before the first is removed.
  const named = await Promise.all(given.map((id) => nameJob(id, options)));
  const finished = options.done ? await finishedJobs(options) : [];
  const all = new Map([...named, ...finished].map((job) => [job.id, job]));
  for (const { id, isMigration } of all.values()) {
    const { source, target } = await (isMigration ? removeMigration : removeJob)(id, place);
    if (options.json) stdout.json({ type: "removed", id, source, target });
    else if (!options.quiet) stdout.line(`removed job ${id}`);
  }
  if (all.size === 0 && !options.json && !options.quiet) stdout.line("no jobs are done");
}

interface NamedJob {
  readonly id: string;
  readonly isMigration: boolean;
}

async function nameJob(id: string, options: Options): Promise<NamedJob> {
  const migration = await findMigration(id, placeOf(options));
  if (migration !== undefined) return { id: migration.id, isMigration: true };
  return { id: (await showJob(id, placeOf(options))).id, isMigration: false };
}

async function finishedJobs(options: Options): Promise<NamedJob[]> {
  const { copies, migrations } = await listAll(options);
  const ended = migrations.filter(({ state }) => state === "done" || state === "aborted");
  return [
    ...copies.filter(isFinished).map(({ id }) => ({ id, isMigration: false })),
    ...ended.map(({ id }) => ({ id, isMigration: true })),
  ];
}

async function throttle(words: readonly string[], options: Options, context: CommandContext) {
  const [id = "", rate, ...further] = words;
  if (id === "" || further.length > 0 || (rate === undefined && options.iops === undefined)) {
    throw invalid("`jobs throttle` takes a job and a rate: k3v9q2ab 200MiB, or --iops");
  }
  const bandwidthLimit =
    rate === undefined ? undefined : rate === "none" ? 0 : parseSize(rate.replace(/\/s$/, ""));
  await change(id, { bandwidthLimit, iopsLimit: options.iops }, options, context);
}

async function setPaused(
  ids: readonly string[],
  paused: boolean,
  options: Options,
  context: CommandContext,
) {
  for (const id of atLeastOne(ids, paused ? "pause" : "continue")) {
    await change(id, { paused }, options, context);
  }
}

async function change(
  id: string,
  limits: Parameters<typeof controlJob>[1],
  options: Options,
  { stdout }: CommandContext,
) {
  const job = await controlJob(await copyOf(id, options), limits, placeOf(options));
  if (options.json) stdout.json({ type: "changed", id: job.id, ...limits });
  else if (!options.quiet) stdout.line(`job ${job.id} is told; it follows within a second`);
}

/** Of a migration, the copy that it is at now. */
async function copyOf(id: string, options: Options): Promise<string> {
  const migration = await findMigration(id, placeOf(options));
  if (migration === undefined) return id;
  const jobs = await listJobs(placeOf(options));
  const running = jobs.find(
    (job) => job.options?.partOf === migration.id && job.state === "running",
  );
  if (running !== undefined) return running.id;
  throw invalid(
    `migration ${migration.id} moves no bytes now: it is ${migration.state}, at ${migration.phase}`,
  );
}

function isFinished({ state }: JobStatus): boolean {
  return state === "done" || state === "superseded";
}

function placeOf(options: Options) {
  return { stateDirectory: stateDirectoryOf(options) };
}

function atLeastOne(ids: readonly string[], action: string): readonly string[] {
  if (ids.length > 0) return ids;
  throw invalid(`\`jobs ${action}\` takes a job: \`blockhaul jobs\` lists them`);
}

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
