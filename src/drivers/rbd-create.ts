/** What a new image is to be. */
import type { CreateOptions } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import type { NativeRbdCreate } from "../native-rbd.js";

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

/**
 * What a new image is to be, as librbd wants it.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT
 */
export function nativeCreate(create: CreateOptions, ref?: string): NativeRbdCreate {
  const options = create as RbdCreateOptions;
  const fault = faultOfCreateOptions(options);
  if (fault !== undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { volume: ref, message: fault });
  }
  const { objectSize, features, dataPool, stripeUnit, stripeCount } = options;
  return {
    size: create.size,
    ...(objectSize === undefined ? {} : { order: Math.log2(objectSize) }),
    ...(features === undefined ? {} : { features }),
    ...(dataPool === undefined ? {} : { dataPool }),
    ...(stripeUnit === undefined ? {} : { stripeUnit }),
    ...(stripeCount === undefined ? {} : { stripeCount }),
  };
}

/** Whether a new image can be told to have it. */
export function isFeature(name: string): boolean {
  return FEATURES.includes(name);
}

/** Why no image can be like that; undefined where one can. */
export function faultOfCreateOptions({
  objectSize,
  features = [],
  dataPool,
  stripeUnit,
  stripeCount,
}: RbdCreateOptions): string | undefined {
  if (objectSize !== undefined && !isObjectSize(objectSize)) {
    return `an object size of ${objectSize} is not a power of two from 4 KiB to 32 MiB`;
  }
  const unknown = features.find((feature) => !FEATURES.includes(feature));
  if (unknown !== undefined) {
    return `"${unknown}" is no feature of a new image; known are ${FEATURES.join(", ")}`;
  }
  if (dataPool === "") return "the data pool's name is empty";
  if ((stripeUnit === undefined) !== (stripeCount === undefined)) {
    return "stripe unit and stripe count go together";
  }
  if (stripeUnit !== undefined && !isStripeUnit(stripeUnit, objectSize ?? 4 * 1024 ** 2)) {
    return `a stripe unit of ${stripeUnit} does not divide the object size`;
  }
  if (stripeCount !== undefined && !(Number.isSafeInteger(stripeCount) && stripeCount > 0)) {
    return "the stripe count is not a whole number from 1 on";
  }
  return undefined;
}

function isObjectSize(bytes: number): boolean {
  return bytes >= SMALLEST_OBJECT && bytes <= LARGEST_OBJECT && Number.isInteger(Math.log2(bytes));
}

function isStripeUnit(bytes: number, objectSize: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 512 && objectSize % bytes === 0;
}
