import {
  BlockhaulError,
  type CopyReport,
  findMigration,
  resumeMigration,
  showJob,
} from "../index.js";
import type { CommandRun } from "./command.js";
import type { resumeOptions } from "./command-options.js";
import { finishCopy } from "./copy-finish.js";
import { allowedGuards } from "./guard-options.js";
import { explainEnd } from "./job-failure.js";
import { runWatched } from "./migrating.js";
import { firstGiven, type OptionValues } from "./options.js";
import { goOn } from "./resuming.js";
import { limitsOf, stateDirectoryOf } from "./transfer.js";
import { Watch } from "./watch.js";

export const runResume: CommandRun<typeof resumeOptions> = async ([id = ""], options, context) => {
  const stateDirectory = stateDirectoryOf(options);
  const migration = await findMigration(id, { stateDirectory });
  if (migration !== undefined) {
    refuseOfCopies(migration.id, options);
    const { bandwidthLimit, iopsLimit } = limitsOf(options);
    const told = {
      limits: { bandwidthLimit, iopsLimit },
      allow: allowedGuards(options),
      overwrite: options.overwrite,
      keepSource: options.keepSource,
      method: options.method,
    };
    return runWatched(`${migration.source} to ${migration.target}`, options, context, (watch) =>
      resumeMigration(migration.id, { ...told, ...watch }),
    );
  }
  refuseOfMigrations(id, options);
  const job = await showJob(id, { stateDirectory });
  if (job.options?.partOf !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `job ${job.id} is a part of migration ${job.options.partOf}`,
      hint: `\`blockhaul resume ${job.options.partOf}\` goes on with both`,
    });
  }
  const watch = new Watch(`job ${job.id}`, options, context);
  let report: CopyReport;
  try {
    report = await goOn(job.id, options, context, watch);
    watch.clear();
  } catch (error) {
    watch.clear();
    if (error instanceof BlockhaulError && error.code === "ERR_TIMEOUT") {
      context.stderr.line(
        "warning: what was attached for requests that hang may stay until `blockhaul cleanup`",
      );
    }
    const { received, progress } = watch;
    const end = { target: job.target?.ref ?? "", received, progress, job: job.id, again: "" };
    throw await explainEnd(error, end, options, context);
  } finally {
    watch.release();
  }
  return finishCopy(report, options, context);
};

const OF_MIGRATIONS = ["keep-source", "method"] as const;
/** Besides those that the environment may set for all commands alike. */
const OF_COPIES = ["fast", "repair", "salvage", "fix-gpt"] as const;

type Options = OptionValues<typeof resumeOptions>;

/** @throws BlockhaulError ERR_INVALID_ARGUMENT for what a copy has none of */
function refuseOfMigrations(id: string, options: Options): void {
  const stray = firstGiven(options, OF_MIGRATIONS);
  if (stray === undefined) return;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `--${stray} is about a migration, and there is no migration ${JSON.stringify(id)}`,
    hint: "`blockhaul jobs` lists them",
  });
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT for what a migration goes by as it was begun */
function refuseOfCopies(id: string, options: Options): void {
  const stray = firstGiven(options, OF_COPIES);
  if (stray === undefined) return;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `--${stray} is about a copy, and ${id} is a migration: it goes on as it was begun`,
    hint: "leave it out; `blockhaul abort` ends the migration, to begin another",
  });
}
