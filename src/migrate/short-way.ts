import type { CopyReport } from "../copy/report.js";
import { BlockhaulError, type ErrorCode, toBlockhaulError } from "../errors.js";
import { verifyVolumes } from "../verify.js";
import { openVolume, type Volume } from "../volume.js";
import { moveBytes } from "./bytes.js";
import { identityOf } from "./identity.js";
import type { Migration } from "./migration.js";
import { shortWayOf } from "./plan.js";
import { readingOptions, tellProgress } from "./progress.js";
import { another, faultOfIdentity } from "./rename.js";
import { enterCreating } from "./states/creating.js";
import { openIfThere } from "./taking-away.js";
import { nameVolume } from "./target-name.js";
import { removeTarget } from "./target-removal.js";

/**
 * Has the driver make the target in its own, shorter way, and compares it with the source. A run that is cut
 * short is not gone on with: what it made is removed, and it is gone anew.
 */
export async function goShortWay(migration: Migration): Promise<CopyReport | undefined> {
  if (migration.record.state === "copying") {
    await removeTarget(migration);
    await migration.note({ target: { ...migration.record.target, identity: undefined } });
    if (migration.record.settings.method === "copy" || !(await makeTarget(migration))) {
      return copyInstead(migration);
    }
    await migration.enter("verifying");
  }
  const source = await openVolume(migration.frozenRef, { signal: migration.watch.signal });
  let target: Volume | undefined;
  try {
    target = await openVolume(migration.targetRef, { signal: migration.watch.signal });
    await know(migration, target);
    const { temporary, ref } = migration.record.target;
    const fault = temporary === ref ? undefined : faultOfIdentity(target, "target");
    if (fault !== undefined) throw fault;
    await prove(migration, source, target);
  } finally {
    await Promise.all([source.close(), target?.close()]);
  }
  return undefined;
}

/** Moves every byte: the shorter way is not open, or is not wanted any more, and has left nothing. */
async function copyInstead(migration: Migration): Promise<CopyReport | undefined> {
  await migration.note({ method: "copy" });
  await enterCreating(migration);
  await migration.enter("copying");
  return moveBytes(migration, migration.frozenRef);
}

/** Notes which volume was made; a later run must find that one. */
async function know(migration: Migration, volume: Volume): Promise<void> {
  const { target } = migration.record;
  const named = await nameVolume(migration.targetRef);
  const identity = await identityOf(volume, named);
  if (target.identity === undefined) {
    await migration.note({ target: { ...target, identity, size: volume.size } });
  } else if (identity !== target.identity) {
    throw another(named, identity, target.identity).withContext({ side: "target" });
  }
}

/** @returns false where the way does not work, and has made nothing */
async function makeTarget(migration: Migration): Promise<boolean> {
  const { record, watch } = migration;
  const source = await nameVolume(migration.frozenRef);
  const target = await nameVolume(record.target.temporary);
  const { size } = record.source;
  const way = await shortWayOf(source, target, size, record.settings);
  if (way === undefined) {
    await migration.notice(
      `the way that was planned, ${record.method}, is not open any more: all is copied`,
    );
    return false;
  }
  const began = performance.now();
  const onProgress = (done: number) =>
    tellProgress(migration, {
      phase: "copy",
      state: done < size ? "copying" : "done",
      total: size,
      done,
      read: 0,
      written: 0,
      zeroed: 0,
      skipped: 0,
      begin: 0,
      retries: 0,
      seconds: (performance.now() - began) / 1000,
    });
  const notKept: string[] = [];
  const onNotKept = (what: string) => void notKept.push(what);
  try {
    await way.run({ signal: watch.signal, onProgress, onNotKept });
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { side: "target", volume: record.target.ref });
    const isLeft = await knowRest(migration);
    if (isLeft || !NOT_POSSIBLE.has(error.code)) {
      throw error.withContext({
        hint: error.hint ?? `\`blockhaul resume ${record.id} --method copy\` copies all`,
      });
    }
    await migration.notice(`${record.method} is not possible (${error.message}): all is copied`);
    return false;
  }
  for (const what of notKept) await migration.notice(`not kept of the source: ${what}`);
  return true;
}

/**
 * Nothing had that name when the way was begun: what a driver left there, against its promise, goes with an abort.
 *
 * @returns whether anything may be left
 */
async function knowRest(migration: Migration): Promise<boolean> {
  let left: Volume | undefined;
  try {
    left = await openIfThere(migration.targetRef);
  } catch {
    return true;
  }
  if (left === undefined) return false;
  try {
    await know(migration, left);
    return true;
  } finally {
    await left.close();
  }
}

/** What says that a way is none here, rather than that something failed on it. */
const NOT_POSSIBLE: ReadonlySet<ErrorCode> = new Set([
  "ERR_UNSUPPORTED",
  "ERR_PERMISSION",
  "ERR_READ_ONLY",
]);

async function prove(migration: Migration, source: Volume, target: Volume): Promise<void> {
  const { record } = migration;
  if (target.size < source.size) {
    throw new BlockhaulError("ERR_TARGET_TOO_SMALL", { side: "target", volume: target.ref });
  }
  if (record.settings.verify === false) return;
  const { digest, checkpointIntervalMs: _ofCopies, ...tuning } = record.tuning;
  const report = await verifyVolumes(source, target, {
    ...tuning,
    ...readingOptions(migration),
    digest: digest === "none" ? undefined : digest,
  });
  await migration.note({ digest: report.digest, verified: true });
}
