import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type SyntheticLocation, syntheticDriver } from "../../../src/drivers/synthetic.js";

describe("the refs of synthetic volumes", () => {
  it.each<[string, SyntheticLocation]>([
    ["null:", { kind: "null", size: undefined }],
    ["null:1M", { kind: "null", size: 1024 ** 2 }],
    ["zero:64GiB", { kind: "zero", size: 64 * 1024 ** 3 }],
    ["pattern:512", { kind: "pattern", size: 512, seed: 0 }],
    ["pattern:1.5k:9007199254740991", { kind: "pattern", size: 1536, seed: 2 ** 53 - 1 }],
  ])("%s is read", (ref, location) => {
    expect(syntheticDriver.parseRef(ref)).toEqual(location);
  });

  it.each([
    "zero:",
    "zero:x",
    "zero:1:2",
    "null:1:2",
    "pattern:",
    "pattern:1:",
    "pattern:1:-1",
    "pattern:1:1.5",
    "pattern:1:9007199254740992",
    "pattern:1:1:1",
    "other:1",
  ])("%s is refused", (ref) => {
    expect(() => syntheticDriver.parseRef(ref)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_REF" }),
    );
  });

  it("are formatted such that they are read the same again", () => {
    const size = fc.maxSafeNat();
    const location: fc.Arbitrary<SyntheticLocation> = fc.oneof(
      fc.record({ kind: fc.constant("null" as const), size: fc.option(size, { nil: undefined }) }),
      fc.record({ kind: fc.constant("zero" as const), size }),
      fc.record({ kind: fc.constant("pattern" as const), size, seed: fc.maxSafeNat() }),
    );
    fc.assert(
      fc.property(location, (before) => {
        const ref = syntheticDriver.formatRef?.(before) ?? "";
        expect(syntheticDriver.parseRef(ref)).toEqual(before);
      }),
    );
  });
});
