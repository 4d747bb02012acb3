import type { SnapshotOptions, VolumeDriver } from "./driver.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import { resolveRef } from "./registry.js";
import { describe } from "./volume/arguments.js";

/**
 * Takes a snapshot of a volume: another volume, which holds for good what this one holds now.
 *
 * @returns the snapshot's ref
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE
 *   and what else it meets
 */
export async function createSnapshot(ref: string, options: SnapshotOptions = {}): Promise<string> {
  const { name } = options;
  if (name !== undefined && typeof name !== "string") {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `name must be a text, not ${describe(name)}`,
    });
  }
  const { driver, location } = await resolveRef(ref);
  const { createSnapshot: create, formatRef: format } = driver;
  if (!driver.supports.snapshots || create === undefined || format === undefined) {
    throw unsupported(driver, ref, "takes no snapshots");
  }
  return during(ref, "snapshot", async () => {
    const snapshot = await create.call(driver, location, name === undefined ? {} : { name });
    return format.call(driver, snapshot);
  });
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
 * Removes a volume for good, with all that it holds.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNSUPPORTED, ERR_NOT_FOUND, ERR_IN_USE where somebody
 *   uses it or it has snapshots that would go with it, and what else it meets
 */
export async function deleteVolume(ref: string): Promise<void> {
  const { driver, location } = await resolveRef(ref);
  const { deleteVolume: remove } = driver;
  if (!driver.supports.delete || remove === undefined) {
    throw unsupported(driver, ref, "removes no volumes");
  }
  await during(ref, "delete", () => remove.call(driver, location));
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
