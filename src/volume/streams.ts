import { Readable, Writable } from "node:stream";

import { BlockhaulError } from "../errors.js";
import type { Volume } from "../volume.js";
import { toBytes } from "./arguments.js";

const READ_SIZE = 1024 * 1024;

/** Which bytes a stream is about; both ends count, as with Node's file streams. */
export interface VolumeStreamOptions {
  /** The first byte; 0 unless told. */
  readonly start?: number | bigint | undefined;
  /** The last byte; the volume's last unless told. */
  readonly end?: number | bigint | undefined;
  /** Bytes that are read or kept ahead; 1 MiB unless told. */
  readonly highWaterMark?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads a range in order. The volume stays open when the stream ends. */
export function createReadStream(volume: Volume, options: VolumeStreamOptions): Readable {
  const range = streamRange(volume, options);
  const chunkSize = options.highWaterMark ?? READ_SIZE;
  let position = range.start;
  return new Readable({
    highWaterMark: chunkSize,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    read() {
      const length = Math.min(chunkSize, range.stop - position);
      if (length <= 0) {
        this.push(null);
        return;
      }
      // Not from Buffer's shared pool: the chunk leaves for the consumer's own use.
      const buffer = Buffer.allocUnsafeSlow(length);
      const at = position;
      position += length;
      volume.read(buffer, { position: at }).then(
        () => this.push(buffer),
        (error) => this.destroy(error),
      );
    },
  });
}

/**
 * Writes a range in order; bytes beyond its end are refused with ERR_OUT_OF_RANGE. The volume stays
 * open when the stream ends, and what was written is durable after `volume.sync()` or its close.
 */
export function createWriteStream(volume: Volume, options: VolumeStreamOptions): Writable {
  const range = streamRange(volume, options);
  let position = range.start;
  const write = (chunk: Uint8Array, done: (error?: Error | null) => void) => {
    if (position + chunk.byteLength > range.stop) {
      done(
        new BlockhaulError("ERR_OUT_OF_RANGE", {
          volume: volume.ref,
          operation: "write",
          offset: position,
          message: `${chunk.byteLength} bytes do not fit before the end at ${range.stop}`,
        }),
      );
      return;
    }
    const at = position;
    position += chunk.byteLength;
    volume.write(chunk, { position: at }).then(() => done(), done);
  };
  return new Writable({
    highWaterMark: options.highWaterMark ?? READ_SIZE,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    write: (chunk: Buffer, _encoding, done) => write(chunk, done),
  });
}

/** `stop` is the first byte that does not belong to the range. */
function streamRange(
  volume: Volume,
  options: VolumeStreamOptions,
): { start: number; stop: number } {
  const start = toBytes(options.start ?? 0, "start");
  const stop = options.end === undefined ? volume.size : toBytes(options.end, "end") + 1;
  const { highWaterMark } = options;
  if (highWaterMark !== undefined && !(Number.isSafeInteger(highWaterMark) && highWaterMark > 0)) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: "highWaterMark must be a whole number of bytes from 1 on",
    });
  }
  if (start > volume.size || stop > volume.size || start > stop) {
    throw new BlockhaulError("ERR_OUT_OF_RANGE", {
      volume: volume.ref,
      message: `bytes ${start} to ${stop - 1} are no range of its ${volume.size} bytes`,
    });
  }
  return { start, stop };
}
