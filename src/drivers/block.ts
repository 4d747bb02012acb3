import type { VolumeDriver } from "../driver.js";
import { openDevice } from "../usage/open-device.js";
import { formatPathRef, type PathLocation, parsePathRef } from "./path.js";

/** Block devices of this host: disks, partitions, logical volumes, loop devices. */
export const blockDriver: VolumeDriver<PathLocation> = {
  name: "block",
  schemes: ["block"],
  summary: "block devices; a path without a scheme that leads to one names it, too",
  refForms: ["/dev/NAME", "block:PATH"],
  supports: {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: true,
    snapshots: false,
    delete: false,
  },
  parseRef: (ref) => parsePathRef("block", ref),
  formatRef: (location) => formatPathRef("block", location),
  openVolume: async ({ path }, { mode, shared = false, exclusive = false }) => ({
    volume: await openDevice({ path, mode, kind: "block", shared, exclusive }),
  }),
};
