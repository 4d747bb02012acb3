import type { Provisioning } from "../driver.js";
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
export async function findRoom({ driver, backend }: NamedVolume): Promise<Room> {
  const stats = backend && driver.supports.stats ? await driver.stats?.(backend.place) : undefined;
  return {
    free: stats?.free,
    capacity: stats?.capacity,
    granularity: stats?.granularity ?? 1,
    room: stats?.room ?? (backend && `backend ${backend.name}`),
    provisioning: backend?.provisioning ?? driver.supports.provisioning?.[0],
  };
}
