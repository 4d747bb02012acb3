import assert from "node:assert/strict";

import type { Extent, Volume } from "blockhaul";

import { assertRejects, randomBytes, readRange, type Suite } from "./suite.js";

const KIBI = 1024;

/** What a volume says of where its data is must cover it, and must be true. */
export function testExtents(suite: Suite): void {
  const { size, withVolume } = suite;
  const { describe, it } = suite.test;
  const { supports } = suite.driver;

  describe("extents", () => {
    it(
      "cover the volume, and what is not data reads as zero",
      withVolume(supports.write ? "write" : "read", async (volume) => {
        if (supports.write) await scatter(volume);
        const extents = await collect(volume);
        assertCover(extents, 0, size);
        for (const { offset, length, kind } of extents) {
          if (kind === "data") continue;
          const bytes = await readRange(volume, offset, length);
          assert.ok(
            bytes.every((byte) => byte === 0),
            `${kind} at ${offset} has data`,
          );
        }
      }),
    );

    it(
      "of a part cover that part",
      withVolume("read", async (volume) => {
        assertCover(await collect(volume, 100_001, 1_000_003), 100_001, 1_000_003);
        assertCover(await collect(volume, size - 1, 1), size - 1, 1);
        assert.deepEqual(await collect(volume, size, 0), []);
        await assertRejects(() => collect(volume, 1, size), "ERR_OUT_OF_RANGE");
      }),
    );
  });
}

/** Zeros with data in some places, of different sizes, all over the volume. */
async function scatter(volume: Volume): Promise<void> {
  await volume.write(randomBytes("junk", volume.size), { position: 0 });
  await volume.zero(0, volume.size);
  for (let position = 3 * KIBI; position < volume.size; position += 500 * KIBI) {
    const length = Math.min(1 + (position % (100 * KIBI)), volume.size - position);
    await volume.write(randomBytes(`data ${position}`, length), { position });
  }
  await volume.sync();
}

async function collect(volume: Volume, offset?: number, length?: number): Promise<Extent[]> {
  const extents: Extent[] = [];
  for await (const extent of volume.extents({ offset, length })) extents.push(extent);
  return extents;
}

function assertCover(extents: readonly Extent[], offset: number, length: number): void {
  let end = offset;
  for (const extent of extents) {
    assert.equal(extent.offset, end, "each begins where the one before ended");
    assert.ok(extent.length > 0, "none is empty");
    assert.ok(["data", "zero", "hole"].includes(extent.kind), extent.kind);
    end += extent.length;
  }
  assert.equal(end, offset + length, "the last ends with the range");
}
