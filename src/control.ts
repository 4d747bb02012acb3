/** The control path: what is done with volumes beside opening them. A driver has each part, or lacks it. */
import { requireBackend } from "./backends.js";
import type {
  ListedVolume,
  PlaceStats,
  Provisioning,
  SnapshotInfo,
  SnapshotOptions,
  VolumeDriver,
} from "./driver.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { onlyGiven } from "./only-given.js";
import { type ResolvedRef, resolveRef } from "./refs.js";
import { describe, toBytes } from "./volume/arguments.js";
import { openVolume } from "./volume.js";

/** How a new volume is to be made. */
export interface CreateVolumeOptions {
  /** Bytes. */
  readonly size: number | bigint;
  readonly provisioning?: Provisioning | undefined;
  /** The driver's own: `supports.createOptions`. */
  readonly [option: string]: unknown;
}

const SNAPSHOT_KEYS: KeysOf<SnapshotOptions> = { name: true };

/**
 * Makes a volume. What a backend says of new volumes counts where the options say nothing.
 *
 * @returns its size in bytes: storage may round it up
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_EXISTS, ERR_NO_SPACE and what else it meets
 */
export async function createVolume(ref: string, options: CreateVolumeOptions): Promise<number> {
  const create = { ...options, exclusive: true };
  // Only who opens it in the same step knows that it is all zeros: docs/decisions/0012-control-path.md.
  const volume = await openVolume(ref, { mode: "write", create });
  const { size } = volume;
  await volume.close();
  return size;
}

/** Which volume is to be removed. */
export interface DeleteVolumeOptions {
  /** As `info.identity` of the open volume says: another that has the name by now stays. Whatever has it unless told. */
  readonly identity?: string | undefined;
}

const DELETE_KEYS: KeysOf<DeleteVolumeOptions> = { identity: true };

/**
 * Removes a volume for good, with all that it holds.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_IN_USE where somebody
 *   uses it or it has snapshots that would go with it, ERR_VOLUME_CHANGED where the name is another volume's, and what
 *   else it meets
 */
export async function deleteVolume(ref: string, options: DeleteVolumeOptions = {}): Promise<void> {
  const { identity } = checkKeys("deleteVolume", options, DELETE_KEYS);
  const { driver, location } = await resolveRef(ref);
  const { deleteVolume: remove } = driver;
  if (!driver.supports.delete || remove === undefined) {
    throw unsupported(driver, ref, "removes no volumes");
  }
  await during(ref, "delete", () => remove.call(driver, location, onlyGiven({ identity })));
}

/**
 * Makes a volume larger.
 *
 * @param size bytes; storage may round it up
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_IN_USE, ERR_NO_SPACE;
 *   ERR_INVALID_ARGUMENT for a size below the present one; and what else it meets
 */
export async function resizeVolume(ref: string, size: number | bigint): Promise<void> {
  const bytes = toBytes(size, "size");
  const { driver, location } = await resolveRef(ref);
  const { resizeVolume: resize } = driver;
  if (!driver.supports.resize || resize === undefined) {
    throw unsupported(driver, ref, "changes no sizes");
  }
  await during(ref, "resize", () => resize.call(driver, location, bytes));
}

/**
 * Gives a volume another name in the same place.
 *
 * @returns its new ref
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_EXISTS, ERR_IN_USE and what
 *   else it meets
 */
export async function renameVolume(ref: string, name: string): Promise<string> {
  const resolved = await resolveRef(ref);
  const { driver, location } = resolved;
  const { renameVolume: rename } = driver;
  if (!driver.supports.rename || rename === undefined) {
    throw unsupported(driver, ref, "renames no volumes");
  }
  const renamed = await during(ref, "rename", () => rename.call(driver, location, name));
  return refOf(resolved, renamed);
}

/**
 * Takes a snapshot of a volume: another volume, which holds for good what this one holds now.
 *
 * @returns the snapshot's ref
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE
 *   and what else it meets
 */
