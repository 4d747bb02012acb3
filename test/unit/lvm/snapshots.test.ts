import { describe, expect, it } from "vitest";

import { COPY_MARK, newSnapshotName } from "../../../src/lvm/names.js";
import type { LogicalVolume } from "../../../src/lvm/report.js";
import { byAge, isSnapshot } from "../../../src/lvm/snapshots.js";
import { aVolume } from "./a-volume.js";

const thin = { layout: ["thin", "sparse"], pool: "pool" };

describe("isSnapshot", () => {
  it.each<[string, Partial<LogicalVolume>, boolean]>([
    ["a thick volume", {}, false],
    ["a thick snapshot", { roles: ["public", "snapshot", "thicksnapshot"], origin: "a" }, true],
    ["a thin volume", thin, false],
    [
      "a thin snapshot",
      { ...thin, roles: ["public", "snapshot", "thinsnapshot"], origin: "a" },
      true,
    ],
    ["one of ours whose origin is gone", { ...thin, name: newSnapshotName() }, true],
    [
      "a copy within a pool, its source there",
      { ...thin, roles: ["public", "snapshot", "thinsnapshot"], origin: "a", tags: [COPY_MARK] },
      false,
    ],
    ["a copy within a pool, its source gone", { ...thin, tags: ["x", COPY_MARK] }, false],
    [
      "one with a tag of somebody's",
      { ...thin, roles: ["public", "snapshot", "thinsnapshot"], tags: ["x"] },
      true,
    ],
  ])("of %s", (_, facts, expected) => {
    expect(isSnapshot({ ...aVolume, ...facts })).toBe(expected);
  });
});

describe("byAge", () => {
  it("puts the oldest first, within a second by their numbers in the pool", () => {
    const snapshot = (name: string, createdAt: number, thinId?: number) => ({
      ...aVolume,
      name,
      createdAt,
      thinId,
    });
    const all = [
      snapshot("a", 200, 9),
      snapshot("b", 200, 10),
      snapshot("c", 100, 11),
      snapshot("d", 200, 8),
      snapshot("e", 50),
    ];
    expect(all.sort(byAge).map(({ name }) => name)).toEqual(["e", "c", "d", "a", "b"]);
  });
});
