/** A volume group as a place of volumes, with or without a thin pool for new ones. */
import type { DriverPlaces, ListedVolume, PlaceStats } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { listGroupVolumes } from "../lvm/run.js";
import { isSnapshot } from "../lvm/snapshots.js";
import { allocatedBytes, isThin, requireGroup, requirePool } from "../lvm/volumes.js";
import { lazySettings } from "./lazy-settings.js";
import { type LvmLocation, volumeBeside } from "./lvm-ref.js";

export interface LvmPlace {
  readonly vg: string;
  /** A thin pool of the group: new volumes are thin and take their space from there, unless they are to be thick. */
  readonly thin?: string | undefined;
}

export const lvmPlaces: DriverPlaces<LvmLocation, LvmPlace> = {
  settings: lazySettings(async () => (await import("./lvm-settings.js")).lvmSettings),
  locate: ({ vg }, name) => volumeBeside({ vg, lv: name }, name),
  provisioningOf: ({ thin }) => (thin === undefined ? "thick" : "thin"),
  createOptions: ({ thin }, provisioning) =>
    thin === undefined || provisioning === "thick" ? {} : { thinPool: thin },
};

/**
 * The volumes of a group, thick and thin, whatever pool they are in: all that its refs can name.
 *
 * @throws BlockhaulError ERR_NOT_FOUND for the group
 */
export async function listPlace({ vg }: LvmPlace): Promise<ListedVolume[]> {
  // A group that LVM does not use for what it is, it lists as one without volumes.
  const { uuid } = await requireGroup(vg);
  const all = await listGroupVolumes(uuid);
  return all
    .filter((volume) => !isSnapshot(volume))
    .map((volume) => {
      const allocated = isThin(volume) ? allocatedBytes(volume) : undefined;
      const { name, size } = volume;
      return { name, size, ...(allocated === undefined ? {} : { allocated }) };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * Of the thin pool, where the place has one: what others have not filled yet.
 *
 * @throws BlockhaulError ERR_NOT_FOUND for the group or the pool; ERR_UNSUPPORTED of a pool that is inactive
 */
export async function statsOfPlace({ vg, thin }: LvmPlace): Promise<PlaceStats> {
  const { name, extentSize: granularity, size: capacity, free } = await requireGroup(vg);
  const room = `lvm ${name}`;
  if (thin === undefined) return { capacity, free, granularity, room };
  const { size, dataPercent } = await requirePool(vg, thin);
  if (dataPercent === undefined) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      message: `how full the thin pool ${vg}/${thin} is shows only while it is active`,
      hint: `activate it: lvchange -ay ${vg}/${thin}`,
    });
  }
  return {
    capacity: size,
    free: Math.floor((size * (100 - dataPercent)) / 100),
    granularity,
    room: `${room}/${thin}`,
  };
}
