/** A pool as a place of images: what it holds, and how much room it has. */
import type { DriverPlaces, ListedVolume, PlaceStats } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { waitFor } from "../system/wait.js";
import { lazySettings } from "./lazy-settings.js";
import { checkImageName } from "./rbd-control.js";
import { asking, nativePlace } from "./rbd-native.js";
import type { RbdLocation } from "./rbd-ref.js";
import type { RbdPlace } from "./rbd-settings.js";

export type { RbdPlace } from "./rbd-settings.js";

const COUNTED_WITHIN_MS = 15_000;

/** `ceph-ssd:IMAGE` and `ceph-ssd:IMAGE@SNAPSHOT`, taken literally. */
export const rbdPlaces: DriverPlaces<RbdLocation, RbdPlace> = {
  settings: lazySettings(async () => (await import("./rbd-settings.js")).rbdSettings),
  locate: ({ create, ...spot }, name) => {
    const [image = "", ...snapshots] = name.split("@");
    if (snapshots.length === 0) return { ...spot, image: checkImageName(image) };
    const snapshot = checkImageName(snapshots.join("@"));
    return { ...spot, image: checkImageName(image), snapshot };
  },
  createOptions: ({ create }) => ({ ...create }),
};

/** What an image is called in its pool; of a snapshot, the image that it is of. */
export function imageInPlace({ image }: RbdLocation): string {
  return image;
}

/** @throws BlockhaulError ERR_NOT_FOUND for the pool or the namespace */
export async function listPool(place: RbdPlace): Promise<ListedVolume[]> {
  const spot = nativePlace(place);
  const found = await asking(spot, native().rbdList(spot));
  return found.map(({ name, size }) => ({ name, size }));
}

/**
 * Of the pool that the data of new images goes to. What others may write is not taken off: images are thin.
 *
 * @throws BlockhaulError ERR_NOT_FOUND for the pool or the namespace; ERR_TIMEOUT where the cluster does not
 *   say how full a pool is that exists
 */
export async function statsOfPool(place: RbdPlace): Promise<PlaceStats> {
  const { dataPool } = place.create;
  const spot = nativePlace(
    dataPool === undefined ? place : { ...place, pool: dataPool, namespace: "" },
  );
  // A new pool is not counted at once.
  const stats = await waitFor(
    async () => parsePoolStats(await asking(spot, native().rbdUsage(spot)), spot.pool),
    { deadlineMs: COUNTED_WITHIN_MS },
  );
  const { cluster, conf } = spot.connection;
  if (stats !== undefined) return { ...stats, room: `rbd ${cluster} ${conf} ${spot.pool}` };
  throw new BlockhaulError("ERR_TIMEOUT", {
    message: `the cluster does not say how full pool "${spot.pool}" is`,
  });
}

interface PoolUsage {
  readonly name: string;
  readonly stats: {
    /** Bytes that images hold, however many copies of them there are. */
    readonly stored: number;
    /** Bytes that can still be written before the first OSD is full. */
    readonly max_avail: number;
    /** Of `stored`; 0: none. */
    readonly quota_bytes?: number;
  };
}

/** What `ceph df detail --format json` says of a pool; undefined where it says nothing. */
export function parsePoolStats(answer: string, pool: string): PlaceStats | undefined {
  const { pools } = JSON.parse(answer) as { pools: readonly PoolUsage[] };
  const usage = pools.find(({ name }) => name === pool)?.stats;
  if (usage === undefined) return undefined;
  const { stored, max_avail, quota_bytes = 0 } = usage;
  const allowed = quota_bytes === 0 ? Number.POSITIVE_INFINITY : quota_bytes;
  return {
    capacity: Math.min(stored + max_avail, allowed),
    free: Math.max(0, Math.min(max_avail, allowed - stored)),
    granularity: 1,
  };
}
