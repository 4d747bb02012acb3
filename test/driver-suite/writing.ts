import assert from "node:assert/strict";
import { pipeline } from "node:stream/promises";

import type { Volume } from "blockhaul";

import {
  assertRejects,
  assertSameBytes,
  randomBytes,
  readRange,
  type Suite,
  using,
} from "./suite.js";

/** Writing, making zeros, and what stays of both. */
export function testWriting(suite: Suite): void {
  const { size, withRef, withVolume } = suite;
  const { describe, it } = suite.test;

  describe("writing", () => {
    it(
      "keeps every byte, at odd offsets and sizes",
      withVolume("write", async (volume) => {
        const model = await fill(volume, "before");
        for (const [position, length] of oddRanges(size)) {
          const bytes = randomBytes(`${position}+${length}`, length);
          const { bytesWritten } = await volume.write(bytes, { position });
          assert.equal(bytesWritten, length);
          bytes.copy(model, position);
          assertSameBytes(await readRange(volume, position, length), bytes, `at ${position}`);
        }
        assertSameBytes(await readRange(volume), model, "whole volume");
      }),
    );

    it(
      "writes only the part of the buffer that is named",
      withVolume("write", async (volume) => {
        const model = await fill(volume, "before");
        const bytes = randomBytes("part", 1000);
        await volume.write(bytes, { position: 5001, offset: 13, length: 600 });
        bytes.copy(model, 5001, 13, 613);
        assertSameBytes(await readRange(volume), model, "whole volume");
      }),
    );

    it(
      "refuses what does not fit before the end, and writes nothing of it",
      withVolume("write", async (volume) => {
        const model = await fill(volume, "before");
        const tooMuch = Buffer.alloc(101, 1);
        await assertRejects(
          () => volume.write(tooMuch, { position: size - 100 }),
          "ERR_OUT_OF_RANGE",
        );
        await assertRejects(() => volume.write(tooMuch, { position: size }), "ERR_OUT_OF_RANGE");
        await assertRejects(() => volume.zero(size - 100, 101), "ERR_OUT_OF_RANGE");
        assertSameBytes(await readRange(volume), model, "whole volume");
      }),
    );

    it(
      "does many writes to different places at once",
      withVolume("write", async (volume) => {
        const model = await fill(volume, "before");
        // Neighbours share blocks of any size: a driver that reads, changes and writes must not lose one.
        const length = 9973;
        const count = Math.floor(size / length);
        await Promise.all(
          Array.from({ length: count }, async (_, index) => {
            const bytes = randomBytes(`piece ${index}`, length);
            bytes.copy(model, index * length);
            await volume.write(bytes, { position: index * length });
          }),
        );
        assertSameBytes(await readRange(volume), model, "whole volume");
      }),
    );

    it(
      "makes odd ranges zero, and leaves their neighbours",
      withVolume("write", async (volume) => {
        const model = await fill(volume, "before");
        for (const [position, length] of oddRanges(size)) {
          await volume.zero(position, length);
          model.fill(0, position, position + length);
        }
        assertSameBytes(await readRange(volume), model, "whole volume");
      }),
    );

    it(
      "has what was written after a sync, a close and an open",
      withRef(async (ref) => {
        const model = await using(ref, { mode: "write" }, async (volume) => {
          const bytes = await fill(volume, "to stay");
          await volume.sync();
          await volume.write(Buffer.from("behind the sync"), { position: 12_345 });
          bytes.write("behind the sync", 12_345);
          return bytes;
        });
        await using(ref, {}, async (volume) => {
          assertSameBytes(await readRange(volume), model, "whole volume");
        });
      }),
    );

    it(
      "takes a stream, up to the end and not beyond",
      withVolume("write", async (volume) => {
        const model = await fill(volume, "before");
        const bytes = randomBytes("stream", size - 333);
        await pipeline(
          [bytes.subarray(0, 70_001), bytes.subarray(70_001)],
          volume.createWriteStream({ start: 333 }),
        );
        bytes.copy(model, 333);
        assertSameBytes(await readRange(volume), model, "whole volume");
        const beyond = volume.createWriteStream({ start: size - 8 });
        await assertRejects(() => pipeline([Buffer.alloc(9)], beyond), "ERR_OUT_OF_RANGE");
      }),
    );
  });
}

/** Fills a volume with bytes none of which can be taken for zeros, and returns them. */
export async function fill(volume: Volume, seed: string): Promise<Buffer> {
  const bytes = randomBytes(seed, volume.size);
  await volume.write(bytes, { position: 0 });
  return bytes;
}

/** Places and sizes around the borders of sectors, pages and larger units, and at the end. */
function oddRanges(size: number): [position: number, length: number][] {
  const ranges: [number, number][] = [
    [0, 1],
    [1, 511],
    [511, 2],
    [513, 4095],
    [4095, 4098],
    [8192, 4096],
    [65_535, 65_537],
    [1024 ** 2 - 1, 3],
    [1024 ** 2 + 512, 1024 ** 2 - 512],
    [size - 4097, 4096],
    [size - 1, 1],
  ];
  return ranges.filter(([position, length]) => position >= 0 && position + length <= size);
}
