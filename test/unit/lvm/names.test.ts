import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  faultOfGroupName,
  faultOfVolumeName,
  mappedName,
  newSnapshotName,
  SNAPSHOT_PREFIX,
} from "../../../src/lvm/names.js";

const hostile = [
  "",
  ".",
  "..",
  "-a",
  "--yes",
  "a b",
  "a/b",
  "a\n",
  "a\0",
  'a"',
  "a?",
  "a@b",
  "ä",
  "a".repeat(128),
];

describe("names of volume groups", () => {
  it.each(["vg0", "a", "0", "+", "_x", "a.b-c+d_e", ".hidden", "a".repeat(127)])(
    "may be %s",
    (name) => {
      expect(faultOfGroupName(name)).toBeUndefined();
    },
  );

  it.each(hostile)("may not be %j", (name) => {
    expect(faultOfGroupName(name)).toBeTypeOf("string");
  });
});

describe("names of logical volumes", () => {
  // Each was accepted by lvcreate 2.03.16.
  it.each(["a", "lvol0", "a-b.c+d", "mlog", "my-snapshot", "a".repeat(121)])(
    "may be %s",
    (name) => {
      expect(faultOfVolumeName("vg0", name)).toBeUndefined();
    },
  );

  // Each was refused by it.
  it.each([
    ...hostile,
    "snapshot1",
    "pvmove0",
    "x_cdata",
    "x_cmetay",
    "x_corig",
    "x_cpool",
    "x_cvol",
    "x_imeta",
    "x_iorig",
    "x_mimage_0",
    "x_mlog",
    "lvol0_pmspare",
    "x_rimage_0",
    "x_rmeta_0",
    "x_tdata",
    "x_tmeta",
    "x_vdata",
    "x_vorigin",
    "x_wcorig",
    "a".repeat(122),
  ])("may not be %j", (name) => {
    expect(faultOfVolumeName("vg0", name)).toBeTypeOf("string");
  });

  it("counts the hyphens that device-mapper doubles", () => {
    expect(faultOfVolumeName("vg0", `a${"-".repeat(61)}`)).toBeUndefined();
    expect(faultOfVolumeName("vg0", `a${"-".repeat(62)}`)).toMatch(/too long/);
  });

  it("never let a character through that a selection or a path gives a meaning to", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        if (faultOfVolumeName("vg0", text) === undefined) {
          expect(text).toMatch(/^[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]*$/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("mappedName", () => {
  // As /dev/mapper showed them.
  it.each([
    ["vg0", "a", "vg0-a"],
    ["vg-1", "a-b.c+d", "vg--1-a--b.c+d"],
    ["a--b", "c", "a----b-c"],
  ])("of %s and %s is %s", (vg, lv, mapped) => {
    expect(mappedName(vg, lv)).toBe(mapped);
  });

  it("differs for different volumes", () => {
    const name = fc
      .stringMatching(/^[ab+][ab+-]{0,5}$/)
      .filter((text) => faultOfGroupName(text) === undefined);
    fc.assert(
      fc.property(name, name, name, name, (vg, lv, otherVg, otherLv) => {
        fc.pre(vg !== otherVg || lv !== otherLv);
        // A name may end in a hyphen; none begins with one.
        expect(mappedName(vg, lv)).not.toBe(mappedName(otherVg, otherLv));
      }),
      { numRuns: 5000 },
    );
  });
});

it("newSnapshotName is ours, well formed, and another one each time", () => {
  const names = Array.from({ length: 50 }, newSnapshotName);
  expect(new Set(names).size).toBe(50);
  for (const name of names) {
    expect(name.startsWith(SNAPSHOT_PREFIX)).toBe(true);
    expect(faultOfVolumeName("vg0", name)).toBeUndefined();
  }
});
