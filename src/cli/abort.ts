import { abortMigration, findMigration } from "../index.js";
import type { CommandRun } from "./command.js";
import type { abortOptions } from "./command-options.js";
import { runWatched } from "./migrating.js";
import { noSuchJob } from "./resuming.js";
import { stateDirectoryOf } from "./transfer.js";

export const runAbort: CommandRun<typeof abortOptions> = async ([id = ""], options, context) => {
  const found = await findMigration(id, { stateDirectory: stateDirectoryOf(options) });
  if (found === undefined) throw noSuchJob(id, "migration");
  return runWatched(`migration ${found.id}`, options, context, (watch) =>
    abortMigration(found.id, watch),
  );
};
