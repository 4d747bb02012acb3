import { describe, expect, it } from "vitest";

import { lvmPlaces } from "../../../src/drivers/lvm-place.js";

describe("a place of LVM's", () => {
  it("makes thin volumes in its pool, unless they are to be thick", () => {
    const thin = { vg: "vg0", thin: "pool" };
    expect(lvmPlaces.createOptions?.(thin, undefined)).toEqual({ thinPool: "pool" });
    expect(lvmPlaces.createOptions?.(thin, "thin")).toEqual({ thinPool: "pool" });
    expect(lvmPlaces.createOptions?.(thin, "thick")).toEqual({});
    expect(lvmPlaces.createOptions?.({ vg: "vg0" }, "thin")).toEqual({});
  });

  it("has the volumes of its group", () => {
    expect(lvmPlaces.locate({ vg: "vg0" }, "disk-1")).toEqual({ vg: "vg0", lv: "disk-1" });
    for (const name of ["", "..", "a/b", "-x", "x_tdata", "pvmove1", "a".repeat(128)]) {
      expect(() => lvmPlaces.locate({ vg: "vg0" }, name)).toThrowError(
        expect.objectContaining({ code: "ERR_INVALID_REF" }),
      );
    }
  });

  it.each([
    [{ vg: "vg0" }, true],
    [{ vg: "vg-1", thin: "pool" }, true],
    [{}, false],
    [{ vg: "--yes" }, false],
    [{ vg: "vg0", thin: "a/b" }, false],
    [{ vg: "vg0", thin: 1 }, false],
    [{ vg: "vg0", pool: "pool" }, false],
  ])("is named by %j: %j", async (settings, isFine) => {
    const { issues } = await lvmPlaces.settings["~standard"].validate(settings);
    expect(issues === undefined).toBe(isFine);
  });
});
