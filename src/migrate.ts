/** Migrations: a volume moved to a backend, from the plan to the hand-over. */
import { BlockhaulError } from "./errors.js";
import type {
  MigrateOptions,
  MigrationPlan,
  MigrationReport,
  ResumeMigrationOptions,
} from "./migrate/types.js";

export type * from "./migrate/types.js";
export { HOOK_NAMES, MIGRATION_STATES } from "./migrate/types.js";

/**
 * Finds out what a migration would do, and all that it would be refused for; changes nothing.
 *
 * @param target "BACKEND", "BACKEND:NAME" or any other ref
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for options that make no sense; everything else is in
 *   `problems` of the plan
 */
export async function planMigration(
  _source: string,
  _target: string,
  _options: MigrateOptions = {},
): Promise<MigrationPlan> {
  throw new BlockhaulError("ERR_UNSUPPORTED");
}

/**
 * Moves a volume to a backend: makes the target, freezes the source, copies, verifies, hands over.
 *
 * @throws BlockhaulError the first problem of the plan, before anything is changed; and what it meets later:
 *   `resumeMigration` can go on then, `abortMigration` go back
 */
export async function migrateVolume(
  _source: string,
  _target: string,
  _options: MigrateOptions = {},
): Promise<MigrationReport> {
  throw new BlockhaulError("ERR_UNSUPPORTED");
}

/** Goes on with a migration that was cut short. */
export async function resumeMigration(
  _id: string,
  _options: ResumeMigrationOptions = {},
): Promise<MigrationReport> {
  throw new BlockhaulError("ERR_UNSUPPORTED");
}

/** Takes back what a migration made: the source is as it was before. */
export async function abortMigration(
  _id: string,
  _options: ResumeMigrationOptions = {},
): Promise<MigrationReport> {
  throw new BlockhaulError("ERR_UNSUPPORTED");
}
