import assert from "node:assert/strict";

import { assertRejects, assertSameBytes, readRange, type Suite } from "./suite.js";

/** What can be asked of every driver, whether it writes or not. */
export function testReading({ test: { describe, it }, size, withVolume }: Suite): void {
  describe("reading", () => {
    it(
      "gives the same bytes in one piece and in odd pieces",
      withVolume("read", async (volume) => {
        const whole = await readRange(volume);
        const pieces: Buffer[] = [];
        for (let position = 0; position < size; ) {
          const length = Math.min(1 + ((position * 7919) % 300_007), size - position);
          pieces.push(await readRange(volume, position, length));
          position += length;
        }
        assertSameBytes(Buffer.concat(pieces), whole, "pieces");
      }),
    );

    it(
      "stops at the end",
      withVolume("read", async (volume) => {
        const buffer = Buffer.alloc(1000, 0xa5);
        const { bytesRead } = await volume.read(buffer, { position: size - 10 });
        assert.equal(bytesRead, 10);
        assert.ok(
          buffer.subarray(10).every((byte) => byte === 0xa5),
          "untouched behind the end",
        );
        assert.equal((await volume.read(buffer, { position: size })).bytesRead, 0);
        assert.equal((await volume.read(buffer, { position: size + 12345 })).bytesRead, 0);
      }),
    );

    it(
      "fills only the part of the buffer that is named",
      withVolume("read", async (volume) => {
        const expected = await readRange(volume, 4097, 100);
        const buffer = Buffer.alloc(300, 0xa5);
        const { bytesRead } = await volume.read(buffer, {
          position: 4097n,
          offset: 51,
          length: 100,
        });
        assert.equal(bytesRead, 100);
        assertSameBytes(buffer.subarray(51, 151), expected, "named part");
        assert.ok(
          [...buffer.subarray(0, 51), ...buffer.subarray(151)].every((byte) => byte === 0xa5),
        );
      }),
    );

    it(
      "moves the volume's own position on",
      withVolume("read", async (volume) => {
        const expected = await readRange(volume, 1000, 300);
        volume.seek(1000);
        const parts = [Buffer.alloc(100), Buffer.alloc(200)];
        await Promise.all(parts.map((part) => volume.read(part)));
        assert.equal(volume.tell(), 1300);
        assertSameBytes(Buffer.concat(parts), expected, "both parts");
        await volume.read(Buffer.alloc(10), { position: 0 });
        assert.equal(volume.tell(), 1300);
      }),
    );

    it(
      "serves many requests at once",
      withVolume("read", async (volume) => {
        const whole = await readRange(volume);
        const places = Array.from({ length: 100 }, (_, index) => (index * 104_729) % (size - 5000));
        await Promise.all(
          places.map(async (position) => {
            const part = await readRange(volume, position, 4999);
            assertSameBytes(part, whole.subarray(position, position + 4999), `at ${position}`);
          }),
        );
      }),
    );

    it(
      "streams a range",
      withVolume("read", async (volume) => {
        const chunks: Buffer[] = [];
        const options = { start: 777, end: size - 2, highWaterMark: 100_003 };
        for await (const chunk of volume.createReadStream(options)) chunks.push(chunk as Buffer);
        const expected = await readRange(volume, 777, size - 1 - 777);
        assertSameBytes(Buffer.concat(chunks), expected, "stream");
      }),
    );

    it(
      "refuses to write in mode read",
      withVolume("read", async (volume) => {
        const before = await readRange(volume, 0, 4096);
        await assertRejects(() => volume.write(Buffer.alloc(16), { position: 0 }), "ERR_READ_ONLY");
        await assertRejects(() => volume.zero(0, 16), "ERR_READ_ONLY");
        assertSameBytes(await readRange(volume, 0, 4096), before, "what it held");
      }),
    );
  });
}
