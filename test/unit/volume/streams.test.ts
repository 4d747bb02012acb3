import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable, type Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type JsVolume, openVolume, registerDriver } from "blockhaul";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";

import { memoryDriver } from "../../driver-suite/example-driver.js";
import { bufferVolume, JsVolumes } from "../../support/js-volumes.js";

registerDriver(memoryDriver);
const volumes = new JsVolumes();
registerDriver(volumes.driver);

let count = 0;
const openMemory = (size = 100_000) => {
  count += 1;
  return openVolume(`memory:v${count}`, { mode: "write", create: { size } });
};
const openJs = (volume: JsVolume) => {
  count += 1;
  return openVolume(volumes.add(`v${count}`, volume), {
    mode: volume.write === undefined ? "read" : "write",
  });
};
const code = (name: string) => expect.objectContaining({ code: name });
const numbered = (length: number) =>
  Buffer.from(Uint32Array.from({ length }, (_, at) => at).buffer);

describe("the streams of a volume", () => {
  it("refuse ranges that are none", async () => {
    await using volume = await openMemory(1000);
    for (const range of [{ start: 1001 }, { end: 1000 }, { start: 10, end: 5 }]) {
      expect(() => volume.createReadStream(range)).toThrowError(code("ERR_OUT_OF_RANGE"));
      expect(() => volume.createWriteStream(range)).toThrowError(code("ERR_OUT_OF_RANGE"));
    }
    expect(() => volume.createReadStream({ highWaterMark: 0 })).toThrowError(
      code("ERR_INVALID_ARGUMENT"),
    );
  });

  it("take no byte beyond their end, though the volume goes on", async () => {
    await using volume = await openMemory(1000);
    const stream = volume.createWriteStream({ start: 100, end: 199 });
    stream.write(Buffer.alloc(100, 1));
    stream.end(Buffer.alloc(1, 2));
    await expect(finished(stream)).rejects.toEqual(code("ERR_OUT_OF_RANGE"));
    const buffer = Buffer.alloc(101);
    await volume.read(buffer, { position: 100 });
    expect(buffer.indexOf(0)).toBe(100);
  });

  it("may be of no byte at all", async () => {
    await using volume = await openMemory(1000);
    for await (const _ of volume.createReadStream({ start: 1000 })) expect.unreachable();
    await finished(volume.createWriteStream({ start: 1000 }).end());
  });

  it("read ahead no further than their buffer", async () => {
    let asked = 0;
    registerDriver({
      ...memoryDriver,
      name: "counting",
      schemes: ["counting"],
      parseRef: (ref) => ref,
      openVolume: async () => ({
        volume: {
          size: 1024 ** 3,
          read: (buffer) => {
            asked += buffer.byteLength;
          },
        },
      }),
    });
    await using volume = await openVolume("counting:");
    const stream = volume.createReadStream({ highWaterMark: 64 * 1024 });
    await new Promise((resolve) => stream.once("readable", resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toBeLessThanOrEqual(4 * 64 * 1024);
    stream.destroy();
  });

  it("leave the volume open", async () => {
    await using volume = await openMemory(1000);
    for await (const _ of volume.createReadStream());
    await finished(volume.createWriteStream().end(Buffer.alloc(10)));
    await volume.read(Buffer.alloc(1), { position: 0 });
  });
});

describe("a read stream", () => {
  it("brings bytes in order, whichever read is done first", async () => {
    const bytes = numbered(100_000);
    let reads = 0;
    const { read } = bufferVolume(bytes);
    await using volume = await openJs({
      size: bytes.length,
      read: async (buffer, place) => {
        reads += 1;
        await sleep(reads % 3 === 0 ? 1 : 6);
        return read(buffer, place);
      },
    });
    const chunks: Buffer[] = [];
    const stream = volume.createReadStream({ start: 5, end: 399_000, highWaterMark: 10_007 });
    for await (const chunk of stream) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes.subarray(5, 399_001))).toBe(true);
  });

  it("has several reads under way", async () => {
    let [underWay, most] = [0, 0];
    await using volume = await openJs({
      size: 1024 ** 2,
      read: async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        await sleep(2);
        underWay -= 1;
      },
    });
    for await (const _ of volume.createReadStream({ highWaterMark: 64 * 1024 }));
    expect(most).toBe(4);
  });

  it("brings what comes before an error, and then the error", async () => {
    await using volume = await openJs({
      size: 1000,
      read: async (_, { position }) => {
        if (position === 200) throw Object.assign(new Error("bad sector"), { errno: -5 });
        await sleep(10);
      },
    });
    let length = 0;
    const reading = async () => {
      for await (const chunk of volume.createReadStream({ highWaterMark: 100 })) {
        length += chunk.length;
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: "ERR_IO", offset: 200 });
    expect(length).toBe(200);
  });

  it("is closed, when it is destroyed, once nothing is under way any more", async () => {
    let underWay = 0;
    await using volume = await openJs({
      size: 1024 ** 2,
      read: async () => {
        underWay += 1;
        await sleep(50);
        underWay -= 1;
      },
    });
    const stream = volume.createReadStream({ highWaterMark: 4096 });
    stream.read();
    await expect.poll(() => underWay, { interval: 1 }).toBeGreaterThan(1);
    stream.destroy();
    await new Promise((resolve) => stream.once("close", resolve));
    expect(underWay).toBe(0);
  });
});