export async function createSnapshot(ref: string, options: SnapshotOptions = {}): Promise<string> {
  const { name } = checkKeys("createSnapshot", options, SNAPSHOT_KEYS);
  if (name !== undefined && typeof name !== "string") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `name must be a text, not ${describe(name)}`,
    });
  }
  const resolved = await resolveRef(ref);
  const { driver, location } = resolved;
  const { createSnapshot: create } = driver;
  if (!driver.supports.snapshots || create === undefined || driver.formatRef === undefined) {
    throw unsupported(driver, ref, "takes no snapshots");
  }
  const snapshot = await during(ref, "snapshot", () =>
    create.call(driver, location, name === undefined ? {} : { name }),
  );
  return driver.formatRef(snapshot);
}

/**
 * Removes a snapshot for good, and refuses a volume that is none.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_INVALID_ARGUMENT,
 *   ERR_IN_USE and what else it meets
 */
export async function deleteSnapshot(ref: string): Promise<void> {
  const { driver, location } = await resolveRef(ref);
  const { deleteSnapshot: remove } = driver;
  if (!driver.supports.snapshots || remove === undefined) {
    throw unsupported(driver, ref, "takes no snapshots");
  }
  await during(ref, "delete", () => remove.call(driver, location));
}

/**
 * The snapshots of a volume, the oldest first.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND and what else it meets
 */
export async function listSnapshots(ref: string): Promise<(SnapshotInfo & { ref: string })[]> {
  const { driver, location } = await resolveRef(ref);
  const { listSnapshots: list, formatRef } = driver;
  if (list === undefined || formatRef === undefined) {
    throw unsupported(driver, ref, "lists no snapshots");
  }
  const found = await during(ref, "list", () => list.call(driver, location));
  return found.map((one) => ({ ...one, ref: formatRef.call(driver, one.location) }));
}

/**
 * The volumes of a backend.
 *
 * @throws BlockhaulError ERR_NOT_FOUND for the backend, ERR_UNSUPPORTED and what else it meets
 */
export async function listVolumes(
  backendName: string,
): Promise<(ListedVolume & { ref: string })[]> {
  const { name, driver, place } = await requireBackend(backendName);
  const { listVolumes: list } = driver;
  if (!driver.supports.list || list === undefined) {
    throw unsupported(driver, `${name}:`, "lists no volumes");
  }
  const found = await during(`${name}:`, "list", () => list.call(driver, place));
  return found.map((one) => ({ ...one, ref: `${name}:${one.name}` }));
}

/**
 * How much room a backend has.
 *
 * @throws BlockhaulError ERR_NOT_FOUND for the backend, ERR_UNSUPPORTED and what else it meets
 */
export async function backendStats(backendName: string): Promise<PlaceStats> {
  const { name, driver, place } = await requireBackend(backendName);
  const { stats } = driver;
  if (!driver.supports.stats || stats === undefined) {
    throw unsupported(driver, `${name}:`, "knows not how much room it has");
  }
  return during(`${name}:`, "stats", () => stats.call(driver, place));
}

/** What a location of a resolved ref's driver is called: by the backend, where the ref was. */
function refOf({ driver, backend }: ResolvedRef, location: unknown): string {
  const name = driver.nameOf?.(location);
  if (backend !== undefined && name !== undefined) return `${backend.name}:${name}`;
  if (driver.formatRef !== undefined) return driver.formatRef(location);
  throw new BlockhaulError("ERR_UNSUPPORTED", {
    message: `the driver ${driver.name} cannot say what its volumes are called`,
  });
}

async function during<Result>(
  ref: string,
  operation: string,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw toBlockhaulError(error, { volume: ref, operation });
  }
}

function unsupported({ name }: VolumeDriver, ref: string, what: string): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    volume: ref,
    message: `the driver ${name} ${what}`,
  });
}
