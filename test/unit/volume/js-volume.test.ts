import { describe, expect, it } from "vitest";

import type { Extent } from "../../../src/driver.js";
import { coverRange } from "../../../src/volume/js-volume.js";

const extent = (offset: number, length: number, kind: Extent["kind"]): Extent => ({
  offset,
  length,
  kind,
});

describe("coverRange", () => {
  it("takes what no extent names for data", async () => {
    expect(await coverRange([], 10, 5)).toEqual([extent(10, 5, "data")]);
    expect(await coverRange([extent(10, 5, "hole"), extent(20, 5, "zero")], 0, 30)).toEqual([
      extent(0, 10, "data"),
      extent(10, 5, "hole"),
      extent(15, 5, "data"),
      extent(20, 5, "zero"),
      extent(25, 5, "data"),
    ]);
  });

  it("cuts what reaches beyond the range", async () => {
    expect(await coverRange([extent(0, 100, "hole")], 10, 5)).toEqual([extent(10, 5, "hole")]);
    const around = [extent(0, 5, "hole"), extent(5, 10, "data"), extent(90, 5, "hole")];
    expect(await coverRange(around, 10, 5)).toEqual([extent(10, 5, "data")]);
  });

  it("answers with the part of a long list that it has looked at", async () => {
    let made = 0;
    const endless = (function* () {
      for (;;) {
        made += 1;
        yield extent((made - 1) * 2, 2, made % 2 === 0 ? "data" : "hole");
      }
    })();
    const covered = await coverRange(endless, 0, 2 ** 40);
    expect(covered).toHaveLength(4096);
    expect(made).toBe(4096);
  });

  it.each([
    [[extent(5, 5, "data"), extent(0, 5, "data")]],
    [[extent(0, 6, "data"), extent(5, 5, "data")]],
    [[extent(0, -1, "data")]],
    [[extent(0.5, 1, "data")]],
    [[extent(0, 1, "junk" as never)]],
  ])("refuses %j", async (extents) => {
    await expect(coverRange(extents, 0, 100)).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  });
});