describe("a write stream", () => {
  /** A volume that notes its writes, each of which takes a while. */
  const slow = async (size: number) => {
    const bytes = Buffer.alloc(size);
    const writes: { readonly position: number; readonly length: number }[] = [];
    const { write } = bufferVolume(bytes);
    const volume = await openJs({
      size,
      read: () => {},
      write: async (buffer, place) => {
        writes.push({ position: place.position, length: buffer.byteLength });
        await sleep(1);
        return write?.(buffer, place);
      },
    });
    onTestFinished(() => volume.close());
    return { volume, bytes, writes };
  };

  it("joins small writes, in order and to the last byte", async () => {
    const { volume, bytes, writes } = await slow(3 * 1024 ** 2);
    const expected = numbered((3 * 1024 ** 2) / 4);
    const stream = volume.createWriteStream();
    for (let at = 0; at < expected.length; at += 500) stream.write(expected.subarray(at, at + 500));
    await finished(stream.end());
    expect(bytes.equals(expected)).toBe(true);
    expect(writes).toEqual([
      { position: 0, length: 500 },
      { position: 500, length: 1024 ** 2 - 500 },
      { position: 1024 ** 2, length: 1024 ** 2 },
      { position: 2 * 1024 ** 2, length: 1024 ** 2 },
    ]);
  });

  it("writes what fits before a write that does not", async () => {
    const { volume, bytes } = await slow(1000);
    const stream = volume.createWriteStream({ start: 100, end: 399 });
    const outcomes: (string | undefined)[] = [];
    for (const length of [10, 200, 90, 1]) {
      stream.write(Buffer.alloc(length, 7), (error) =>
        outcomes.push((error as NodeJS.ErrnoException | undefined)?.code),
      );
    }
    await expect(finished(stream)).rejects.toMatchObject({ code: "ERR_OUT_OF_RANGE", offset: 400 });
    expect(outcomes[0]).toBeUndefined();
    expect(outcomes.at(-1)).toBe("ERR_OUT_OF_RANGE");
    expect(
      bytes.equals(Buffer.concat([Buffer.alloc(100), Buffer.alloc(300, 7), Buffer.alloc(600)])),
    ).toBe(true);
  });

  it("has its writer wait, and wakes it", async () => {
    const { volume, writes } = await slow(100_000);
    const stream = volume.createWriteStream({ highWaterMark: 1000 });
    let most = 0;
    await pipeline(
      Readable.from(
        (function* () {
          for (let at = 0; at < 1000; at += 1) {
            most = Math.max(most, stream.writableLength);
            yield Buffer.alloc(100);
          }
        })(),
      ),
      stream,
    );
    expect(most).toBeLessThanOrEqual(1100);
    expect(writes.reduce((sum, { length }) => sum + length, 0)).toBe(100_000);
  });

  it("fails by the first write that fails, and writes nothing behind it", async () => {
    let writes = 0;
    await using volume = await openJs({
      size: 1000,
      read: () => {},
      write: async () => {
        writes += 1;
        await sleep(1);
        throw Object.assign(new Error("full"), { errno: -28 });
      },
    });
    const stream = volume.createWriteStream();
    for (let at = 0; at < 5; at += 1) stream.write(Buffer.alloc(10));
    await expect(finished(stream)).rejects.toEqual(code("ERR_NO_SPACE"));
    expect(writes).toBe(1);
  });

  it("is closed, when it is destroyed, once nothing is under way any more", async () => {
    let underWay = 0;
    await using volume = await openJs({
      size: 1000,
      read: () => {},
      write: async () => {
        underWay += 1;
        await sleep(50);
        underWay -= 1;
      },
    });
    const stream = volume.createWriteStream();
    stream.write(Buffer.alloc(10));
    stream.write(Buffer.alloc(10));
    await expect.poll(() => underWay, { interval: 1 }).toBe(1);
    stream.destroy();
    await new Promise((resolve) => stream.once("close", resolve));
    expect(underWay).toBe(0);
  });
});

describe("a write stream of an image file", () => {
  const place = mkdtempSync(path.join(tmpdir(), "blockhaul-streams-"));
  afterAll(() => rmSync(place, { recursive: true }));
  const [ours, theirs] = ["ours.img", "theirs.img"].map((name) => path.join(place, name));

  const seconds = async (stream: Writable) => {
    const sector = Buffer.alloc(512, 2);
    const began = performance.now();
    for (let at = 0; at < 4000; at += 1) {
      if (!stream.write(sector)) await new Promise((resolve) => stream.once("drain", resolve));
    }
    await finished(stream.end());
    return (performance.now() - began) / 1000;
  };

  // bench/streams.mjs measures: the target is 1.5. A machine that is busy needs room; 200 was the bug.
  it("takes 4,000 sectors about as fast as a stream of fs", async () => {
    for (const file of [ours, theirs])
      writeFileSync(file as string, Buffer.alloc(4 * 1024 ** 2, 1));
    await using volume = await openVolume(ours as string, { mode: "write" });
    const [mine, fs]: [number[], number[]] = [[], []];
    for (let round = 0; round < 9; round += 1) {
      mine.push(await seconds(volume.createWriteStream()));
      fs.push(await seconds(createWriteStream(theirs as string, { flags: "r+" })));
    }
    expect(Math.min(...mine) / Math.min(...fs)).toBeLessThan(20);
  });
});
