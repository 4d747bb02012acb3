import { once } from "node:events";
import { PassThrough, Readable, Writable } from "node:stream";
import { describe, expect, it } from "vitest";

import type { JsVolume } from "../../../src/driver.js";
import { volumeOfReadable, volumeOfWritable } from "../../../src/drivers/stream-volume.js";

const never = new AbortController().signal;
const bytes = Buffer.from("0123456789abcdef");

function read(volume: JsVolume, position: number, length: number, signal = never) {
  const buffer = Buffer.alloc(length);
  return Promise.resolve(volume.read(buffer, { position, signal })).then(() => String(buffer));
}

function write(volume: JsVolume, position: number, text: string, signal = never) {
  return Promise.resolve(volume.write?.(Buffer.from(text), { position, signal }));
}

const inPieces = () =>
  Readable.from([bytes.subarray(0, 3), bytes.subarray(3, 9), bytes.subarray(9)], {
    objectMode: false,
  });

describe("a stream that is read as a volume", () => {
  it("gives each request its own bytes, in whichever order they are made", async () => {
    const volume = volumeOfReadable(inPieces(), 16, "one");
    const later = read(volume, 12, 4);
    const middle = read(volume, 4, 8);
    expect(await Promise.all([read(volume, 0, 4), middle, later])).toEqual([
      "0123",
      "456789ab",
      "cdef",
    ]);
    await volume.close?.();
  });

  it("says where it ended before its size", async () => {
    const volume = volumeOfReadable(inPieces(), 20, "one");
    const rest = read(volume, 10, 10);
    expect(await read(volume, 0, 10)).toBe("0123456789");
    await expect(rest).rejects.toMatchObject({
      code: "ERR_VOLUME_CHANGED",
      message: "the stream ended after 16 bytes, and 20 bytes were expected",
    });
  });

  it("says that it goes on behind its size", async () => {
    const volume = volumeOfReadable(inPieces(), 10, "one");
    await expect(read(volume, 0, 10)).rejects.toMatchObject({
      code: "ERR_TARGET_TOO_SMALL",
      message: "the stream goes on behind the 10 bytes that were expected",
    });
  });

  it("waits for the stream's end with the last bytes", async () => {
    const stream = new PassThrough();
    const volume = volumeOfReadable(stream, 4, "one");
    let isDone = false;
    const reading = read(volume, 0, 4).finally(() => {
      isDone = true;
    });
    stream.write("0123");
    await once(stream, "readable");
    expect(isDone).toBe(false);
    stream.end();
    expect(await reading).toBe("0123");
  });

  it("goes back for nobody", async () => {
    const volume = volumeOfReadable(inPieces(), 16, "one");
    await read(volume, 0, 4);
    await expect(read(volume, 0, 4)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("cannot go back"),
    });
  });

  it("hands its failure to all that wait", async () => {
    const stream = new PassThrough();
    const volume = volumeOfReadable(stream, 16, "one");
    const waiting = [read(volume, 0, 4), read(volume, 4, 4), read(volume, 12, 4)];
    stream.destroy(new Error("torn"));
    for (const one of waiting) await expect(one).rejects.toThrow("torn");
    await expect(read(volume, 0, 4)).rejects.toThrow("torn");
  });

  it("ends at a signal, though nothing comes", async () => {
    const stream = new PassThrough();
    const volume = volumeOfReadable(stream, 16, "one");
    const stop = new AbortController();
    const waiting = [read(volume, 0, 4, stop.signal), read(volume, 4, 4)];
    stop.abort(new Error("enough"));
    for (const one of waiting) await expect(one).rejects.toThrow("enough");
    await volume.close?.();
    expect(stream.destroyed).toBe(true);
  });
});

describe("a stream that is written as a volume", () => {
  function sink() {
    const chunks: Buffer[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        // As a slow reader: the next one must not overtake it.
        setImmediate(() => {
          chunks.push(Buffer.from(chunk));
          done();
        });
      },
    });
    return { stream, text: () => String(Buffer.concat(chunks)) };
  }

  it("writes in order, in whichever order the requests are made", async () => {
    const { stream, text } = sink();
    const volume = volumeOfWritable(stream, 100, "one");
    await Promise.all([
      write(volume, 8, "89"),
      write(volume, 4, "4567"),
      write(volume, 0, "0123"),
      write(volume, 10, "abcdef"),
    ]);
    await volume.close?.();
    expect(text()).toBe("0123456789abcdef");
    expect(stream.writableFinished).toBe(true);
  });

  it("does not give a buffer back before it is written", async () => {
    const { stream, text } = sink();
    const volume = volumeOfWritable(stream, 100, "one");
    const buffer = Buffer.from("0123");
    await volume.write?.(buffer, { position: 0, signal: never });
    buffer.fill("x");
    await volume.close?.();
    expect(text()).toBe("0123");
  });

  it("says that its reader went away", async () => {
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
      },
    });
    const volume = volumeOfWritable(stream, 100, "one");
    const waiting = write(volume, 4, "4567");
    await expect(write(volume, 0, "0123")).rejects.toMatchObject({
      code: "ERR_IO",
      message: "whoever read the stream went away before its end",
    });
    await expect(waiting).rejects.toThrow();
  });

  it("cannot be read", () => {
    const volume = volumeOfWritable(new PassThrough(), 100, "one");
    expect(() => volume.read(Buffer.alloc(4), { position: 0, signal: never })).toThrow(
      "cannot be read back",
    );
  });
});
