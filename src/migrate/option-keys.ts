/** The options of the public functions of migrations, by their names. */

import { BlockhaulError } from "../errors.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import type { MoveOptions } from "./plan-types.js";
import {
  HOOK_NAMES,
  type MigrateOptions,
  type MigrationWatch,
  type ResumeMigrationOptions,
} from "./types.js";

const WATCH_KEYS: KeysOf<MigrationWatch> = {
  stateDirectory: true,
  hooks: true,
  control: true,
  limits: true,
  signal: true,
  onEvent: true,
  progressIntervalMs: true,
};

const RESUME_KEYS: KeysOf<ResumeMigrationOptions> = {
  ...WATCH_KEYS,
  allow: true,
  overwrite: true,
  keepSource: true,
  method: true,
};

const MOVE_KEYS: KeysOf<MoveOptions> = {
  deleteSource: true,
  rename: true,
  withSnapshots: true,
  freeze: true,
  method: true,
  provisioning: true,
  size: true,
  fixGpt: true,
  create: true,
  verify: true,
  allow: true,
  hooks: true,
  requests: true,
  requestSize: true,
  memory: true,
  threads: true,
  digest: true,
  bandwidthLimit: true,
  iopsLimit: true,
  retries: true,
  requestTimeoutMs: true,
  stallLimitMs: true,
  checkpointIntervalMs: true,
};

const MIGRATE_KEYS: KeysOf<MigrateOptions> = { ...MOVE_KEYS, ...WATCH_KEYS };

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkMigrateOptions(what: string, options: MigrateOptions): void {
  checkNested(what, checkKeys(what, options, MIGRATE_KEYS));
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkResumeOptions(what: string, options: ResumeMigrationOptions): void {
  const { method } = checkKeys(what, options, RESUME_KEYS);
  checkNested(what, options);
  if (method === undefined || method === "copy") return;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `method of ${what} must be "copy", not ${JSON.stringify(method)}`,
  });
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkPlaceOptions(
  what: string,
  options: Pick<MigrationWatch, "stateDirectory">,
): void {
  checkKeys(what, options, { stateDirectory: true });
}

function checkNested(what: string, { hooks = {}, limits = {} }: MigrationWatch): void {
  checkKeys(`hooks of ${what}`, hooks, HOOK_NAMES);
  checkKeys(`limits of ${what}`, limits, { bandwidthLimit: true, iopsLimit: true });
}
