import { BlockhaulError, type Extent, type JsVolume, type VolumeDriver } from "blockhaul";

import type { Random } from "./random.js";

/** Volumes that are plain JavaScript objects, opened by `js:NAME` once the `driver` is registered. */
export class JsVolumes {
  readonly #volumes = new Map<string, JsVolume>();

  readonly driver: VolumeDriver<string> = {
    name: "js",
    schemes: ["js"],
    summary: "plain objects",
    refForms: ["js:NAME"],
    supports: {
      write: true,
      create: false,
      createOptions: [],
      extents: true,
      zero: true,
      snapshots: false,
      delete: false,
    },
    parseRef: (ref) => ref.slice("js:".length),
    openVolume: async (name) => {
      const volume = this.#volumes.get(name);
      if (volume === undefined) throw new BlockhaulError("ERR_NOT_FOUND");
      return { volume };
    },
  };

  /** Makes a volume known; the answer is its ref. */
  add(name: string, volume: JsVolume): string {
    this.#volumes.set(name, volume);
    return `js:${name}`;
  }

  delete(name: string): void {
    this.#volumes.delete(name);
  }
}

export interface BufferVolumeOptions {
  readonly zeroState?: "proven-zero" | "unknown";
  readonly extents?: readonly Extent[] | undefined;
  /** Has a `zero` of its own. */
  readonly zeroes?: boolean;
  /** Moves less than it is asked for, now and then. */
  readonly short?: Random | undefined;
}

/** A volume over a buffer. */
export function bufferVolume(bytes: Buffer, options: BufferVolumeOptions = {}): JsVolume {
  const { zeroState = "unknown", extents, zeroes = false, short } = options;
  const some = (length: number) => (short?.chance(0.3) ? short.between(1, length) : length);
  return {
    size: bytes.length,
    zeroState,
    read: async (buffer, { position }) => {
      const length = some(buffer.byteLength);
      buffer.set(bytes.subarray(position, position + length));
      return { bytesRead: length };
    },
    write: async (buffer, { position }) => {
      const length = some(buffer.byteLength);
      bytes.set(buffer.subarray(0, length), position);
      return length;
    },
    ...(zeroes && {
      zero: (position: number, length: number) => void bytes.fill(0, position, position + length),
    }),
    ...(extents && { extents: () => extents }),
  };
}
