/** Migrations: a volume moved to a backend, from the plan to the hand-over. */
import { BlockhaulError } from "./errors.js";
import {
  checkMigrateOptions,
  checkPlaceOptions,
  checkResumeOptions,
} from "./migrate/option-keys.js";
import { hasEnded } from "./migrate/record.js";
import { findMigration, type MigrationStatus } from "./migrate/status.js";
import { MigrationStore } from "./migrate/store.js";
import { snapshotName, temporaryName } from "./migrate/target-name.js";
import type {
  MigrateOptions,
  MigrationPlan,
  MigrationReport,
  ResumeMigrationOptions,
} from "./migrate/types.js";

export { findMigration, listMigrations, type MigrationStatus } from "./migrate/status.js";
export type * from "./migrate/types.js";
export { HOOK_NAMES, MIGRATION_STATES } from "./migrate/types.js";

// Whoever only copies is not to wait until all of a migration is loaded.
const planning = () => import("./migrate/plan.js");
const running = () => import("./migrate/run.js");

/**
 * Finds out what a migration would do, and all that it would be refused for; changes nothing.
 *
 * @param target "BACKEND", where it gets the source's name, "BACKEND:NAME", or any other ref
 * @throws BlockhaulError ERR_CANCELLED; everything else is in `problems` of the plan
 */
export async function planMigration(
  source: string,
  target: string,
  options: MigrateOptions = {},
): Promise<MigrationPlan> {
  checkMigrateOptions("planMigration", options);
  const { makePlan } = await planning();
  const { plan } = await makePlan(source, target, options);
  return plan;
}

/**
 * Moves a volume to a backend: makes the target, freezes the source, copies, verifies, hands over. Each state
 * is on disk before it is entered, so that whatever ends it, it can be resumed, and aborted.
 *
 * @param target "BACKEND", where it gets the source's name, "BACKEND:NAME", or any other ref
 * @throws BlockhaulError the first problem of the plan, before anything is changed; later what `copyVolume`
 *   throws, ERR_HOOK, ERR_EXISTS where somebody took the target's name, ERR_LIVE_SOURCE where the source was
 *   written to. `listMigrations` shows the state then.
 */
export async function migrateVolume(
  source: string,
  target: string,
  options: MigrateOptions = {},
): Promise<MigrationReport> {
  checkMigrateOptions("migrateVolume", options);
  const [{ makePlan }, { beginMigration, runToEnd }] = [await planning(), await running()];
  const detailed = await makePlan(source, target, options);
  options.onEvent?.({ type: "planned", plan: detailed.plan });
  return runToEnd(await beginMigration(detailed, options));
}

/**
 * Goes on with a migration that was cut short, from the state that it was in.
 *
 * @param id or the beginning of one that no other has
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_IN_USE where a process works on it; ERR_INVALID_ARGUMENT where it
 *   has ended, or goes back; ERR_JOURNAL where an end is not the volume any more that it was; and what
 *   `migrateVolume` throws
 */
export async function resumeMigration(
  id: string,
  options: ResumeMigrationOptions = {},
): Promise<MigrationReport> {
  checkResumeOptions("resumeMigration", options);
  const { keepInstead, runToEnd, takeUp } = await running();
  const migration = await takeUp(id, options);
  const { state } = migration.record;
  if (!hasEnded(migration.record) && state !== "aborting") {
    if (options.keepSource) await keepInstead(migration);
    return runToEnd(migration);
  }
  await migration.close();
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `migration ${migration.id} is ${state}`,
    ...(state === "aborting"
      ? { hint: `\`blockhaul abort ${migration.id}\` goes on with that` }
      : {}),
  });
}

/**
 * Goes back: names are given back, and the target that was made, the snapshot that was taken, and what is left
 * attached are removed. The source is what it was.
 *
 * @param id or the beginning of one that no other has
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_IN_USE where a process works on it, or somebody uses the target;
 *   ERR_INVALID_ARGUMENT where it has ended, or its source is being removed already
 */
export async function abortMigration(
  id: string,
  options: ResumeMigrationOptions = {},
): Promise<MigrationReport> {
  checkResumeOptions("abortMigration", options);
  const { goBack, takeUp } = await running();
  const migration = await takeUp(id, options);
  if (!hasEnded(migration.record)) return goBack(migration);
  await migration.close();
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `migration ${migration.id} is ${migration.record.state}`,
  });
}

/**
 * Forgets a migration that has ended.
 *
 * @throws BlockhaulError ERR_NOT_FOUND; ERR_IN_USE while a process works on it; ERR_INVALID_ARGUMENT where it
 *   has not ended: what it made would be nobody's; ERR_JOURNAL of one that is unreadable, for the same reason
 */
export async function removeMigration(
  id: string,
  options: Pick<ResumeMigrationOptions, "stateDirectory"> = {},
): Promise<MigrationStatus> {
  checkPlaceOptions("removeMigration", options);
  const { stateDirectory } = options;
  const status = await findMigration(id, { stateDirectory });
  if (status === undefined) {
    throw new BlockhaulError("ERR_NOT_FOUND", { message: `there is no migration ${id}` });
  }
  if (status.state === "unreadable") {
    throw new BlockhaulError("ERR_JOURNAL", {
      volume: status.file,
      message: "nobody can tell what that migration made, which would be nobody's then",
      hint: `look for volumes called …${temporaryName("", status.id)}, and the snapshot ${snapshotName(status.id)}; then remove the file`,
    });
  }
  if (status.state !== "done" && status.state !== "aborted") {
    throw new BlockhaulError(status.state === "running" ? "ERR_IN_USE" : "ERR_INVALID_ARGUMENT", {
      message: `migration ${status.id} has not ended: it is ${status.state}, at ${status.phase}`,
      hint: `\`blockhaul resume ${status.id}\` goes on, \`blockhaul abort ${status.id}\` goes back`,
    });
  }
  const { forgetCopies } = await import("./migrate/bytes.js");
  await forgetCopies(status.id, stateDirectory);
  await new MigrationStore(stateDirectory).remove(status.id);
  return status;
}
