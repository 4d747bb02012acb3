/**
 * The example of docs/DRIVERS.md: volumes in this process's memory, `memory:NAME`. It can all that a
 * driver can do, and keeps only what was written.
 */
import {
  BlockhaulError,
  type DriverOpenOptions,
  type Extent,
  type JsVolume,
  type OpenedVolume,
  type VolumeDriver,
} from "blockhaul";
import * as v from "valibot";

const CHUNK = 64 * 1024;

/** The medium: what would be a server or a device elsewhere. Chunks that are not there are zero. */
interface Medium {
  readonly size: number;
  readonly chunks: Map<number, Uint8Array>;
}

const media = new Map<string, Medium>();

export const memoryDriver: VolumeDriver<string> = {
  name: "memory",
  schemes: ["memory"],
  summary: "volumes in the memory of this process",
  refForms: ["memory:NAME"],
  supports: {
    write: true,
    create: "when-asked",
    createOptions: [],
    extents: true,
    zero: true,
    snapshots: false,
    delete: true,
    resize: true,
    rename: true,
    list: true,
  },

  parseRef(ref) {
    const name = /^memory:([\w-]+)$/.exec(ref)?.[1];
    if (name !== undefined) return name;
    throw new BlockhaulError("ERR_INVALID_REF", {
      volume: ref,
      message: "needs a name of letters, digits, - and _",
    });
  },

  formatRef: (name) => `memory:${name}`,

  async openVolume(name, options): Promise<OpenedVolume> {
    const existing = media.get(name);
    const medium = existing ?? create(name, options);
    if (existing !== undefined && options.create?.exclusive) {
      throw new BlockhaulError("ERR_EXISTS", { volume: options.ref, message: "it exists already" });
    }
    // Only a medium that this very open made is known to be zero.
    return { volume: volumeOf(medium, options.mode, existing === undefined) };
  },

  async deleteVolume(name) {
    requireMedium(name);
    media.delete(name);
  },

  async resizeVolume(name, size) {
    const medium = requireMedium(name);
    if (size < medium.size) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `it has ${medium.size} bytes` });
    }
    media.set(name, { ...medium, size });
  },

  async renameVolume(name, renamed) {
    const medium = requireMedium(name);
    const location = locateMedium(renamed);
    if (media.has(location)) throw new BlockhaulError("ERR_EXISTS", { message: "it is taken" });
    media.set(location, medium);
    media.delete(name);
    return location;
  },

  nameOf: (name) => name,

  places: {
    // This process has one memory; of several, a setting would say which.
    settings: v.strictObject({}),
    locate: (_place, name) => locateMedium(name),
  },

  async listVolumes() {
    const names = [...media.keys()].sort();
    return names.map((name) => ({ name, size: requireMedium(name).size }));
  },
};

function locateMedium(name: string): string {
  return memoryDriver.parseRef(`memory:${name}`);
}

function requireMedium(name: string): Medium {
  const medium = media.get(name);
  if (medium !== undefined) return medium;
  throw new BlockhaulError("ERR_NOT_FOUND", { message: "there is no such volume" });
}

function create(name: string, { create }: DriverOpenOptions): Medium {
  if (create === undefined) return requireMedium(name);
  const medium: Medium = { size: create.size, chunks: new Map() };
  media.set(name, medium);
  return medium;
}

/** Takes a volume away, as a test does when it is done. */
export function removeMemoryVolume(name: string): void {
  media.delete(name);
}

function volumeOf(medium: Medium, mode: "read" | "write", isNew: boolean): JsVolume {
  return {
    size: medium.size,
    zeroState: isNew ? "proven-zero" : "unknown",
    readOnly: mode === "read",

    // Up to the end of a chunk; the engine asks again for the rest.
    async read(buffer, { position }) {
      const { chunk, start, length } = locate(medium, position, buffer.byteLength);
      if (chunk === undefined) buffer.fill(0, 0, length);
      else buffer.set(chunk.subarray(start, start + length));
      return length;
    },

    async write(buffer, { position }) {
      const { index, chunk, start, length } = locate(medium, position, buffer.byteLength);
      const kept = chunk ?? new Uint8Array(CHUNK);
      kept.set(buffer.subarray(0, length), start);
      medium.chunks.set(index, kept);
      return length;
    },

    async zero(position, length) {
      for (let done = 0; done < length; ) {
        const part = locate(medium, position + done, length - done);
        if (part.length === CHUNK) medium.chunks.delete(part.index);
        else part.chunk?.fill(0, part.start, part.start + part.length);
        done += part.length;
      }
    },

    *extents(position, length): Generator<Extent> {
      for (let offset = position; offset < position + length; ) {
        const part = locate(medium, offset, position + length - offset);
        yield { offset, length: part.length, kind: part.chunk === undefined ? "hole" : "data" };
        offset += part.length;
      }
    },
  };
}

/** The chunk of a position, and how much of a length lies in it. */
function locate({ chunks }: Medium, position: number, length: number) {
  const index = Math.floor(position / CHUNK);
  const start = position % CHUNK;
  return { index, chunk: chunks.get(index), start, length: Math.min(length, CHUNK - start) };
}
