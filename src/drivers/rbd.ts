import type { Attachment } from "../attachments/attachment.js";
import { closeAttached } from "../attachments/undoing.js";
import type { DriverOpenOptions, DriverStatus, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { type NativeVolume, native } from "../native.js";
import type { NativeRbdCreate } from "../native-rbd.js";
import {
  changesSince,
  deleteImage,
  dropSnapshot,
  imageBeside,
  renameImage,
  resizeImage,
  snapshotsOf,
  takeSnapshot,
} from "./rbd-control.js";
import { nativeCreate } from "./rbd-create.js";
import { createLike } from "./rbd-layout.js";
import { asking, nativeImage, nativePlace } from "./rbd-native.js";
import { imageInPlace, listPool, type RbdPlace, rbdPlaces, statsOfPool } from "./rbd-place.js";
import { formatRbdRef, parseRbdRef, type RbdLocation } from "./rbd-ref.js";
import { cloneWay } from "./rbd-short-way.js";
import { withSnapshotOf } from "./rbd-steps.js";

export type { RbdCreateOptions } from "./rbd-create.js";

interface OpenedRbd extends OpenedVolume {
  readonly volume: NativeVolume;
  /** The snapshot that was taken for it; undefined where none was. */
  readonly attachment?: Attachment | undefined;
}

/** Images of a Ceph cluster, through librbd in this process. */
export const rbdDriver: VolumeDriver<RbdLocation, OpenedRbd, RbdPlace> = {
  name: "rbd",
  schemes: ["rbd"],
  summary: "Ceph RBD images and their snapshots, through librbd",
  refForms: ["rbd:[POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT][:id=USER][:conf=PATH][:OPTION=VALUE...]"],
  supports: {
    write: true,
    like: true,
    create: "when-asked",
    createOptions: ["objectSize", "features", "dataPool", "stripeUnit", "stripeCount"],
    extents: true,
    zero: true,
    snapshots: true,
    delete: true,
    provisioning: ["thin"],
    resize: true,
    rename: true,
    list: true,
    stats: true,
    shortWay: true,
  },
  parseRef: parseRbdRef,
  formatRef: formatRbdRef,
  openVolume: (location, options) =>
    options.snapshot && location.snapshot === undefined
      ? openSnapshot(location, options)
      : openImage(location, options),
  closeVolume: ({ volume, attachment }) =>
    attachment === undefined ? volume.close() : closeAttached({ volume, attachment }),
  deleteVolume: deleteImage,
  resizeVolume: resizeImage,
  renameVolume: renameImage,
  checkChange: async (location, change) => {
    if (location.snapshot !== undefined) return;
    const image = nativeImage(location);
    await asking(image, native().rbdCheckChange(image, change));
  },
  nameOf: imageInPlace,
  siblingOf: imageBeside,
  createSnapshot: takeSnapshot,
  deleteSnapshot: dropSnapshot,
  listSnapshots: snapshotsOf,
  changedExtents: changesSince,
  identifyPlace: async (location) => {
    const place = nativePlace(location);
    return asking(place, native().rbdPlaceId(place)).catch(absent);
  },
  places: rbdPlaces,
  listVolumes: listPool,
  stats: statsOfPool,
  shortWay: cloneWay,
  status,
};

async function openSnapshot(
  location: RbdLocation,
  { signal }: DriverOpenOptions,
): Promise<OpenedRbd> {
  const { result, attachment } = await withSnapshotOf(location, signal, async (snapshot) =>
    opened(snapshot, "read", await open(snapshot, "read")),
  );
  return { ...result, attachment };
}

async function openImage(location: RbdLocation, options: DriverOpenOptions): Promise<OpenedRbd> {
  const { create, like, mode, ref } = options;
  if (mode === "write" && location.snapshot !== undefined) {
    throw new BlockhaulError("ERR_READ_ONLY", {
      volume: ref,
      message: "a snapshot cannot be written to",
    });
  }
  if (create === undefined) return opened(location, mode, await open(location, mode));
  nativeCreate(create, ref);
  if (!create.exclusive) {
    try {
      return opened(location, mode, await open(location, mode));
    } catch (error) {
      const missing = error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND";
      if (!missing) throw error;
    }
  }
  const made = await createLike(like as RbdLocation | undefined, location, create, ref);
  const volume = await open(location, mode, made.create);
  return { ...opened(location, mode, volume), notKept: made.notKept };
}

/** With what looks it up again by its name, where one in the trash has none, and what looks at its object maps. */
function opened(location: RbdLocation, mode: "read" | "write", volume: NativeVolume): OpenedRbd {
  const image = nativeImage(location);
  // librbd reads a head that it may not write to without its map.
  const usesOwn = mode === "write" || location.snapshot !== undefined;
  return {
    volume,
    checkHints: () => asking(image, native().rbdCheckMaps(image, usesOwn)),
    identify: async () => {
      const found = await open(location, "read");
      const { identity, size } = found.info;
      await found.close();
      return { identity, size };
    },
  };
}

async function open(
  location: RbdLocation,
  mode: "read" | "write",
  create?: NativeRbdCreate,
): Promise<NativeVolume> {
  const image = nativeImage(location);
  return asking(
    image,
    native().openRbd({ ...image, mode, ...(create === undefined ? {} : { create }) }),
  );
}

function absent(error: unknown): undefined {
  if (!(error instanceof BlockhaulError) || error.code !== "ERR_NOT_FOUND") throw error;
}

function status(): DriverStatus {
  return native().librbdStatus();
}
