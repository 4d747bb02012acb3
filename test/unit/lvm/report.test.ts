import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BlockhaulError } from "../../../src/errors.js";
import {
  groupReportArgs,
  listReportArgs,
  ownerReportArgs,
  parseGroupReport,
  parseListReport,
  parseOwnerReport,
  parseVolumeReport,
  volumeReportArgs,
} from "../../../src/lvm/report.js";

/** As `lvs --binary` of LVM 2.03.16 gave it. */
const LINEAR = {
  lv_uuid: "JfEhy2-jjt1-l1Pa-JZfh-2O0X-ApJ1-LAsFVB",
  lv_name: "a",
  vg_name: "vg0",
  vg_uuid: "z7p47m-Yht7-VaGW-s3j4-9QfA-KBoI-MOyx1s",
  lv_size: "8388608",
  origin_size: "",
  lv_layout: "linear",
  lv_role: "public",
  lv_active_locally: "1",
  lv_snapshot_invalid: "-1",
  lv_device_open: "0",
  lv_attr: "owi-a-s---",
  pool_lv: "",
  origin: "",
  data_percent: "",
  zero: "-1",
  lv_kernel_major: "254",
  lv_kernel_minor: "0",
  lv_tags: "",
  lv_time: "1795783582",
  thin_id: "",
};
const GROUP = {
  vg_uuid: LINEAR.vg_uuid,
  vg_name: "vg0",
  vg_extent_size: "262144",
  vg_size: "532676608",
  vg_free: "412090368",
  vg_exported: "0",
  vg_systemid: "",
};

const volumes = (...rows: object[]) => JSON.stringify({ report: [{ lv: rows }] });
const groups = (...rows: object[]) => JSON.stringify({ report: [{ vg: rows }] });
const unreadable = expect.objectContaining({ code: "ERR_INTERNAL" });

describe("the arguments of reports", () => {
  it("select what they ask for, in bytes and flags, whatever lvm.conf says", () => {
    const args = volumeReportArgs("vg0", "a-b");
    expect(args[0]).toBe("lvs");
    expect(args).toEqual(expect.arrayContaining(["--units", "b", "--nosuffix", "--binary"]));
    expect(args.at(-1)).toBe('vg_name="vg0" && lv_name="a-b"');
    expect(args).toContain('report/time_format="%s"');
    expect(groupReportArgs("vg0").at(-1)).toBe('vg_name="vg0"');
    expect(ownerReportArgs("vg0")).toEqual(expect.arrayContaining(["--foreign", 'vg_name="vg0"']));
  });

  it("select a group by its UUID where that is what they were given", () => {
    const group = `(vg_uuid="${GROUP.vg_uuid}" || vg_name="${GROUP.vg_uuid}")`;
    expect(groupReportArgs(GROUP.vg_uuid).at(-1)).toBe(group);
    expect(volumeReportArgs(GROUP.vg_uuid, "a").at(-1)).toBe(`${group} && lv_name="a"`);
    expect(listReportArgs(GROUP.vg_uuid).at(-1)).toBe(`${group} && lv_role=public`);
  });
});

