import type { VolumeDriver } from "../driver.js";
import { openDevice } from "../usage/open-device.js";
import { openedDevice } from "../usage/opened-device.js";
import { formatPathRef, type PathLocation, parsePathRef } from "./path.js";
import { onTheWay } from "./path-way.js";

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
  openVolume: (location, { mode, shared = false, exclusive = false }) =>
    onTheWay(location, async ({ place }) =>
      openedDevice(
        await openDevice({ ...place, mode, kind: "block", shared, exclusive }),
        location.path,
      ),
    ),
};
