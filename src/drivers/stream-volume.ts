/** Streams as volumes: an engine's requests, which come in any order, take their turn. */
import { finished, type Readable, type Writable } from "node:stream";

import type { JsVolume, TransferPlace } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { onAbort } from "../system/abort.js";
import { sizeInWords } from "../units.js";

/**
 * Requests that are to be done one after the other, each where the one before it ended. They wait for each other; each
 * byte is asked for once. After one that failed, all fail as it did.
 */
class Turns {
  readonly #stream: Readable | Writable;
  #position = 0;
  #failure: { readonly reason: unknown } | undefined;
  readonly #waiting = new Map<number, () => void>();
  readonly #over = new AbortController();

  constructor(stream: Readable | Writable) {
    this.#stream = stream;
    finished(stream, (error) => {
      if (error) this.fail(faultOf(error));
      this.#over.abort();
    });
  }

  /** Fires once the stream is over: it has ended, and all of it was read, or it has failed. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** @throws what made a request fail, where one did */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  async take(
    { position, signal }: TransferPlace,
    length: number,
    action: () => Promise<void>,
  ): Promise<void> {
    if (position < this.#position) {
      throw new BlockhaulError("ERR_UNSUPPORTED", {
        message: "a stream cannot go back: each byte of it is read or written once, in order",
      });
    }
    const stopListening = onAbort(signal, () => this.fail(signal.reason));
    try {
      while (position !== this.#position && this.#failure === undefined) {
        await new Promise<void>((resolve) => this.#waiting.set(position, resolve));
      }
      this.check();
      await action();
      this.#position += length;
      this.#wake(this.#position);
    } catch (error) {
      this.fail(error);
      throw error;
    } finally {
      stopListening();
    }
  }

  /** Whoever waits for the stream hears of it: nothing of it counts any more. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    if (!this.#stream.destroyed) this.#stream.destroy();
    for (const position of [...this.#waiting.keys()]) this.#wake(position);
  }

  #wake(position: number): void {
    const resolve = this.#waiting.get(position);
    this.#waiting.delete(position);
    resolve?.();
  }
}

/**
 * A stream that is read as a volume of a size, from its start to its end, once.
 *
 * @param size bytes that it has to have: one that ends before, or goes on behind, fails the read of its last bytes
 */
export function volumeOfReadable(stream: Readable, size: number, identity: string): JsVolume {
  const turns = new Turns(stream);
  return {
    size,
    identity,
    readOnly: true,
    async read(buffer, place) {
      await turns.take(place, buffer.byteLength, async () => {
        const begin = place.position;
        for (let done = 0; done < buffer.byteLength; ) {
          const chunk = await nextChunk(stream, buffer.byteLength - done, turns.over);
          turns.check();
          if (chunk === undefined) throw endedEarly(begin + done, size);
          buffer.set(chunk, done);
          done += chunk.byteLength;
        }
        const isLast = begin + buffer.byteLength === size;
        if (isLast && (await nextChunk(stream, 1, turns.over)) !== undefined) throw goesOn(size);
      });
    },
    close: () => dispose(stream),
  };
}

/**
 * A stream that is written as a volume, from its start on, once. It holds back what is written out of turn.
 *
 * @param size bytes that may be written
 */
export function volumeOfWritable(stream: Writable, size: number, identity: string): JsVolume {
  const turns = new Turns(stream);
  return {
    size,
    identity,
    read() {
      throw new BlockhaulError("ERR_UNSUPPORTED", {
        message: "what went into a stream cannot be read back",
      });
    },
    async write(buffer, place) {
      await turns.take(place, buffer.byteLength, async () => {
        // The buffer is the engine's again once this is over: not before the stream has let go of it.
        const fault = await new Promise<Error | null | undefined>((resolve) =>
          stream.write(buffer, resolve),
        );
        if (fault) throw faultOf(fault);
      });
    },
    async close() {
      if (stream.destroyed || stream.errored) return dispose(stream);
      await new Promise<void>((resolve, reject) => {
        finished(stream, { readable: false }, (error) => (error ? reject(error) : resolve()));
        stream.end();
      });
    },
  };
}

/** Up to so many bytes; undefined at the stream's end. */
async function nextChunk(
  stream: Readable,
  most: number,
  over: AbortSignal,
): Promise<Uint8Array | undefined> {
  for (;;) {
    const chunk: unknown = stream.read(Math.min(most, Math.max(1, stream.readableLength)));
    if (chunk instanceof Uint8Array) return chunk;
    if (stream.errored) throw stream.errored;
    if (stream.readableEnded || stream.destroyed || over.aborted) return undefined;
    await new Promise<void>((resolve) => {
      const stopListening = onAbort(over, () => go());
      const go = () => {
        stopListening();
        stream.off("readable", go).off("end", go);
        resolve();
      };
      stream.on("readable", go).on("end", go);
    });
  }
}

function dispose(stream: Readable | Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) return resolve();
    stream.once("close", resolve).destroy();
  });
}

/** Of a stream: who went away is what its user has to know. */
function faultOf(fault: NodeJS.ErrnoException): Error {
  if (fault.code !== "EPIPE") return fault;
  return new BlockhaulError("ERR_IO", {
    message: "whoever read the stream went away before its end",
    hint: "look why it ended; what it got is not complete",
    cause: fault,
  });
}

function endedEarly(at: number, size: number): BlockhaulError {
  return new BlockhaulError("ERR_VOLUME_CHANGED", {
    message: `the stream ended after ${sizeInWords(at)}, and ${sizeInWords(size)} were expected`,
    hint: `look why what writes it ended early; where that is all of it, --size ${at} says so`,
  });
}

function goesOn(size: number): BlockhaulError {
  return new BlockhaulError("ERR_TARGET_TOO_SMALL", {
    message: `the stream goes on behind the ${sizeInWords(size)} that were expected`,
    hint: "take a larger target, or name the right --size",
  });
}
