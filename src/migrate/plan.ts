import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { checkGuards } from "../guards/check.js";
import { type GuardFinding, refusalOf } from "../guards/guard.js";
import { unknownWriters } from "../guards/live-source.js";
import { type CopyNotice, noticesOf, noticesOfNew } from "../guards/notices.js";
import { onlyGiven } from "../only-given.js";
import { sizeInWords } from "../units.js";
import { openVolume, type Volume } from "../volume.js";
import { endOf } from "./plan-ends.js";
import { faultOfIdentity } from "./rename.js";
import { examineRoom, findRoom, problemsOfSize, type Room, sizeOfOld } from "./room.js";
import { problemsOfSettings } from "./settings.js";
import { refusalOfSnapshot } from "./snapshots.js";
import { stampOf } from "./source-stamp.js";
import {
  asideName,
  canRename,
  checkNameBesides,
  type NamedVolume,
  nameIn,
  nameTarget,
  nameVolume,
  SOME_ID,
  temporaryName,
} from "./target-name.js";
import type { Findings, Freeze, MigrateOptions, MigrationPlan } from "./types.js";

/** What a plan was made of, for the migration that is to follow it. */
export interface PlannedEnds {
  readonly source: NamedVolume;
  readonly target: NamedVolume;
  /** The target is not there yet: the migration makes it. */
  readonly isNew: boolean;
}

/** A plan, and the ends that it is about; undefined where one of them cannot be named. */
export interface DetailedPlan {
  readonly plan: MigrationPlan;
  readonly ends: PlannedEnds | undefined;
}

/** Looks at everything that a migration will need, and goes on looking after it found a problem. */
export async function makePlan(
  sourceRef: string,
  targetRef: string,
  options: MigrateOptions,
): Promise<DetailedPlan> {
  const found = blankPlan(sourceRef, targetRef, options);
  const { problems, notices } = found;
  const source = await collecting(problems, "source", () => nameVolume(sourceRef));
  const target =
    source === undefined
      ? undefined
      : await collecting(problems, "target", () => nameTarget(targetRef, source));
  if (source !== undefined) {
    found.sourceDriver = source.driver.name;
    found.sourceBackend = source.backend?.name;
    if (options.rename && canRename(source)) {
      const name = nameIn(source);
      found.setAside = asideName(name, "…");
      await collecting(problems, "source", async () =>
        checkNameBesides(source, asideName(name, SOME_ID)),
      );
    }
  }
  if (target !== undefined) {
    found.target = target.ref;
    found.targetDriver = target.driver.name;
    found.targetBackend = target.backend?.name;
  }
  const volume =
    source === undefined
      ? undefined
      : await collecting(problems, "source", () => openVolume(sourceRef, signalOf(options)));
  let isNew = true;
  try {
    if (volume !== undefined && source !== undefined) {
      found.size = volume.size;
      found.freeze = freezeOf(source, volume, options);
      const unfit = faultOfFreeze(source, found.freeze, options);
      if (unfit !== undefined) problems.push(unfit);
      notices.push(...(await noticesOfWrites(source, volume, found, options)));
      const unknown =
        options.deleteSource && !isLive(options) ? await unknownWriters(volume) : undefined;
      if (unknown !== undefined) problems.push(unknown);
      const fault = options.rename ? faultOfIdentity(volume, "source") : undefined;
      if (fault !== undefined) problems.push(fault);
      found.dataSize = await dataSizeOf(volume, options.signal);
    }
    problems.push(...problemsOfSettings(options, source, target));
    if (target !== undefined) {
      isNew = await examineTarget(volume, target, found, options);
    }
  } finally {
    await volume?.close();
  }
  if (source !== undefined && found.size !== undefined) {
    await examineChanges(source, found, options);
  }
  if (source !== undefined && target !== undefined && found.size !== undefined) {
    found.method = await methodOf(source, target, found, isNew, options);
  }
  if (source !== undefined) await examineSnapshots(source, found, options);
  if (target !== undefined) await examineSnapshotNames(target, found);
  const ends = source && target ? { source, target, isNew } : undefined;
  return { plan: found, ends };
}

