import { describe, expect, it } from "vitest";

import { nativeCreate } from "../../../src/drivers/rbd-create.js";

const MiB = 1024 ** 2;

describe("the options of a new image", () => {
  it("become what librbd takes", () => {
    expect(nativeCreate({ size: 5 }, "rbd:x")).toEqual({ size: 5 });
    const all = {
      size: 5,
      objectSize: 8 * MiB,
      features: ["layering", "fast-diff"],
      dataPool: "ec",
      stripeUnit: 64 * 1024,
      stripeCount: 4,
    };
    expect(nativeCreate(all, "rbd:x")).toEqual({
      size: 5,
      order: 23,
      features: ["layering", "fast-diff"],
      dataPool: "ec",
      stripeUnit: 64 * 1024,
      stripeCount: 4,
    });
  });

  it.each([
    { objectSize: 3 * MiB },
    { objectSize: 2048 },
    { objectSize: 64 * MiB },
    { features: ["layering", "speed"] },
    { dataPool: "" },
    { stripeUnit: 4096 },
    { stripeCount: 4 },
    { stripeUnit: 3000, stripeCount: 4 },
    { stripeUnit: 8 * MiB, stripeCount: 4 },
    { stripeUnit: 4096, stripeCount: 0 },
    { stripeUnit: 4096, stripeCount: 1.5 },
  ])("are refused as %j", (options) => {
    expect(() => nativeCreate({ size: 5, ...options }, "rbd:x")).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});
