import type { Attachment } from "../attachments/attachment.js";
import { closeAttached } from "../attachments/undoing.js";
import type { DriverOpenOptions, DriverStatus, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { type NativeRbdCreate, type NativeVolume, native } from "../native.js";
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
import { asking, nativeImage } from "./rbd-native.js";
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
  nameOf: imageInPlace,
  siblingOf: imageBeside,
  createSnapshot: takeSnapshot,
  deleteSnapshot: dropSnapshot,
  listSnapshots: snapshotsOf,
  changedExtents: changesSince,
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
  const { result, attachment } = await withSnapshotOf(location, signal, (snapshot) =>
    open(snapshot, "read"),
  );
  return { volume: result, attachment };
}

async function openImage(location: RbdLocation, options: DriverOpenOptions): Promise<OpenedRbd> {
  const { create, mode, ref } = options;
  if (mode === "write" && location.snapshot !== undefined) {
    throw new BlockhaulError("ERR_READ_ONLY", {
      volume: ref,
      message: "a snapshot cannot be written to",
    });
  }
  const creation = create === undefined ? undefined : nativeCreate(create, ref);
  if (creation !== undefined && create?.exclusive) {
    return { volume: await open(location, mode, creation) };
  }
  try {
    return { volume: await open(location, mode) };
  } catch (error) {
    const missing = error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND";
    if (creation === undefined || !missing) throw error;
  }
  return { volume: await open(location, mode, creation) };
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

function status(): DriverStatus {
  return native().librbdStatus();
}
