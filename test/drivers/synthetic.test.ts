import { openVolume } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { describe, expect, it } from "vitest";

import { syntheticDriver } from "../../src/drivers/synthetic.js";

/** Nothing can be written to them, so the suite asks only what it asks of a driver that reads. */
const readingDriver = {
  ...syntheticDriver,
  supports: { ...syntheticDriver.supports, write: false, create: false as const },
};

for (const kind of ["zero", "pattern"]) {
  testDriver({
    test: { describe, it },
    driver: readingDriver,
    label: `synthetic, ${kind}`,
    provide: (size) => ({ ref: `${kind}:${size}` }),
    malformedRefs: [
      "zero:",
      "zero:x",
      "zero:1:2",
      "pattern:",
      "pattern:1M:x",
      "pattern:1:2:3",
      "null:x",
    ],
  });
}

describe("pattern:", () => {
  /** The bytes as native/volume/synthetic_volume.h defines them. */
  const word = (seed: bigint, index: bigint) => {
    const mask = 2n ** 64n - 1n;
    let z = ((seed + index + 1n) * 0x9e3779b97f4a7c15n) & mask;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };

  it("has the bytes of its definition", async () => {
    await using volume = await openVolume("pattern:1MiB:7");
    const buffer = Buffer.alloc(16);
    await volume.read(buffer, { position: 800 });
    expect(buffer.readBigUInt64LE(0)).toBe(word(7n, 100n));
    expect(buffer.readBigUInt64LE(8)).toBe(word(7n, 101n));
  });

  it("cannot be written to", async () => {
    const opening = openVolume("pattern:1MiB:7", { mode: "write" });
    await expect(opening).rejects.toMatchObject({ code: "ERR_READ_ONLY" });
  });
});

describe("null:", () => {
  it("needs a size to be read, and none to be written", async () => {
    await expect(openVolume("null:")).rejects.toMatchObject({ code: "ERR_INVALID_REF" });
    await using sink = await openVolume("null:", { mode: "write" });
    expect(sink.size).toBeGreaterThan(1024 ** 5);
    await using sized = await openVolume("null:4096");
    expect(sized.size).toBe(4096);
  });

  it("is as large as it is asked to be", async () => {
    await using sink = await openVolume("null:", { mode: "write", create: { size: 12345n } });
    expect(sink.size).toBe(12345);
  });
});
