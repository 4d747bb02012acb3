import { Readable } from "node:stream";

import type { Volume } from "../volume.js";
import { streamRange, type VolumeStreamOptions } from "./streams.js";

/** As large as a request of a copy. */
const CHUNK = 2 * 1024 * 1024;
/** Reads that are under way or wait for their turn: one alone would leave the storage idle between two of them. */
const READS_AHEAD = 4;

/** Reads a range in order. The volume stays open when the stream ends. */
export function createReadStream(volume: Volume, options: VolumeStreamOptions): Readable {
  const { start, stop } = streamRange("createReadStream", volume, options);
  const chunkSize = options.highWaterMark ?? CHUNK;
  let position = start;
  /** The first is the next to be pushed, whichever is done first. */
  const ahead: Promise<Buffer>[] = [];
  let isPushing = false;
  let isAskedAgain = false;

  const fill = () => {
    while (ahead.length < READS_AHEAD && position < stop) {
      const length = Math.min(chunkSize, stop - position);
      // Not from Buffer's shared pool: the chunk leaves for the consumer's own use.
      const buffer = Buffer.allocUnsafeSlow(length);
      const reading = volume.read(buffer, { position }).then(() => buffer);
      // One that fails is told of when its turn comes.
      reading.catch(() => {});
      ahead.push(reading);
      position += length;
    }
  };

  return new Readable({
    // Chunks that are done wait in `ahead`: what is kept beyond them would be more memory, and no faster.
    highWaterMark: chunkSize,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    async read() {
      isAskedAgain = isPushing;
      if (isPushing) return;
      isPushing = true;
      try {
        for (;;) {
          fill();
          const next = ahead[0];
          if (next === undefined) {
            this.push(null);
            return;
          }
          const chunk = await next;
          if (this.destroyed) return;
          ahead.shift();
          isAskedAgain = false;
          // Who asks while it is told is not heard of again.
          if (!this.push(chunk) && !isAskedAgain) return;
        }
      } catch (error) {
        this.destroy(error as Error);
      } finally {
        isPushing = false;
      }
    },
    // Nobody touches the volume, or the buffers, once the stream says that it is closed.
    destroy(error, done) {
      void Promise.allSettled(ahead).then(() => done(error));
    },
  });
}
