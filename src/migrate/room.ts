import type { PlaceStats, Provisioning } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import type { NamedVolume } from "./target-name.js";

/** How much room there is where a volume is to be made. Bytes. */
export interface Room {
  readonly free: number | undefined;
  readonly capacity: number | undefined;
  readonly granularity: number;
  /** The same text for backends that share it. */
  readonly room: string | undefined;
  /** What a new volume is there, unless told. */
  readonly provisioning: Provisioning | undefined;
}

/** What a backend knows of its room; of a volume that belongs to none, only what its driver makes. */
export async function findRoom(target: NamedVolume): Promise<Room> {
  const { driver, backend } = target;
  const stats = await statsOf(target);
  return {
    free: stats?.free,
    capacity: stats?.capacity,
    granularity: stats?.granularity ?? 1,
    room: stats?.room ?? (backend && `backend ${backend.name}`),
    provisioning: backend?.provisioning ?? driver.supports.provisioning?.[0],
  };
}

/** Storage that cannot tell just now, as a thin pool that is inactive, may have the room all the same. */
async function statsOf({ driver, backend }: NamedVolume): Promise<PlaceStats | undefined> {
  if (backend === undefined || !driver.supports.stats) return undefined;
  try {
    return await driver.stats?.(backend.place);
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_UNSUPPORTED") return undefined;
    throw error;
  }
}
