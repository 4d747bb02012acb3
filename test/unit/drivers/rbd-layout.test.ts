import { describe, expect, it } from "vitest";

import { completed } from "../../../src/drivers/rbd-layout.js";
import type { NativeRbdFacts } from "../../../src/native-rbd.js";

const MiB = 1024 ** 2;
const KiB = 1024;

function facts(changes: Partial<NativeRbdFacts> = {}): NativeRbdFacts {
  return {
    fsid: "cluster",
    id: "1234",
    size: 10 * MiB,
    features: ["layering", "exclusive-lock"],
    objectSize: 4 * MiB,
    stripeUnit: 4 * MiB,
    stripeCount: 1,
    dataPool: "",
    meta: [],
    ...changes,
  };
}

const striped = { stripeUnit: 64 * KiB, stripeCount: 4, features: ["layering", "striping"] };

describe("a new image that is to be like another", () => {
  it.each([
    ["nothing told", {}, {}, { objectSize: 4 * MiB, features: ["layering", "exclusive-lock"] }],
    ["no features at all", {}, { features: [] }, { objectSize: 4 * MiB, features: [] }],
    ["its stripes", {}, striped, { objectSize: 4 * MiB, ...striped }],
    [
      "another object size into which they fit",
      { objectSize: MiB },
      striped,
      { objectSize: MiB, ...striped },
    ],
    [
      "other features",
      { features: ["layering"] },
      {},
      { objectSize: 4 * MiB, features: ["layering"] },
    ],
    [
      "other stripes",
      { stripeUnit: MiB, stripeCount: 2 },
      striped,
      { objectSize: 4 * MiB, stripeUnit: MiB, stripeCount: 2, features: ["layering", "striping"] },
    ],
  ] as const)("has %s", (_what, told, changes, expected) => {
    const { options, notKept } = completed(told, facts(changes), true);
    expect({ options, notKept }).toEqual({ options: expected, notKept: [] });
  });

  it.each([
    ["object size", { stripeUnit: 3 * KiB, stripeCount: 2 }, {}, /^the object size 4 MiB/],
    ["stripes", { objectSize: 16 * KiB }, striped, /^the stripes of 64 KiB over 4 objects/],
    ["format", {}, { id: "name:old", features: [] }, /^the image format 1/],
    ["feature", {}, { features: ["layering", "non-primary"] }, /^the feature non-primary$/],
  ] as const)("says that it does not have the %s", (_what, told, changes, lost) => {
    const { notKept } = completed(told, facts(changes), true);
    expect(notKept).toEqual([expect.stringMatching(lost)]);
  });

  it("has the data pool in the same pool only, and says so elsewhere", () => {
    const fast = facts({ dataPool: "fast", features: ["layering", "data-pool"] });
    expect(completed({}, fast, true)).toMatchObject({ options: { dataPool: "fast" }, notKept: [] });
    const away = completed({}, fast, false);
    expect(away.options).not.toHaveProperty("dataPool");
    expect(away.notKept).toEqual([expect.stringContaining("the data pool fast")]);
    const told = completed({ dataPool: "slow" }, fast, false);
    expect(told).toMatchObject({ options: { dataPool: "slow" }, notKept: [] });
  });
});
