import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatLvmRef, parseLvmRef } from "../../../src/drivers/lvm-ref.js";
import { BlockhaulError } from "../../../src/errors.js";

const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });

describe("parseLvmRef", () => {
  it("reads a volume group and a volume", () => {
    expect(parseLvmRef("lvm:vg0/disk-1")).toEqual({ vg: "vg0", lv: "disk-1" });
    expect(parseLvmRef("lvm:vg-1/a.b+c_d")).toEqual({ vg: "vg-1", lv: "a.b+c_d" });
  });

  it.each([
    "lvm",
    "lvm:",
    "lvm:vg0",
    "lvm:vg0/",
    "lvm:/a",
    "lvm:vg0//a",
    "lvm:vg0/a/b",
    "lvm:/dev/vg0/a",
    "lvm:../a",
    "lvm:vg0/..",
    "lvm:-n/a",
    "lvm:vg0/--yes",
    "lvm:vg0/a b",
    "lvm:vg0/a\n",
    "lvm:vg0/a\0",
    'lvm:vg0/a" || lv_name="b',
    "lvm:vg0/a@b",
    "lvm:vg0/snapshot1",
    "lvm:vg0/pool_tdata",
    `lvm:vg0/${"a".repeat(128)}`,
    "rbd:vg0/a",
  ])("refuses %j", (ref) => {
    expect(() => parseLvmRef(ref)).toThrowError(invalid);
  });

  it("throws nothing but BlockhaulErrors with ERR_INVALID_REF, whatever it gets", () => {
    const piece = fc.oneof(fc.constantFrom("/", "?", "&", "=", ".", "-", "vg0"), fc.string());
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          parseLvmRef(`lvm:${pieces.join("")}`);
        } catch (error) {
          expect(error).toBeInstanceOf(BlockhaulError);
          expect(error).toMatchObject({ code: "ERR_INVALID_REF" });
        }
      }),
      { numRuns: 5000 },
    );
  });
});

it("formatLvmRef gives a ref that is read as the same location again", () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9+_][a-zA-Z0-9+_.-]{0,20}$/);
  fc.assert(
    fc.property(name, name, (vg, lv) => {
      try {
        const location = parseLvmRef(`lvm:${vg}/${lv}`);
        expect(parseLvmRef(formatLvmRef(location))).toEqual(location);
      } catch (error) {
        // A reserved name.
        if (!(error instanceof BlockhaulError)) throw error;
        fc.pre(false);
      }
    }),
  );
});
