/** What the streams of a volume have in common: their options, and the range that they are about. */
import { BlockhaulError } from "../errors.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import type { Volume } from "../volume.js";
import { toBytes } from "./arguments.js";

/** Which bytes a stream is about; both ends count, as with Node's file streams. */
export interface VolumeStreamOptions {
  /** The first byte; default: 0. */
  readonly start?: number | bigint | undefined;
  /** The last byte; default: the volume's last. */
  readonly end?: number | bigint | undefined;
  /**
   * Bytes. Of a read stream, of one chunk: up to 4 of them are read or kept ahead; default: 2 MiB. Of a write stream,
   * what `write` takes before it answers false, and is under way at once; default: 4 MiB.
   */
  readonly highWaterMark?: number | undefined;
  /** Destroys the stream. */
  readonly signal?: AbortSignal | undefined;
}

const STREAM_KEYS: KeysOf<VolumeStreamOptions> = {
  start: true,
  end: true,
  highWaterMark: true,
  signal: true,
};

/** What a stream is about; `stop` is the first byte that does not belong to it. */
export interface StreamRange {
  readonly start: number;
  readonly stop: number;
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
export function streamRange(
  what: "createReadStream" | "createWriteStream",
  volume: Volume,
  options: VolumeStreamOptions,
): StreamRange {
  checkKeys(what, options, STREAM_KEYS);
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
