import assert from "node:assert/strict";

import { openVolume, type Volume } from "blockhaul";

import { assertRejects, type Suite } from "./suite.js";

/** Closing: once, twice, in the middle of requests; and being used after it. */
export function testLifecycle({ test: { describe, it }, size, driver, withRef }: Suite): void {
  const mode = driver.supports.write ? "write" : "read";

  describe("closing", () => {
    it(
      "twice is safe, at once and later",
      withRef(async (ref) => {
        const volume = await openVolume(ref, { mode });
        await Promise.all([volume.close(), volume.close()]);
        await volume.close();
        assert.equal(volume.closed, true);
      }),
    );

    it(
      "waits for what is in flight",
      withRef(async (ref) => {
        const volume = await openVolume(ref, { mode });
        let settled = 0;
        const places = Array.from({ length: 50 }, (_, index) => (index * 60_013) % (size - 50_000));
        const requests = places.map(async (position) => {
          const buffer = Buffer.alloc(50_000);
          if (mode === "write") await volume.write(buffer, { position });
          else await volume.read(buffer, { position });
          settled += 1;
        });
        await volume.close();
        assert.equal(settled, requests.length);
        await Promise.all(requests);
      }),
    );

    it(
      "is the end of every use",
      withRef(async (ref) => {
        const volume = await openVolume(ref, { mode });
        await volume.close();
        for (const use of usesOf(volume)) await assertRejects(use, "ERR_VOLUME_CLOSED");
      }),
    );

    it(
      "leaves the volume free to be opened again",
      withRef(async (ref) => {
        for (let round = 0; round < 5; round += 1) {
          const volume = await openVolume(ref, { mode });
          await volume.read(Buffer.alloc(512), { position: 0 });
          await volume.close();
        }
      }),
    );
  });
}

function usesOf(volume: Volume): (() => Promise<unknown>)[] {
  return [
    () => volume.read(Buffer.alloc(1), { position: 0 }),
    () => volume.write(Buffer.alloc(1), { position: 0 }),
    () => volume.zero(0, 1),
    () => volume.sync(),
    () => volume.extents().next(),
    async () => volume.seek(0),
    async () => volume.createReadStream(),
    async () => volume.createWriteStream(),
  ];
}
