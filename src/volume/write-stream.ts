import { Writable } from "node:stream";

import { BlockhaulError } from "../errors.js";
import type { Volume } from "../volume.js";
import { streamRange, type VolumeStreamOptions } from "./streams.js";

/** Four of the largest requests: all that waits is under way at once. */
const HIGH_WATER_MARK = 4 * 1024 * 1024;
/** Small writes are joined up to the multiples of it, so that all but the first and the last request are aligned. */
const LARGEST_REQUEST = 1024 * 1024;

/**
 * Writes a range in order; bytes beyond its end are refused with ERR_OUT_OF_RANGE. What waits while a request is under
 * way is written by as few requests as hold it, all at once: where one of them fails, bytes behind it may be written. A
 * write's callback is called once its bytes are written. The volume stays
 * open when the stream ends, and what was written is durable after `volume.sync()` or its close.
 */
export function createWriteStream(volume: Volume, options: VolumeStreamOptions): Writable {
  const { start, stop } = streamRange("createWriteStream", volume, options);
  let position = start;
  let underWay: Promise<void> = Promise.resolve();

  const writeAll = async (chunks: readonly Uint8Array[]) => {
    const { fitting, refused } = fittingIn(stop - position, chunks);
    const writing: Promise<unknown>[] = [];
    for (const request of requestsOf(position, fitting)) {
      writing.push(volume.write(request, { position }));
      position += request.byteLength;
    }
    // None may be under way any more when the stream tells of the first that failed.
    await Promise.allSettled(writing);
    await Promise.all(writing);
    if (refused !== undefined) throw outOfRange(volume, refused, position, stop);
  };
  const write = (chunks: readonly Uint8Array[], done: (error?: Error | null) => void) => {
    underWay = writeAll(chunks).then(() => done(), done);
  };

  return new Writable({
    highWaterMark: options.highWaterMark ?? HIGH_WATER_MARK,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    write: (chunk: Buffer, _encoding, done) => write([chunk], done),
    writev: (waiting, done) =>
      write(
        waiting.map(({ chunk }) => chunk as Buffer),
        done,
      ),
    // Nobody touches the volume once the stream says that it is closed.
    destroy(error, done) {
      void underWay.then(() => done(error));
    },
  });
}

/** The chunks before the first that does not fit, and that one. */
function fittingIn(room: number, chunks: readonly Uint8Array[]) {
  let left = room;
  for (const [index, chunk] of chunks.entries()) {
    left -= chunk.byteLength;
    if (left < 0) return { fitting: chunks.slice(0, index), refused: chunk };
  }
  return { fitting: chunks, refused: undefined };
}

/** The same bytes in few buffers, each of which ends at a multiple of the largest request. */
function* requestsOf(begin: number, chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  let position = begin;
  let parts: Uint8Array[] = [];
  let room = LARGEST_REQUEST - (position % LARGEST_REQUEST);
  for (const chunk of chunks) {
    for (let done = 0; done < chunk.byteLength; ) {
      const part = chunk.subarray(done, done + room);
      parts.push(part);
      done += part.byteLength;
      room -= part.byteLength;
      position += part.byteLength;
      if (room > 0) continue;
      yield joined(parts);
      parts = [];
      room = LARGEST_REQUEST;
    }
  }
  if (parts.length > 0) yield joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

function outOfRange(
  volume: Volume,
  { byteLength }: Uint8Array,
  position: number,
  stop: number,
): BlockhaulError {
  return new BlockhaulError("ERR_OUT_OF_RANGE", {
    volume: volume.ref,
    operation: "write",
    offset: position,
    message: `${byteLength} bytes do not fit before the end at ${stop}`,
  });
}
