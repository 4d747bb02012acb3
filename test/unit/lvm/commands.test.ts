import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  activateArgs,
  createThickArgs,
  createThinArgs,
  deactivateArgs,
  extendArgs,
  removeArgs,
  renameArgs,
  snapshotStoreSize,
  thickSnapshotArgs,
  thinCopyArgs,
  thinSnapshotArgs,
} from "../../../src/lvm/commands.js";
import type { LogicalVolume } from "../../../src/lvm/report.js";
import { failure } from "../../../src/lvm/run.js";
import { allocatedBytes } from "../../../src/lvm/volumes.js";
import { aVolume } from "./a-volume.js";

const volume = aVolume;
const { uuid } = volume;

describe("the arguments of changes", () => {
  it("mark a copy within a pool in the step that makes it", () => {
    expect(thinCopyArgs(volume, "copy", "mark").join(" ")).toBe(
      "lvcreate --addtag mark --yes -s -kn -n copy vg0/a",
    );
  });

  it("extend to a size in bytes, and rename", () => {
    expect(extendArgs(volume, 4096).join(" ")).toBe("lvextend --yes -L 4096b vg0/a");
    expect(renameArgs(volume, "b").join(" ")).toBe("lvrename --yes vg0 a b");
  });

  it("make volumes of a size in bytes", () => {
    expect(createThickArgs({ vg: "vg0", lv: "a" }, 4096).join(" ")).toBe(
      "lvcreate --yes -Wy -Zy -n a -L 4096b vg0",
    );
    expect(createThinArgs({ vg: "vg0", lv: "a" }, 4096, "pool").join(" ")).toBe(
      "lvcreate --yes -n a -V 4096b --thinpool pool vg0",
    );
  });

  it("take snapshots that are active at once, a thick one with a store", () => {
    expect(thinSnapshotArgs(volume, "s").join(" ")).toBe("lvcreate --yes -s -kn -n s vg0/a");
    expect(thickSnapshotArgs(volume, "s", 8192).join(" ")).toBe(
      "lvcreate --yes -s -c 4096b -n s -L 8192b vg0/a",
    );
  });

  it("name what exists by its UUID too", () => {
    for (const args of [removeArgs(volume), activateArgs(volume), deactivateArgs(volume)]) {
      expect(args[args.indexOf("-S") + 1]).toContain(`lv_uuid="${uuid}"`);
      expect(args.at(-1)).toBe("vg0/a");
    }
    // Of two groups of one name LVM finds neither by it.
    const inAllGroups = [removeArgs, activateArgs, deactivateArgs].map((args) =>
      args(volume, { inAllGroups: true }),
    );
    for (const args of inAllGroups) {
      expect(args.at(-1)).toContain(`lv_uuid="${uuid}"`);
      expect(args).not.toContain("vg0/a");
    }
    // LVM removes an origin's thick snapshots with it.
    expect(removeArgs(volume)).toContain(`lv_uuid="${uuid}" && lv_role!=thickorigin`);
  });
});

describe("snapshotStoreSize", () => {
  it("is what LVM takes for the most that a snapshot can fill", () => {
    // 2048 chunks, 8 areas of their table: LVM 2.03.16 made 129 extents of 64 KiB of 100%ORIGIN.
    expect(Math.ceil(snapshotStoreSize(8 << 20) / 65536)).toBe(129);
    expect(snapshotStoreSize(0)).toBe(8192);
  });

  it("holds every chunk and its entry", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (size) => {
        const store = snapshotStoreSize(size);
        expect(store).toBeGreaterThanOrEqual(size * (1 + 1 / 256) + 4096);
        expect(store).toBeLessThan(size * (1 + 1 / 256) + 5 * 4096);
      }),
    );
  });
});

describe("allocatedBytes", () => {
  it.each<[string, Partial<LogicalVolume>, number | undefined]>([
    ["all of a thick volume", {}, 1 << 20],
    ["the part of a thin one", { layout: ["thin", "sparse"], dataPercent: 12.5 }, 131072],
    ["nothing that is not known", { layout: ["thin", "sparse"] }, undefined],
    ["nothing of a thick snapshot", { roles: ["public", "thicksnapshot"] }, undefined],
  ])("is %s", (_, changes, bytes) => {
    expect(allocatedBytes({ ...volume, ...changes })).toBe(bytes);
  });
});

it("a failure quotes LVM's first line that is no warning", () => {
  const stderr =
    "  WARNING: something\n  Fix duplicate VG names with vgrename uuid.\n\n  Logical volume vg0/a in use.\n  more\n";
  const { message } = failure("could not remove vg0/a", { status: 5, stdout: "", stderr });
  expect(message).toBe("LVM could not remove vg0/a: Logical volume vg0/a in use.");
  const silent = failure("failed", { status: 5, stdout: "", stderr: "" });
  expect(silent.message).toBe("LVM failed: exit status 5");
  const idle = failure("could not do it", { status: 0, stdout: "", stderr: "" });
  expect(idle.message).toBe("LVM could not do it: it says that it did, and nothing has changed");
});