describe("parseVolumeReport", () => {
  it("reads a thick volume", () => {
    expect(parseVolumeReport(volumes(LINEAR))).toEqual({
      vg: "vg0",
      name: "a",
      uuid: LINEAR.lv_uuid,
      vgUuid: LINEAR.vg_uuid,
      size: 8388608,
      storedSize: 8388608,
      layout: ["linear"],
      roles: ["public"],
      isActive: true,
      isInvalid: false,
      isOpen: false,
      isReadOnly: false,
      pool: undefined,
      origin: undefined,
      dataPercent: undefined,
      zeroesNewBlocks: false,
      deviceNumber: "254:0",
      tags: [],
      createdAt: 1795783582,
      thinId: undefined,
    });
  });

  it("reads a thin volume, its pool, and one that is inactive", () => {
    const thin = { lv_layout: "thin,sparse", pool_lv: "pool", data_percent: "12.50" };
    const marked = { thin_id: "17", lv_tags: "a,blockhaul.volume" };
    expect(parseVolumeReport(volumes({ ...LINEAR, ...thin, ...marked }))).toMatchObject({
      layout: ["thin", "sparse"],
      pool: "pool",
      dataPercent: 12.5,
      thinId: 17,
      tags: ["a", "blockhaul.volume"],
    });
    const pool = { lv_layout: "thin,pool", lv_role: "private", zero: "1" };
    expect(parseVolumeReport(volumes({ ...LINEAR, ...pool }))).toMatchObject({
      roles: ["private"],
      zeroesNewBlocks: true,
    });
    const inactive = {
      lv_active_locally: "0",
      lv_device_open: "-1",
      lv_kernel_major: "-1",
      lv_kernel_minor: "-1",
    };
    expect(parseVolumeReport(volumes({ ...LINEAR, ...inactive }))).toMatchObject({
      isActive: false,
      isOpen: false,
      deviceNumber: undefined,
    });
  });

  it("takes a thick snapshot for as large as its device is, not as its store", () => {
    const snapshot = {
      lv_role: "public,snapshot,thicksnapshot",
      lv_size: "8454144",
      origin_size: "8388608",
      origin: "a",
    };
    expect(parseVolumeReport(volumes({ ...LINEAR, ...snapshot }))).toMatchObject({
      size: 8388608,
      storedSize: 8454144,
      origin: "a",
    });
  });

  it("finds nothing in an empty report, and one volume in the rows of its segments", () => {
    expect(parseVolumeReport(volumes())).toBeUndefined();
    expect(parseVolumeReport(volumes(LINEAR, LINEAR))).toMatchObject({ name: "a" });
    const other = { ...LINEAR, lv_uuid: LINEAR.lv_uuid.replace("J", "K") };
    expect(() => parseVolumeReport(volumes(LINEAR, other))).toThrowError(unreadable);
    const listed = parseListReport(volumes({ ...LINEAR, lv_name: "first" }, other, other, LINEAR));
    expect(listed.map(({ uuid, name }) => [uuid, name])).toEqual([
      [LINEAR.lv_uuid, "first"],
      [other.lv_uuid, "a"],
    ]);
  });

  it.each(Object.keys(LINEAR))("does without no %s", (field) => {
    const { [field as keyof typeof LINEAR]: _, ...rest } = LINEAR;
    expect(() => parseVolumeReport(volumes(rest))).toThrowError(unreadable);
    expect(() => parseVolumeReport(volumes({ ...LINEAR, [field]: 1 }))).toThrowError(unreadable);
  });

  it.each([
    ["lv_size", "8.00m"],
    ["lv_size", "-1"],
    ["lv_size", "9999999999999999"],
    ["lv_uuid", "a"],
    ["lv_active_locally", "active locally"],
    ["lv_device_open", ""],
    ["data_percent", "101"],
    ["data_percent", "-1"],
    ["lv_kernel_minor", "x"],
    ["vg_name", ""],
    ["lv_time", "2026-11-27 12:46:22 +0000"],
    ["thin_id", "x"],
  ])("takes no %s of %j", (field, value) => {
    expect(() => parseVolumeReport(volumes({ ...LINEAR, [field]: value }))).toThrowError(
      unreadable,
    );
  });
});

describe("parseGroupReport", () => {
  it("reads a group, and as many as have the name", () => {
    const group = {
      name: "vg0",
      uuid: GROUP.vg_uuid,
      extentSize: 262144,
      size: 532676608,
      free: 412090368,
      isExported: false,
    };
    expect(parseGroupReport(groups(GROUP))).toEqual([group]);
    expect(parseGroupReport(groups())).toEqual([]);
    const other = { ...GROUP, vg_uuid: LINEAR.lv_uuid, vg_exported: "1" };
    expect(parseGroupReport(groups(GROUP, other))).toEqual([
      group,
      { ...group, uuid: LINEAR.lv_uuid, isExported: true },
    ]);
  });

  it("reads no group with extents of nothing", () => {
    expect(() => parseGroupReport(groups({ ...GROUP, vg_extent_size: "0" }))).toThrowError(
      unreadable,
    );
  });

  it("reads whose a group is", () => {
    expect(parseOwnerReport(groups(GROUP, { vg_systemid: "other" }))).toEqual(["", "other"]);
    expect(() => parseOwnerReport(groups({}))).toThrowError(unreadable);
  });
});

describe("both, of whatever they get,", () => {
  const rows = fc.array(
    fc.record(
      Object.fromEntries(
        Object.entries({ ...LINEAR, ...GROUP }).map(([field, value]) => [
          field,
          fc.oneof({ weight: 6, arbitrary: fc.constant(value) }, fc.string(), fc.jsonValue()),
        ]),
      ),
      { requiredKeys: [] },
    ),
    { maxLength: 3 },
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    rows.map((lv) => JSON.stringify({ report: [{ lv, vg: lv }] })),
    fc.jsonValue().map((report) => JSON.stringify({ report })),
    fc.jsonValue().map((value) => JSON.stringify({ report: [{ lv: value, vg: value }] })),
  );

  it("give something valid, nothing, or ERR_INTERNAL", () => {
    fc.assert(
      fc.property(text, (garbage) => {
        const volume = resultOf(() => parseVolumeReport(garbage));
        if (volume !== undefined) {
          expect(Number.isSafeInteger(volume.size) && volume.size >= 0).toBe(true);
          expect(volume.uuid).toMatch(/^[\w-]{38}$/);
          expect(volume.name).not.toBe("");
        }
        for (const { extentSize } of resultOf(() => parseGroupReport(garbage)) ?? []) {
          expect(extentSize).toBeGreaterThan(0);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function resultOf<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_INTERNAL") return undefined;
    throw error;
  }
}