function blankPlan(source: string, target: string, options: MigrateOptions): Findings {
  const { deleteSource, rename, withSnapshots, freeze, method } = options;
  const { provisioning, size, fixGpt, create, verify, allow } = options;
  return {
    source,
    target,
    sourceDriver: "",
    targetDriver: "",
    sourceBackend: undefined,
    targetBackend: undefined,
    temporary: undefined,
    setAside: undefined,
    size: undefined,
    targetSize: undefined,
    dataSize: undefined,
    free: undefined,
    capacity: undefined,
    room: undefined,
    method: "copy",
    freeze: "guarded",
    snapshots: [],
    provisioning,
    settings: {
      deleteSource,
      rename,
      withSnapshots,
      freeze,
      method,
      provisioning,
      size,
      fixGpt,
      create,
      verify,
      allow,
    },
    problems: [],
    notices: [],
  };
}

/** How the source will be kept from changing. */
function freezeOf({ driver }: NamedVolume, { info }: Volume, { freeze }: MigrateOptions): Freeze {
  if (info.snapshot || info.ephemeral) return "frozen";
  if (freeze === "none") return "guarded";
  const isDevice = info.node !== undefined && info.node.inode === undefined;
  if (freeze === "exclusive" && isDevice) return "exclusive";
  if (driver.supports.snapshots && driver.formatRef !== undefined) return "snapshot";
  return isDevice ? "exclusive" : "guarded";
}

/** Somebody may write to the source for now, or all the time. */
function isLive({ allow = [], hooks }: MigrateOptions): boolean {
  return allow.includes("live-source") || hooks?.beforeCopy !== undefined;
}

/** A way that was asked for, and that this source has not. */
function faultOfFreeze(
  { driver, ref }: NamedVolume,
  freeze: Freeze,
  options: MigrateOptions,
): BlockhaulError | undefined {
  const wanted = options.freeze;
  if (wanted === undefined || wanted === "none" || freeze === "frozen" || freeze === wanted) {
    return undefined;
  }
  return new BlockhaulError("ERR_UNSUPPORTED", {
    side: "source",
    volume: ref,
    message: `the driver ${driver.name} cannot freeze it by ${wanted === "snapshot" ? "a snapshot" : "a claim"}`,
  });
}

/** That writes to the source will pass unseen, where nothing cheap shows them. */
async function noticesOfWrites(
  source: NamedVolume,
  volume: Volume,
  { freeze }: MigrationPlan,
  { allow = [], deleteSource }: MigrateOptions,
): Promise<string[]> {
  const keepsAccount = freeze === "snapshot" && source.driver.changedExtents !== undefined;
  if (freeze === "frozen" || keepsAccount || allow.includes("live-source")) return [];
  if ((await stampOf(volume)) !== undefined) return [];
  const end = deleteSource ? "; before it is removed, all of it is read once more" : "";
  return [`nothing shows whether the source is written to meanwhile: nobody must${end}`];
}

/** Whether the source as it is could be set aside, and removed; it is closed, since opening may have attached it. */
async function examineChanges(
  { driver, location, ref }: NamedVolume,
  found: Findings,
  { rename, deleteSource }: MigrateOptions,
): Promise<void> {
  const { problems } = found;
  if (found.freeze === "snapshot") {
    await collecting(problems, "source", async () =>
      driver.checkChange?.(location, "snapshot")?.catch((thrown: unknown) => {
        const hint =
          "move one of its snapshots, where it has any; where nobody writes to it, --freeze none goes without";
        throw toBlockhaulError(thrown).withContext({ hint });
      }),
    );
  }
  if (!rename && !deleteSource) return;
  if (found.freeze === "frozen") {
    const message = "a snapshot is neither set aside nor removed in place of its volume";
    problems.push(
      new BlockhaulError("ERR_INVALID_ARGUMENT", { side: "source", volume: ref, message }),
    );
    return;
  }
  await collecting(problems, "source", async () => {
    // One that is to be removed gets a name of its own first.
    if (rename || driver.supports.rename) await driver.checkChange?.(location, "rename");
    if (deleteSource) await driver.checkChange?.(location, "delete");
  });
}

