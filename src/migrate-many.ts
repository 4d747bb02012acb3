/** Many migrations as one plan: read, checked in whole before anything is touched, carried out. */
import { BlockhaulError } from "./errors.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { PlanError } from "./migrate/plan-error.js";
import type {
  CheckedPlan,
  CheckPlanOptions,
  ManyOptions,
  ManyPlan,
  ManyReport,
  ReadPlan,
} from "./migrate/plan-types.js";
import { listMigrations, migrateVolume, planMigration, resumeMigration } from "./migrate.js";

export { PlanError } from "./migrate/plan-error.js";
export type * from "./migrate/plan-types.js";

// As in migrate.ts: loaded by whoever has a plan.
const checking = () => import("./migrate/plan-check.js");

/**
 * Reads a plan. What is wrong with the file is in `faults`, all of it; what could be understood is in
 * `moves`, so that the rest of the plan can be checked in the same go.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO where the file cannot be read
 */
export async function readPlan(file: string): Promise<ReadPlan> {
  // Who moves one volume needs no parser.
  const { readPlanFile } = await import("./migrate/plan-file.js");
  return readPlanFile(file);
}

const CHECK_KEYS: KeysOf<CheckPlanOptions> = { stateDirectory: true, onLook: true };

const MANY_KEYS: KeysOf<ManyOptions> = {
  ...CHECK_KEYS,
  parallel: true,
  continueOnError: true,
  signal: true,
  onEvent: true,
  progressIntervalMs: true,
};

/**
 * Looks at everything that a plan names, and changes nothing. All that is wrong is in `faults`, of the plan and
 * of each of its moves.
 *
 * @throws BlockhaulError where what earlier runs recorded cannot be read
 */
export async function checkPlan(
  plan: ManyPlan,
  options: CheckPlanOptions = {},
): Promise<CheckedPlan> {
  const [{ checkMoves }, { earlierMigrations, identityNow }, { endOf }] = await Promise.all([
    checking(),
    import("./migrate/plan-earlier.js"),
    import("./migrate/plan-ends.js"),
  ]);
  checkKeys("checkPlan", options, CHECK_KEYS);
  const recorded = await listMigrations({ stateDirectory: options.stateDirectory });
  const find = await earlierMigrations(recorded, { endOf, identityOf: identityNow });
  return checkMoves(plan, { plan: planMigration, endOf, find, onLook: options.onLook });
}

/**
 * Carries a plan out: what waits for nothing first, as many moves at once as plan, groups and backends allow. A
 * move that an earlier run of the same plan was stopped in is resumed, and one that it did is not done twice.
 * Failures of moves are in the report.
 *
 * @param plan or one that `checkPlan` just looked at
 * @throws PlanError before anything is touched, with all that is wrong
 * @throws BlockhaulError ERR_INVALID_ARGUMENT; what `checkPlan` throws
 */
export async function migrateVolumes(
  plan: ManyPlan | CheckedPlan,
  options: ManyOptions = {},
): Promise<ManyReport> {
  const { parallel, stateDirectory, onLook } = checkKeys("migrateVolumes", options, MANY_KEYS);
  const { isParallel } = await checking();
  if (parallel !== undefined && !isParallel(parallel)) {
    const message = `parallel must be a whole number from 1 to 64, not ${parallel}`;
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
  }
  const isChecked = (one: object | null): one is CheckedPlan =>
    one instanceof Object && "shares" in one;
  const checked = isChecked(plan) ? plan : await checkPlan(plan, { stateDirectory, onLook });
  if (checked.faults.length > 0) throw new PlanError(checked.faults);
  const { runMoves } = await import("./migrate/plan-run.js");
  return runMoves(checked, { migrate: migrateVolume, resume: resumeMigration }, options);
}
