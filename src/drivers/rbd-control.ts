/** What is done with images beside opening them, through librbd. */
import { randomBytes } from "node:crypto";

import type { DeleteOptions, Extent, SnapshotInfo, SnapshotOptions } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { asking, nativeImage } from "./rbd-native.js";
import type { RbdLocation } from "./rbd-ref.js";

/** What the snapshots that a copy takes for itself are called, before a random number. */
export const SNAPSHOT_PREFIX = "blockhaul-snap-";

/** By the id that an identity ends with; librbd removes none that a client has open for writing. */
export async function deleteImage(
  location: RbdLocation,
  { identity, lastLook }: DeleteOptions = {},
): Promise<void> {
  const image = nativeImage(headOf(location));
  const id = identity === undefined ? undefined : /([^/@]+)$/.exec(identity)?.[1];
  await lastLook?.({ isUnwritten: true });
  await asking(image, native().rbdRemove(image, id)).catch(async (error: unknown) => {
    if (id === undefined || !isMissing(error)) throw error;
    const other = await native()
      .rbdFacts(image)
      .catch((thrown: unknown) => {
        // Nothing has the name: it is gone, whoever removed it.
        throw isMissing(thrown) ? error : thrown;
      });
    throw new BlockhaulError("ERR_VOLUME_CHANGED", {
      message: `the image of that name is ${other.id}, and was to be ${id}`,
      cause: error,
    });
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND";
}

export async function resizeImage(location: RbdLocation, size: number): Promise<void> {
  const image = nativeImage(headOf(location));
  await asking(image, native().rbdResize(image, size));
}

export async function renameImage(location: RbdLocation, name: string): Promise<RbdLocation> {
  const renamed = imageBeside(location, name);
  const image = nativeImage(headOf(location));
  await asking(image, native().rbdRename(image, name));
  return renamed;
}

/** The image of that name in the same place. */
export function imageBeside(location: RbdLocation, name: string): RbdLocation {
  const { snapshot, ...head } = location;
  return { ...head, image: checkImageName(name) };
}

/** @throws BlockhaulError ERR_INVALID_REF where no image, or none that Ceph's tools can name, is called so */
export function checkImageName(name: string): string {
  if (isName(name)) return name;
  throw new BlockhaulError("ERR_INVALID_REF", {
    message: `${JSON.stringify(name)} cannot be the name of an image`,
  });
}

/** Takes a snapshot, of what other clients write too: whoever holds the exclusive lock takes it. */
export async function takeSnapshot(
  location: RbdLocation,
  { name = newSnapshotName() }: SnapshotOptions,
): Promise<RbdLocation> {
  if (location.snapshot !== undefined) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      message: `it is the snapshot "${location.snapshot}", and a snapshot has no snapshots`,
    });
  }
  if (!isName(name)) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `${JSON.stringify(name)} cannot be the name of a snapshot`,
    });
  }
  const snapshot = { ...location, snapshot: name };
  const image = nativeImage(snapshot);
  await asking(image, native().rbdTakeSnapshot(image));
  return snapshot;
}

export async function dropSnapshot(location: RbdLocation): Promise<void> {
  if (location.snapshot === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: "it is no snapshot" });
  }
  const image = nativeImage(location);
  await asking(image, native().rbdDropSnapshot(image));
}

export async function snapshotsOf(location: RbdLocation): Promise<SnapshotInfo<RbdLocation>[]> {
  if (location.snapshot !== undefined) return [];
  const image = nativeImage(location);
  const found = await asking(image, native().rbdSnapshots(image));
  return found.map(({ name, size, inUse }) => ({
    name,
    size,
    ...(inUse === undefined ? {} : { inUse }),
    location: { ...location, snapshot: name },
  }));
}

export async function changesSince(location: RbdLocation, snapshot: string): Promise<Extent[]> {
  const image = nativeImage(location);
  return asking(image, native().rbdChanges(image, snapshot));
}

export function newSnapshotName(): string {
  return `${SNAPSHOT_PREFIX}${randomBytes(6).toString("hex")}`;
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT where a snapshot is named */
function headOf(location: RbdLocation): RbdLocation {
  if (location.snapshot === undefined) return location;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `it is the snapshot "${location.snapshot}", and no image`,
  });
}

function isName(text: string): boolean {
  return text !== "" && !/[/@\0]/.test(text);
}