/** Bytes that the source's map calls data; all of them where it has none. */
async function dataSizeOf(volume: Volume, signal: AbortSignal | undefined): Promise<number> {
  if (!volume.info.mapsExtents) return volume.info.usage?.allocated ?? volume.size;
  let bytes = 0;
  for await (const { kind, length } of volume.extents()) {
    if (kind === "data") bytes += length;
    if (signal?.aborted) break;
  }
  return bytes;
}

/**
 * Looks at the target, or at the place where it is to be made.
 *
 * @returns whether it is to be made
 */
async function examineTarget(
  source: Volume | undefined,
  target: NamedVolume,
  found: Findings,
  options: MigrateOptions,
): Promise<boolean> {
  const { problems, notices } = found;
  const { driver } = target;
  const there = (await takesSourcesName(target, found, options))
    ? undefined
    : await openIfThere(target, problems, options);
  try {
    const isNew = there === undefined;
    if (isNew && driver.supports.create === false) {
      problems.push(
        new BlockhaulError("ERR_NOT_FOUND", {
          side: "target",
          volume: target.ref,
          message: `it does not exist, and the driver ${driver.name} makes none`,
        }),
      );
    }
    if (there !== undefined && driver.supports.create !== false) {
      problems.push(
        new BlockhaulError("ERR_EXISTS", {
          side: "target",
          volume: target.ref,
          message: "it exists already",
          hint: "name another target; to overwrite this one use `blockhaul copy`",
        }),
      );
    }
    if (isNew && canRename(target)) {
      const name = nameIn(target);
      found.temporary = temporaryName(name, "…");
      await collecting(problems, "target", async () =>
        checkNameBesides(target, temporaryName(name, SOME_ID)),
      );
    }
    if (source === undefined) return isNew;
    const findings = await checkGuards(source, there, {
      allow: options.allow,
      signal: options.signal,
    });
    problems.push(...refusalsOf(findings, found, options));
    notices.push(...noticesOfFindings(findings, options));
    if (there === undefined) {
      await collecting(problems, "target", async () => driver.checkCreate?.(target.location));
      problems.push(...problemsOfSize(target.ref, source.size, options));
      examineRoom(await roomOf(target, problems), found);
      const made = { ref: target.ref, size: found.targetSize ?? source.size };
      notices.push(...textsOf(await noticesOfNew(source, made, options)));
    } else {
      if (options.size !== undefined) problems.push(sizeOfOld(target.ref));
      found.targetSize = there.size;
      if (there.size < source.size) problems.push(tooSmall(target.ref, there.size, source.size));
      notices.push(...textsOf(await noticesOf(source, there, options)));
    }
    return isNew;
  } finally {
    await there?.close();
  }
}

function textsOf(notices: readonly CopyNotice[]): string[] {
  return notices.map(({ text }) => text);
}

/** The source itself is under the target's name, and is set aside before the target gets that. */
async function takesSourcesName(
  target: NamedVolume,
  { source, size }: MigrationPlan,
  { rename }: MigrateOptions,
): Promise<boolean> {
  if (!rename || size === undefined || !canRename(target)) return false;
  const [one, other] = [await endOf(source), await endOf(target.ref)];
  return one.key !== undefined && one.key === other.key;
}

async function openIfThere(
  { ref }: NamedVolume,
  problems: BlockhaulError[],
  options: MigrateOptions,
): Promise<Volume | undefined> {
  try {
    return await openVolume(ref, signalOf(options));
  } catch (thrown) {
    const error = toBlockhaulError(thrown).withContext({ side: "target" });
    if (error.code !== "ERR_NOT_FOUND") problems.push(error);
    return undefined;
  }
}

/** Of a source that a hook is to quiet, more is looked at after the hook. */
function isQuietedLater(finding: GuardFinding, { hooks }: MigrateOptions): boolean {
  return finding.guard === "live-source" && hooks?.beforeCopy !== undefined;
}

function refusalsOf(
  findings: readonly GuardFinding[],
  { source, target }: MigrationPlan,
  options: MigrateOptions,
): BlockhaulError[] {
  return findings
    .filter((finding) => finding.state === "refused" && !isQuietedLater(finding, options))
    .map((finding) => refusalOf(finding, finding.side === "source" ? source : target));
}

