import type {
  CreateOptions,
  DriverOpenOptions,
  DriverStatus,
  OpenedVolume,
  VolumeDriver,
} from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { type NativeRbdOptions, type NativeVolume, native } from "../native.js";
import { cephConnection } from "./ceph-args.js";
import { formatRbdRef, parseRbdRef, type RbdLocation } from "./rbd-ref.js";

/** Options of a new image, beyond its size; what is absent, the cluster decides. */
export interface RbdCreateOptions {
  /** Bytes: a power of two from 4 KiB to 32 MiB. */
  readonly objectSize?: number;
  readonly features?: readonly string[];
  readonly dataPool?: string;
  /** Bytes: a divisor of the object size; goes with stripeCount. */
  readonly stripeUnit?: number;
  readonly stripeCount?: number;
}

type NativeCreate = NonNullable<NativeRbdOptions["create"]>;

const FEATURES: readonly string[] = [
  "layering",
  "striping",
  "exclusive-lock",
  "object-map",
  "fast-diff",
  "deep-flatten",
  "journaling",
];
const SMALLEST_OBJECT = 4096;
const LARGEST_OBJECT = 32 * 1024 ** 2;

/** Images of a Ceph cluster, through librbd in this process. */
export const rbdDriver: VolumeDriver<RbdLocation> = {
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
    snapshots: false,
    delete: false,
  },
  parseRef: parseRbdRef,
  formatRef: formatRbdRef,
  openVolume,
  status,
};

async function openVolume(
  location: RbdLocation,
  options: DriverOpenOptions,
): Promise<OpenedVolume> {
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
  create?: NativeCreate,
): Promise<NativeVolume> {
  const { pool, namespace, image, snapshot } = location;
  const connection = cephConnection(location, process.env);
  const opening = native().openRbd({
    connection,
    pool,
    namespace,
    image,
    ...(snapshot === undefined ? {} : { snapshot }),
    mode,
    ...(create === undefined ? {} : { create }),
  });
  return opening.catch((error: unknown) => {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_PERMISSION") throw error;
    // The hint of the code is about paths.
    throw error.withContext({
      hint: `\`ceph auth get ${connection.name}\` shows what its capabilities allow`,
    });
  });
}

function status(): DriverStatus {
  return native().librbdStatus();
}

/**
 * What a new image is to be, as librbd wants it.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT
 */
export function nativeCreate(create: CreateOptions, ref: string): NativeCreate {
  const { objectSize, features, dataPool, stripeUnit, stripeCount } = create as RbdCreateOptions;
  const refuse = (message: string) =>
    new BlockhaulError("ERR_INVALID_ARGUMENT", { volume: ref, message });
  if (objectSize !== undefined && !isObjectSize(objectSize)) {
    throw refuse(`an object size of ${objectSize} is not a power of two from 4 KiB to 32 MiB`);
  }
  const unknown = (features ?? []).find((feature) => !FEATURES.includes(feature));
  if (unknown !== undefined) {
    throw refuse(`"${unknown}" is no feature of a new image; known are ${FEATURES.join(", ")}`);
  }
  if (dataPool === "") throw refuse("the data pool's name is empty");
  if ((stripeUnit === undefined) !== (stripeCount === undefined)) {
    throw refuse("stripe unit and stripe count go together");
  }
  if (stripeUnit !== undefined && !isStripeUnit(stripeUnit, objectSize ?? 4 * 1024 ** 2)) {
    throw refuse(`a stripe unit of ${stripeUnit} does not divide the object size`);
  }
  if (stripeCount !== undefined && !(Number.isSafeInteger(stripeCount) && stripeCount > 0)) {
    throw refuse("the stripe count is not a whole number from 1 on");
  }
  return {
    size: create.size,
    ...(objectSize === undefined ? {} : { order: Math.log2(objectSize) }),
    ...(features === undefined ? {} : { features }),
    ...(dataPool === undefined ? {} : { dataPool }),
    ...(stripeUnit === undefined ? {} : { stripeUnit }),
    ...(stripeCount === undefined ? {} : { stripeCount }),
  };
}

function isObjectSize(bytes: number): boolean {
  return bytes >= SMALLEST_OBJECT && bytes <= LARGEST_OBJECT && Number.isInteger(Math.log2(bytes));
}

function isStripeUnit(bytes: number, objectSize: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 512 && objectSize % bytes === 0;
}
