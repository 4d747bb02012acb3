/** Snapshots that are carried over: each state of the source in turn, the oldest first. */

import { CHUNK } from "../copy/chunks.js";
import { hold, watchOf } from "../copy/engine.js";
import { planCopy } from "../copy/plan.js";
import { mergeRanges } from "../copy/report.js";
import { chunkStart, copyRange } from "../copy/verification.js";
import type { SnapshotInfo } from "../driver.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { Range } from "../native.js";
import { verifyVolumes } from "../verify.js";
import { openVolume, type Volume } from "../volume.js";
import { moveBytes, openTarget } from "./bytes.js";
import { identityOf } from "./identity.js";
import type { Migration } from "./migration.js";
import { readingOptions } from "./progress.js";
import { type NamedVolume, nameVolume } from "./target-name.js";

/** A state of the source: one of its snapshots, or what it was frozen at. */
interface SourceState {
  readonly name: string | undefined;
  readonly ref: string;
  readonly location: unknown;
}

/**
 * Makes the target go through the source's states: the oldest is copied whole, of each later one what has
 * changed since, and after each a snapshot of that name is taken. Then all are compared.
 */
export async function carrySnapshots(migration: Migration): Promise<void> {
  const states = await statesOf(migration);
  for (const [index, state] of states.entries()) {
    migration.throwIfStopped();
    const isCarried = state.name !== undefined && migration.record.carried.includes(state.name);
    if (isCarried) continue;
    const before = states[index - 1];
    if (before === undefined) await moveBytes(migration, state.ref);
    else await moveChanges(migration, before, state);
    if (state.name !== undefined) await takeSnapshot(migration, state.name);
  }
  if (migration.record.settings.verify !== false) await compareAll(migration, states);
  // The engine's digest is the oldest snapshot's.
  else await migration.note({ digest: undefined, verified: false });
}

async function statesOf(migration: Migration): Promise<SourceState[]> {
  const { snapshots } = migration.record;
  const { driver, location } = await migration.source();
  const found: readonly SnapshotInfo[] = (await driver.listSnapshots?.(location)) ?? [];
  const states = snapshots.map((name) => {
    const snapshot = found.find((one) => one.name === name);
    const ref = snapshot && driver.formatRef?.(snapshot.location);
    if (snapshot === undefined || ref === undefined) {
      throw new BlockhaulError("ERR_NOT_FOUND", {
        side: "source",
        volume: migration.record.source.ref,
        message: `its snapshot ${name} is gone`,
      });
    }
    return { name, ref, location: snapshot.location };
  });
  const frozen = await nameVolume(migration.frozenRef);
  return [...states, { name: undefined, ref: frozen.ref, location: frozen.location }];
}

async function moveChanges(
  migration: Migration,
  before: SourceState,
  state: SourceState,
): Promise<void> {
  const { driver } = await migration.source();
  const changed = await driver.changedExtents?.(state.location, before.name ?? "");
  const source = await openVolume(state.ref, { signal: migration.watch.signal });
  try {
    const target = migration.kept("target") ?? (await openTarget(migration));
    // Without a map of changes all of it is copied: right, if not thin.
    const ranges = changed ?? [{ offset: 0, length: source.size }];
    await copyRanges(migration, source, target, wholeChunks(ranges, source.size));
    await target.sync();
  } finally {
    await source.close();
    // A snapshot of an image is taken while nobody has it open.
    await migration.release("target");
  }
}

async function copyRanges(
  migration: Migration,
  source: Volume,
  target: Volume,
  ranges: readonly Range[],
): Promise<void> {
  const plan = planCopy(source, target, migration.record.tuning);
  const watch = watchOf(readingOptions(migration));
  await hold(source, "copy", (from) =>
    hold(target, "copy", async (to) => {
      for (const { offset, length } of ranges) {
        await copyRange(from, to, plan, { begin: offset, end: offset + length }, watch);
      }
    }),
  );
}

/** The engine's ranges begin and end at chunks. */
function wholeChunks(ranges: readonly Range[], size: number): Range[] {
  const chunks = ranges
    .filter(({ offset }) => offset < size)
    .map(({ offset, length }) => {
      const begin = chunkStart(offset);
      const end = Math.min(size, chunkStart(offset + length + CHUNK - 1));
      return { offset: begin, length: end - begin };
    });
  return mergeRanges(chunks);
}

async function takeSnapshot(migration: Migration, name: string): Promise<void> {
  await migration.release("target");
  const target: NamedVolume = await nameVolume(migration.targetRef);
  try {
    await target.driver.createSnapshot?.(target.location, { name });
  } catch (thrown) {
    const volume = target.ref;
    const error = toBlockhaulError(thrown, { side: "target", volume, operation: "snapshot" });
    if (error.code !== "ERR_EXISTS") throw error;
    // A run that was killed before it could say so has taken it, and has written nothing since. What is no snapshot of
    // the target, and has the name all the same, is somebody else's.
    const found = (await target.driver.listSnapshots?.(target.location)) ?? [];
    if (!found.some((snapshot) => snapshot.name === name)) throw error;
  }
  await migration.note({ carried: [...migration.record.carried, name] });
}

async function compareAll(migration: Migration, states: readonly SourceState[]): Promise<void> {
  await migration.enter("verifying");
  const target = await nameVolume(migration.targetRef);
  const snapshots = (await target.driver.listSnapshots?.(target.location)) ?? [];
  let digest: string | undefined;
  const compared: Record<string, string> = {};
  for (const { name, ref } of states) {
    const location = snapshots.find((one) => one.name === name)?.location ?? target.location;
    const targetRef = name === undefined ? target.ref : target.driver.formatRef?.(location);
    const { signal } = migration.watch;
    const one = await openVolume(ref, { signal });
    let other: Volume | undefined;
    try {
      other = await openVolume(targetRef ?? target.ref, { signal });
      const report = await verifyVolumes(one, other, readingOptions(migration));
      digest = report.digest;
      if (name !== undefined) compared[name] = await identityOf(one, await nameVolume(ref));
    } finally {
      await Promise.all([one.close(), other?.close()]);
    }
  }
  await migration.note({ digest, verified: true, compared });
}
