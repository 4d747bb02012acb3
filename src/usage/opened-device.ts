import path from "node:path";

import type { OpenedVolume } from "../driver.js";
import type { NativeVolume } from "../native.js";
import { lookUpDevice } from "./look-up.js";
import { stampOfDevice } from "./write-stamp.js";

/** A device that was opened by its path, with what looks it up again there. */
export function openedDevice<Volume extends NativeVolume>(
  volume: Volume,
  device: string,
): OpenedVolume & { readonly volume: Volume } {
  // Where the process stands may be another folder then.
  const place = path.resolve(device);
  const { node } = volume.info;
  return {
    volume,
    identify: () => lookUpDevice(place),
    writeStamp: async () => (node === undefined ? undefined : stampOfDevice(node)),
  };
}
