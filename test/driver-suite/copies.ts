import assert from "node:assert/strict";
import { open, readFile, truncate } from "node:fs/promises";
import path from "node:path";

import { copyVolume, openVolume } from "blockhaul";

import {
  assertRejects,
  assertSameBytes,
  randomBytes,
  readRange,
  type Suite,
  sha256,
  using,
  withFolder,
} from "./suite.js";
import { fill } from "./writing.js";

/** The engine between this driver's volumes and others, judged by the bytes themselves. */
export function testCopies(suite: Suite): void {
  const { describe, it } = suite.test;
  const { size, withVolume } = suite;

  describe("copying", () => {
    it(
      "out gives the same bytes",
      withVolume("read", (volume) =>
        withFolder(async (folder) => {
          const file = path.join(folder, "out.img");
          await using(file, { mode: "write", create: { size } }, async (target) => {
            const report = await copyVolume(volume, target);
            assert.equal(report.size, size);
            assert.equal(report.written + report.zeroed + report.skipped, size);
          });
          assertSameBytes(await readFile(file), await readRange(volume), "copy");
        }),
      ),
    );

    if (suite.driver.supports.write) testCopiesIn(suite);
  });
}

function testCopiesIn(suite: Suite): void {
  const { it } = suite.test;
  const { size, sizeFor, withRef, withVolume } = suite;

  it(
    "in and out again gives the same bytes",
    withVolume("write", (volume) =>
      withFolder(async (folder) => {
        const file = path.join(folder, "out.img");
        const source = await openVolume(`pattern:${size}:7`);
        const target = await openVolume(file, { mode: "write", create: { size } });
        try {
          const first = await copyVolume(source, volume, { requestSize: 64 * 1024, requests: 7 });
          const second = await copyVolume(volume, target, { threads: 2 });
          assert.equal(second.digest, first.digest);
          const expected = sha256(await readRange(source));
          assert.equal(sha256(await readRange(volume)), expected);
          assert.equal(sha256(await readFile(file)), expected);
        } finally {
          await Promise.all([source.close(), target.close()]);
        }
      }),
    ),
  );

  it(
    "zeros over other bytes leaves nothing of them",
    withVolume("write", (volume) =>
      withFolder(async (folder) => {
        const file = path.join(folder, "sparse.img");
        await writeSparse(file, size);
        await fill(volume, "what was there before");
        for (const useExtents of [true, false]) {
          await using(file, {}, (source) => copyVolume(source, volume, { useExtents }));
          assertSameBytes(await readRange(volume), await readFile(file), "copy");
        }
      }),
    ),
  );

  it(
    "a smaller volume leaves what lies behind it",
    withVolume("write", async (volume) => {
      const before = await fill(volume, "before");
      const length = sizeFor(1024 ** 2 + 1);
      await using(`pattern:${length}:3`, {}, async (source) => {
        await copyVolume(source, volume);
        const expected = Buffer.concat([await readRange(source), before.subarray(length)]);
        assertSameBytes(await readRange(volume), expected, "volume");
      });
    }),
  );

  it(
    "a larger volume is refused before anything is written",
    withVolume("write", async (volume) => {
      const before = await fill(volume, "before");
      await using(`pattern:${size + 1}:1`, {}, async (source) => {
        await assertRejects(() => copyVolume(source, volume), "ERR_TARGET_TOO_SMALL");
      });
      assertSameBytes(await readRange(volume), before, "what it held");
    }),
  );

  it(
    "onto itself is refused",
    withRef((ref) =>
      using(ref, { mode: "write" }, async (target) => {
        await assertRejects(() => copyVolume(target, target), "ERR_SAME_VOLUME");
        await assertRejects(
          () => using(ref, {}, (source) => copyVolume(source, target)),
          "ERR_SAME_VOLUME",
          "ERR_IN_USE",
        );
      }),
    ),
  );

  it(
    "can be stopped, and done again",
    withVolume("write", async (volume) => {
      const stop = new AbortController();
      await using(`pattern:${size}:5`, {}, async (source) => {
        const stopped = copyVolume(source, volume, {
          bandwidthLimit: size,
          signal: stop.signal,
          progressIntervalMs: 20,
          onProgress: () => stop.abort(new Error("enough")),
        });
        const error = await assertRejects(() => stopped, "ERR_CANCELLED");
        assert.equal((error.cause as Error).message, "enough");
        await copyVolume(source, volume);
        assertSameBytes(await readRange(volume), await readRange(source), "second copy");
      });
    }),
  );
}

/** A file with holes, written zeros, and data in pieces of different sizes. */
async function writeSparse(file: string, size: number): Promise<void> {
  const handle = await open(file, "w");
  await handle.write(randomBytes("start", 5000), 0, 5000, 0);
  await handle.write(Buffer.alloc(200_000), 0, 200_000, 100_000);
  await handle.write(randomBytes("middle", 70_001), 0, 70_001, 1_000_001);
  await handle.write(randomBytes("end", 1), 0, 1, size - 1);
  await handle.close();
  await truncate(file, size);
}
