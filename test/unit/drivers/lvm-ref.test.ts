import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { checkPortal } from "../../../src/connectors/iscsi/names.js";
import { formatLvmRef, type LvmExport, parseLvmRef } from "../../../src/drivers/lvm-ref.js";
import { BlockhaulError } from "../../../src/errors.js";

const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });

describe("parseLvmRef", () => {
  it("reads a volume group and a volume", () => {
    expect(parseLvmRef("lvm:vg0/disk-1")).toEqual({ vg: "vg0", lv: "disk-1" });
    expect(parseLvmRef("lvm:vg-1/a.b+c_d")).toEqual({ vg: "vg-1", lv: "a.b+c_d" });
  });

  const portal = { host: "127.0.0.1", port: 3260 };

  it.each<[string, LvmExport]>([
    ["export=iscsi", { target: "lio", portal }],
    ["export=iscsi&target=tgt", { target: "tgt", portal }],
    ["portal=10.0.0.1&export=iscsi", { target: "lio", portal: { host: "10.0.0.1", port: 3260 } }],
    [
      "export=iscsi&target=lio&portal=[FD00::1]:3261",
      { target: "lio", portal: { host: "fd00::1", port: 3261 } },
    ],
  ])("reads how a volume is exported: %s", (query, exported) => {
    expect(parseLvmRef(`lvm:vg0/a?${query}`)).toEqual({ vg: "vg0", lv: "a", export: exported });
  });

  it.each([
    "lvm:vg0/a?",
    "lvm:vg0/a?export",
    "lvm:vg0/a?export=",
    "lvm:vg0/a?export=nbd",
    "lvm:vg0/a?target=lio",
    "lvm:vg0/a?export=iscsi&export=iscsi",
    "lvm:vg0/a?export=iscsi&target=scst",
    "lvm:vg0/a?export=iscsi&wwn=1",
    "lvm:vg0/a?export=iscsi&portal=",
    "lvm:vg0/a?export=iscsi&portal=storage-1",
    "lvm:vg0/a?export=iscsi&portal=0.0.0.0",
    "lvm:vg0/a?export=iscsi&portal=[::]",
    "lvm:vg0/a?export=iscsi&portal=127.0.0.1:0",
    "lvm:vg0/a?export=iscsi&portal=127.0.0.1/../x",
    "lvm:vg0/a?export=iscsi#",
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
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((host) => !/^[0:.]+$/.test(host));
  const exported: fc.Arbitrary<LvmExport> = fc.record({
    target: fc.constantFrom("lio", "tgt"),
    portal: fc
      .record({ host: address, port: fc.integer({ min: 1, max: 65_535 }) })
      .map((written) => checkPortal(written)),
  });
  fc.assert(
    fc.property(name, name, fc.option(exported, { nil: undefined }), (vg, lv, how) => {
      try {
        const location = { ...parseLvmRef(`lvm:${vg}/${lv}`), ...(how && { export: how }) };
        expect(parseLvmRef(formatLvmRef(location))).toEqual(location);
      } catch (error) {
        // A reserved name.
        if (!(error instanceof BlockhaulError)) throw error;
        fc.pre(false);
      }
    }),
  );
});
