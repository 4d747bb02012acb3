import { cleanUpAttachments } from "../attachments/cleanup.js";
import type { CopyReport } from "../copy/report.js";
import { endOf } from "../copy/run.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { NativeRegionLock } from "../native-host.js";
import { onlyGiven } from "../only-given.js";
import { absoluteRef } from "../refs.js";
import { removeDurably } from "../system/durable-file.js";
import { openVolume } from "../volume.js";
import { forgetCopies } from "./bytes.js";
import { identityAt, identityOf } from "./identity.js";
import { checkSource, Migration } from "./migration.js";
import { checkPlaces, placesOf } from "./places.js";
import type { DetailedPlan } from "./plan.js";
import { pruneMigrations } from "./prune.js";
import { hasEnded, type MigrationRecord, setAsideOf } from "./record.js";
import { isUntouched } from "./removal-cut-short.js";
import { renameOnce } from "./rename.js";
import { dropSnapshot } from "./snapshots.js";
import { lockSource } from "./source-lock.js";
import { enterCopying } from "./states/copying.js";
import { enterCreating } from "./states/creating.js";
import { enterFreezing } from "./states/freezing.js";
import { enterHandingOver } from "./states/handing-over.js";
import { MigrationStore } from "./store.js";
import { giveBack } from "./taking-away.js";
import { checkTarget } from "./target-check.js";
import { besides, canRename, nameIn, nameVolume, temporaryName } from "./target-name.js";
import { removeTarget } from "./target-removal.js";
import {
  HOOK_NAMES,
  MIGRATION_STATES,
  type MigrateOptions,
  type MigrationReport,
  type MigrationState,
  type MigrationTuning,
  type ResumeMigrationOptions,
} from "./types.js";

/** Writes a migration down: from here on it can be resumed, and aborted. */
export async function beginMigration(
  { plan, ends }: DetailedPlan,
  options: MigrateOptions,
): Promise<Migration> {
  if (ends === undefined || plan.problems.length > 0) {
    throw (
      plan.problems[0] ?? new BlockhaulError("ERR_INTERNAL", { message: "a plan without ends" })
    );
  }
  const store = new MigrationStore(options.stateDirectory);
  const id = store.jobs.newId();
  const hold = await store.hold(id);
  let sourceHold: NativeRegionLock | undefined;
  try {
    const source = await openVolume(plan.source, { signal: options.signal });
    const end = { ...endOf(source), identity: await identityOf(source, ends.source) };
    await source.close();
    const isTemporary = ends.isNew && canRename(ends.target);
    const name = nameIn(ends.target);
    const target = absoluteRef(ends.target.ref);
    const temporary = isTemporary
      ? absoluteRef(besides(ends.target, temporaryName(name, id)).ref)
      : target;
    const now = new Date().toISOString();
    const record: MigrationRecord = {
      version: 1,
      id,
      kind: "migrate",
      createdAt: now,
      state: "planned",
      source: end,
      target: { ref: target, temporary, isOurs: ends.isNew },
      ...(await placesOf(await nameVolume(end.ref), await nameVolume(target))),
      method: plan.method,
      freeze: plan.freeze,
      settings: onlyGiven(plan.settings),
      tuning: tuningOf(options),
      hooks: commandHooks(options),
      functionHooks: HOOK_NAMES.filter((hook) => typeof options.hooks?.[hook] === "function"),
      snapshots: plan.snapshots,
      carried: [],
      isPrepared: false,
      handover: [],
      verified: false,
      notices: plan.notices,
      pid: process.pid,
      begunAt: now,
    };
    sourceHold = await lockSource(record);
    await pruneMigrations(store);
    await store.save(record);
    // Which way was chosen stands in the record.
    const { method: _chosen, ...watch } = options;
    const migration = new Migration(store, record, [hold, sourceHold], watch, false);
    migration.tell({ type: "begun", id });
    return migration;
  } catch (error) {
    sourceHold?.release();
    hold.release();
    throw error;
  }
}

/**
 * Takes up a migration that somebody began.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE, ERR_JOURNAL
 */
export async function takeUp(id: string, watch: ResumeMigrationOptions): Promise<Migration> {
  const store = new MigrationStore(watch.stateDirectory);
  const whole = await store.find(id);
  if (whole === undefined) {
    throw new BlockhaulError("ERR_NOT_FOUND", {
      message: `there is no migration ${JSON.stringify(id)} in ${store.jobs.folder}`,
      hint: "`blockhaul jobs` lists them",
    });
  }
  const hold = await store.hold(whole);
  try {
    const record = await store.read(whole);
    if (!hasEnded(record)) {
      await checkPlaces(record);
      // A run that was killed may have left volumes attached, which could be neither renamed nor removed.
      await cleanUpAttachments();
    }
    const { error: _error, endedAt: _endedAt, ...rest } = record;
    const { allow = [] } = rest.settings;
    const settings = {
      ...rest.settings,
      allow: [...allow, ...(watch.allow ?? [])],
      ...(watch.keepSource ? { deleteSource: false } : {}),
      ...(watch.method === undefined ? {} : { method: watch.method }),
    };
    const begun = { settings, pid: process.pid, begunAt: new Date().toISOString() };
    const taken = { ...rest, ...begun };
    const wasKilled = record.endedAt === undefined;
    const holds = [hold, await lockSource(taken)];
    return new Migration(store, taken, holds, watch, true, wasKilled);
  } catch (error) {
    hold.release();
    throw error;
  }
}

/** The source is kept, whatever the migration was told: where it was taken away to be removed, it gets its name back. */
export async function keepInstead(migration: Migration): Promise<void> {
  await keepSource(migration);
  try {
    await giveBack(migration);
  } catch (error) {
    await migration.close().catch(() => {});
    throw error;
  }
}

