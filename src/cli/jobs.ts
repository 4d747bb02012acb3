import {
  BlockhaulError,
  controlJob,
  type JobStatus,
  listJobs,
  parseSize,
  removeJob,
  showJob,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { jobsOptions } from "./commands.js";
import { jobsTable, jobText } from "./job-report.js";
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
  const jobs = await listJobs(placeOf(options));
  if (options.json) for (const job of jobs) stdout.json({ type: "job", ...job });
  else if (options.quiet) for (const { id } of jobs) stdout.line(id);
  else if (jobs.length === 0) stdout.line("no jobs");
  else stdout.write(jobsTable(jobs));
}

async function show(ids: readonly string[], options: Options, context: CommandContext) {
  for (const id of atLeastOne(ids, "show")) {
    const job = await showJob(id, placeOf(options));
    if (options.json) context.stdout.json({ type: "job", ...job });
    else context.stdout.write(jobText(job, options, context));
  }
}

async function remove(ids: readonly string[], options: Options, { stdout }: CommandContext) {
  const place = placeOf(options);
  const given = options.done ? ids : atLeastOne(ids, "rm");
  // All are looked for before the first is removed.
  const named = await Promise.all(given.map(async (id) => (await showJob(id, place)).id));
  const finished = options.done ? (await listJobs(place)).filter(isFinished) : [];
  const all = new Set([...named, ...finished.map(({ id }) => id)]);
  for (const id of all) {
    const { source, target } = await removeJob(id, place);
    if (options.json) stdout.json({ type: "removed", id, source, target });
    else if (!options.quiet) stdout.line(`removed job ${id}`);
  }
  if (all.size === 0 && !options.json && !options.quiet) stdout.line("no jobs are done");
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
  const job = await controlJob(id, limits, placeOf(options));
  if (options.json) stdout.json({ type: "changed", id: job.id, ...limits });
  else if (!options.quiet) stdout.line(`job ${job.id} is told; it follows within a second`);
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
