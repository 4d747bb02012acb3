/** How an image is laid out, for another that is to be like it. */
import type { CreateOptions } from "../driver.js";
import { native } from "../native.js";
import type { NativeRbdCreate, NativeRbdFacts } from "../native-rbd.js";
import { formatSize } from "../units.js";
import { isFeature, nativeCreate, type RbdCreateOptions } from "./rbd-create.js";
import { asking, nativeImage, nativePlace } from "./rbd-native.js";
import type { RbdLocation } from "./rbd-ref.js";

/** What a new image is made with, and what of the other one it does not have, each in words. */
export interface LikeImage {
  readonly create: NativeRbdCreate;
  readonly notKept: readonly string[];
}

/** What every image gets by itself where it needs it. */
const OF_ITSELF: readonly string[] = ["data-pool", "operations", "dirty-cache"];

export async function factsOf(location: RbdLocation): Promise<NativeRbdFacts> {
  const image = nativeImage(location);
  return asking(image, native().rbdFacts(image));
}

/**
 * Completes what a new image is told by what another one has: object size, stripes, features, metadata, and in the same
 * pool the data pool. What is told counts.
 *
 * @param like the other image; undefined: what is not told, the cluster decides
 * @throws BlockhaulError ERR_INVALID_ARGUMENT; what the look at the other image meets
 */
export async function createLike(
  like: RbdLocation | undefined,
  target: RbdLocation,
  told: CreateOptions,
  ref?: string,
): Promise<LikeImage> {
  const asTold = nativeCreate(told, ref);
  if (like === undefined) return { create: asTold, notKept: [] };
  const facts = await factsOf(like);
  const { options, notKept } = completed(told as RbdCreateOptions, facts, isInPool(like, target));
  const create = nativeCreate({ ...options, size: told.size }, ref);
  return { create: { ...create, meta: facts.meta }, notKept };
}

/** What is told, and where it says nothing, what an image has; pure. */
export function completed(
  told: RbdCreateOptions,
  facts: NativeRbdFacts,
  isSamePool: boolean,
): { readonly options: RbdCreateOptions; readonly notKept: string[] } {
  const notKept: string[] = [];
  const objectSize = told.objectSize ?? objectSizeFor(told.stripeUnit, facts, notKept);
  const stripes =
    told.stripeUnit === undefined ? stripesFor(objectSize, facts, notKept) : stripesOf(told);
  const features = told.features ?? featuresFor(stripes !== undefined, facts, notKept);
  const dataPool = told.dataPool ?? dataPoolFor(facts, isSamePool, notKept);
  const options = {
    ...(objectSize === undefined ? {} : { objectSize }),
    ...(features === undefined ? {} : { features }),
    ...(dataPool === undefined ? {} : { dataPool }),
    ...stripes,
  };
  return { options, notKept };
}

interface Stripes {
  readonly stripeUnit?: number;
  readonly stripeCount?: number;
}

function stripesOf({ stripeUnit, stripeCount }: RbdCreateOptions): Stripes {
  return {
    ...(stripeUnit === undefined ? {} : { stripeUnit }),
    ...(stripeCount === undefined ? {} : { stripeCount }),
  };
}

/** The image's, unless the stripes that are told do not fit into it. */
function objectSizeFor(
  toldUnit: number | undefined,
  { objectSize }: NativeRbdFacts,
  notKept: string[],
): number | undefined {
  if (toldUnit === undefined || objectSize % toldUnit === 0) return objectSize;
  notKept.push(
    `the object size ${formatSize(objectSize)} (stripes of ${formatSize(toldUnit)} do not fit)`,
  );
  return undefined;
}

function stripesFor(
  objectSize: number | undefined,
  facts: NativeRbdFacts,
  notKept: string[],
): Stripes | undefined {
  const { stripeUnit, stripeCount } = facts;
  if (stripeCount === 1 && stripeUnit === facts.objectSize) return undefined;
  if (objectSize !== undefined && objectSize % stripeUnit === 0) return { stripeUnit, stripeCount };
  const text = `${formatSize(stripeUnit)} over ${stripeCount} objects`;
  notKept.push(`the stripes of ${text} (they do not fit into the object size)`);
  return undefined;
}

function featuresFor(
  hasStripes: boolean,
  { id, features }: NativeRbdFacts,
  notKept: string[],
): string[] | undefined {
  if (id.startsWith("name:")) {
    notKept.push("the image format 1 (new images have format 2)");
    return undefined;
  }
  const lost = features.filter((name) => !isFeature(name) && !OF_ITSELF.includes(name));
  for (const name of lost) notKept.push(`the feature ${name}`);
  const kept = features.filter((name) => isFeature(name) && name !== "striping");
  return hasStripes ? [...kept, "striping"] : kept;
}

/** An image that goes to another pool goes there with its data. */
function dataPoolFor(
  { dataPool }: NativeRbdFacts,
  isSamePool: boolean,
  notKept: string[],
): string | undefined {
  if (dataPool === "" || isSamePool) return dataPool === "" ? undefined : dataPool;
  notKept.push(`the data pool ${dataPool} (dataPool, --data-pool, names one)`);
  return undefined;
}

function isInPool(one: RbdLocation, other: RbdLocation): boolean {
  const [here, there] = [nativePlace(one), nativePlace(other)];
  const isSameCluster = JSON.stringify(here.connection) === JSON.stringify(there.connection);
  return isSameCluster && here.pool === there.pool;
}