/** Goes through the states that are left, to the end. */
export async function runToEnd(migration: Migration): Promise<MigrationReport> {
  const began = performance.now();
  return finishing(migration, async () => {
    const copy = await goThrough(migration);
    await migration.note({ state: "done", endedAt: new Date().toISOString() });
    // Of no use any more; one that stays goes with the record, and is no failure.
    await forgetCopies(migration.id, migration.watch.stateDirectory).catch(() => {});
    return reportOf(migration, copy, began);
  });
}

async function goThrough(migration: Migration): Promise<CopyReport | undefined> {
  const isBefore = (state: MigrationState) =>
    ORDER.indexOf(migration.record.state) <= ORDER.indexOf(state);
  if (migration.isResumed && isBefore("verifying")) await checkSource(migration);
  if (isBefore("creating")) await enterCreating(migration);
  migration.throwIfStopped();
  if (isBefore("freezing")) await enterFreezing(migration);
  migration.throwIfStopped();
  const copy = isBefore("verifying") ? await enterCopying(migration) : undefined;
  migration.throwIfStopped();
  await enterHandingOver(migration);
  // "Done" is said of the target that was named.
  await checkTarget(migration);
  return copy;
}

const ORDER: readonly MigrationState[] = MIGRATION_STATES;

/**
 * Goes back: every name is given back, and what was made is removed. It can be done again, whatever came in
 * between.
 */
export async function goBack(migration: Migration): Promise<MigrationReport> {
  const began = performance.now();
  await keepSource(migration);
  return finishing(migration, async () => {
    await migration.enter("aborting");
    await giveNamesBack(migration);
    await removeTarget(migration);
    await dropSnapshot(migration);
    await forgetCopies(migration.id, migration.watch.stateDirectory);
    await removeDurably(migration.store.manifestOf(migration.id));
    await migration.note({ state: "aborted", endedAt: new Date().toISOString() });
    return reportOf(migration, undefined, began);
  });
}

/**
 * Takes the removal of the source back, where that was begun and has removed nothing.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where a part of the source, or all of it, may be gone
 */
export async function keepSource(migration: Migration): Promise<void> {
  if (!migration.hasDone("deleting-source")) return;
  try {
    if (!(await isUntouched(migration))) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: `migration ${migration.id} cannot keep its source, which is being removed`,
        hint: `\`blockhaul resume ${migration.id}\` goes on`,
      });
    }
    await migration.didNot("deleting-source");
  } catch (error) {
    await migration.close().catch(() => {});
    throw error;
  }
}

async function giveNamesBack(migration: Migration): Promise<void> {
  await giveBack(migration);
  const { target, source, setAside } = migration.record;
  const hasMoved = migration.hasDone("renaming-target") && target.temporary !== target.ref;
  if (hasMoved) {
    await renameBack(target.ref, target.temporary, target.identity);
  }
  if (setAside !== undefined) await renameBack(setAside, source.ref, source.identity);
  await migration.note({ handover: [], setAside: undefined });
}

/** Only what is known by its identity: by now, another volume may have the name. */
async function renameBack(fromRef: string, toRef: string, identity: string | undefined) {
  const from = await nameVolume(fromRef);
  if (identity === undefined || (await identityAt(from)) !== identity) return;
  await renameOnce(from, await nameVolume(toRef), identity);
}

/** Runs something of a migration to its end, writes down why it failed, and closes. */
async function finishing<Result>(
  migration: Migration,
  action: () => Promise<Result>,
): Promise<Result> {
  let result: Result;
  try {
    result = await action();
  } catch (thrown) {
    const error = toBlockhaulError(thrown);
    const { code, message } = error;
    const endedAt = new Date().toISOString();
    // A record that cannot be written says that the run was killed, which is resumed all the same.
    await migration.note({ error: { code, message }, endedAt }).catch(() => {});
    await migration.close().catch(() => {});
    throw thrown;
  }
  await migration.close();
  return result;
}

function reportOf(
  { record }: Migration,
  copy: CopyReport | undefined,
  began: number,
): MigrationReport {
  const setAside = setAsideOf(record);
  const isGone = record.handover.includes("deleting-source");
  return {
    id: record.id,
    source: record.source.ref,
    target: record.target.ref,
    state: record.state === "done" ? "done" : "aborted",
    size: record.source.size,
    targetSize: record.target.size ?? record.source.size,
    method: record.method,
    digest: record.digest,
    verified: record.verified,
    sourceIs: isGone ? "deleted" : setAside === undefined ? "kept" : "set aside",
    setAside,
    snapshots: record.carried,
    copy,
    notices: record.notices,
    seconds: (performance.now() - began) / 1000,
  };
}

function tuningOf(options: MigrateOptions): MigrationTuning {
  const { requests, requestSize, memory, threads, digest, bandwidthLimit, iopsLimit } = options;
  const { retries, requestTimeoutMs, stallLimitMs, checkpointIntervalMs } = options;
  return onlyGiven({
    requests,
    requestSize: requestSize === undefined ? undefined : Number(requestSize),
    memory: memory === undefined ? undefined : Number(memory),
    threads,
    digest,
    bandwidthLimit: bandwidthLimit === undefined ? undefined : Number(bandwidthLimit),
    iopsLimit,
    retries,
    requestTimeoutMs,
    stallLimitMs,
    checkpointIntervalMs,
  });
}

function commandHooks({ hooks = {} }: MigrateOptions): MigrationRecord["hooks"] {
  const commands = HOOK_NAMES.flatMap((name) => {
    const hook = hooks[name];
    return hook === undefined || typeof hook === "function" ? [] : [[name, hook] as const];
  });
  return Object.fromEntries(commands);
}