function noticesOfFindings(findings: readonly GuardFinding[], options: MigrateOptions): string[] {
  return findings
    .filter((finding) => finding.state === "refused" && isQuietedLater(finding, options))
    .map(
      ({ found }) => `the source is in use (${found}): it must not be after the hook beforeCopy`,
    );
}

async function roomOf(target: NamedVolume, problems: BlockhaulError[]): Promise<Room | undefined> {
  return collecting(problems, "target", () => findRoom(target));
}

/** "copy", or what a driver calls the shorter way that it knows. */
async function methodOf(
  source: NamedVolume,
  target: NamedVolume,
  found: Findings,
  isNew: boolean,
  options: MigrateOptions,
): Promise<string> {
  const { method, withSnapshots, size = found.size } = options;
  // A shorter way makes another volume of the source's size.
  const isPossible = isNew && method !== "copy" && !withSnapshots && size === found.size;
  if (!isPossible) return "copy";
  const way = await shortWayOf(source, target, found.size ?? 0, options);
  return way?.method ?? "copy";
}

/** The shorter way between two ends; undefined where there is none. */
export async function shortWayOf(
  source: NamedVolume,
  target: NamedVolume,
  size: number,
  { provisioning, create }: MigrateOptions,
) {
  const { driver } = target;
  if (source.driver !== driver || !driver.supports.shortWay) return undefined;
  const wanted = onlyGiven({ ...create, provisioning, size });
  const completed = target.backend?.completed(wanted) ?? wanted;
  return driver.shortWay?.(source.location, target.location, completed);
}

/** Snapshots are carried over, or stay with a source that stays. */
async function examineSnapshots(
  source: NamedVolume,
  found: Findings,
  { withSnapshots, deleteSource }: MigrateOptions,
): Promise<void> {
  if (!withSnapshots && !deleteSource) return;
  const { problems } = found;
  const { driver, location, ref } = source;
  const list = async () => (await driver.listSnapshots?.(location)) ?? [];
  const snapshots = (await collecting(problems, "source", list)) ?? [];
  const names = snapshots.map(({ name }) => name);
  if (withSnapshots) {
    found.snapshots = names;
    const held = snapshots.find(({ inUse }) => inUse !== undefined);
    if (deleteSource && held !== undefined) problems.push(refusalOfSnapshot(ref, held));
    const larger = snapshots.find(({ size }) => found.size !== undefined && size > found.size);
    if (larger === undefined) return;
    const message = `its snapshot ${larger.name} is larger than the volume: it cannot be carried over`;
    problems.push(new BlockhaulError("ERR_UNSUPPORTED", { side: "source", volume: ref, message }));
    return;
  }
  if (names.length === 0) return;
  problems.push(
    new BlockhaulError("ERR_IN_USE", {
      side: "source",
      volume: ref,
      message: `it has snapshots that would go with it: ${names.join(", ")}`,
      hint: "carry them over with --with-snapshots, remove them, or keep the source",
    }),
  );
}

/** Where a driver's snapshots cannot have every name, those that are carried over have to have one that they can. */
async function examineSnapshotNames(
  { driver, location }: NamedVolume,
  found: Findings,
): Promise<void> {
  for (const name of found.snapshots) {
    await collecting(found.problems, "target", async () =>
      driver.checkSnapshotName?.(location, name),
    );
  }
}

function tooSmall(ref: string, size: number, wanted: number): BlockhaulError {
  return new BlockhaulError("ERR_TARGET_TOO_SMALL", {
    side: "target",
    volume: ref,
    message: `it has ${sizeInWords(size)}, less than the source's ${sizeInWords(wanted)}`,
  });
}

function signalOf({ signal }: MigrateOptions) {
  return signal === undefined ? {} : { signal };
}

/** An answer; where there is an error instead, it joins the others. */
async function collecting<Answer>(
  problems: BlockhaulError[],
  side: "source" | "target",
  ask: () => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (thrown) {
    const error = toBlockhaulError(thrown);
    if (error.code === "ERR_CANCELLED") throw error;
    problems.push(error.side === undefined ? error.withContext({ side }) : error);
    return undefined;
  }
}
