import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BlockhaulError } from "../../../src/errors.js";
import { parseTargets } from "../../../src/exporters/tgt-output.js";

/** As tgtadm 1.0.85 printed it. */
const lun = (number: number, path: string, serial: string) => `\
        LUN: ${number}
            Type: ${number === 0 ? "controller" : "disk"}
            SCSI ID: IET     00010000
            SCSI SN: ${serial}
            Size: 67 MB, Block size: 512
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: ${number === 0 ? "null" : "rdwr"}
            Backing store path: ${path}
            Backing store flags: ${number === 0 ? "" : "direct"}
`;
const target = (tid: number, iqn: string, { nexus = "", luns = "", acl = "" } = {}) => `\
Target ${tid}: ${iqn}
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
${nexus}    LUN information:
${lun(0, "None", "beaf10")}${luns}    Account information:
    ACL information:
${acl}`;
const nexus = (alias: string) => `\
        I_T nexus: 1
            Initiator: iqn.2024-01.org.test:guest alias: ${alias}
            Connection: 0
                IP Address: 127.0.0.1
`;

describe("parseTargets", () => {
  it("reads targets, their LUNs, and whom they let in", () => {
    const text =
      target(1, "iqn.2026-11.blockhaul:a", {
        nexus: nexus("uml"),
        luns: lun(1, "/dev/mapper/vg0-a", "0123456789abcdef"),
        acl: "        127.0.0.1\n        iqn.2024-01.org.test:guest\n",
      }) + target(7, "iqn.2001-04.org.test:other");
    expect(parseTargets(text)).toEqual([
      {
        tid: 1,
        iqn: "iqn.2026-11.blockhaul:a",
        luns: [
          { lun: 0, path: "None", serial: "beaf10" },
          { lun: 1, path: "/dev/mapper/vg0-a", serial: "0123456789abcdef" },
        ],
        admitted: ["127.0.0.1", "iqn.2024-01.org.test:guest"],
      },
      {
        tid: 7,
        iqn: "iqn.2001-04.org.test:other",
        luns: [{ lun: 0, path: "None", serial: "beaf10" }],
        admitted: [],
      },
    ]);
    expect(parseTargets("")).toEqual([]);
  });

  it("is not led to another's target by an initiator's alias", () => {
    const rest = "    LUN information:\n    Account information:\n    ACL information:\n";
    const alias = `x\n${rest}${target(7, "iqn.2026-11.blockhaul:a").trimEnd()}`;
    const text = (other: string) =>
      target(1, "iqn.2024-01.org.test:t", { nexus: nexus(alias) }) + target(7, other);
    for (const other of ["iqn.2001-04.org.test:other", "iqn.2026-11.blockhaul:a"]) {
      expect(() => parseTargets(text(other))).toThrowError(/twice/);
    }
  });

  it.each([
    "tgtadm: something else\n",
    "Target x: iqn\n",
    "Target 1: \n",
    "Target 1: iqn.2026-11.blockhaul:a\n",
    target(1, "a").replace("    LUN information:", "    Units:"),
    target(1, "a").replace("Backing store path: None", ""),
    target(1, "a") + target(2, "a"),
  ])("refuses %j", (text) => {
    expect(() => parseTargets(text)).toThrowError(
      expect.objectContaining({ code: "ERR_INTERNAL" }),
    );
  });

  it("gives distinct targets or ERR_INTERNAL, whatever it gets", () => {
    const whole = target(1, "iqn.2026-11.blockhaul:a", {
      luns: lun(1, "/dev/a", "0"),
      acl: "        ALL\n",
    });
    const line = fc.oneof(fc.constantFrom(...whole.split("\n")), fc.string());
    const text = fc.oneof(
      fc.array(line).map((lines) => lines.join("\n")),
      fc
        .tuple(fc.nat(whole.length), fc.nat(40), fc.string())
        .map(([at, length, other]) => whole.slice(0, at) + other + whole.slice(at + length)),
    );
    fc.assert(
      fc.property(text, (garbage) => {
        try {
          const targets = parseTargets(garbage);
          expect(new Set(targets.map(({ tid }) => tid)).size).toBe(targets.length);
          for (const { tid, luns } of targets) {
            expect(Number.isSafeInteger(tid)).toBe(true);
            for (const each of luns) expect(each.path).not.toBe("");
          }
        } catch (error) {
          if (!(error instanceof BlockhaulError)) throw error;
          expect(error.code).toBe("ERR_INTERNAL");
        }
      }),
      { numRuns: 3000 },
    );
  });
});
