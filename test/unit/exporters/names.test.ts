import { describe, expect, it } from "vitest";

import { faultOfTargetName } from "../../../src/connectors/iscsi/names.js";
import { parseInitiatorName } from "../../../src/exporters/initiator-name.js";
import {
  chapUser,
  checkDevicePath,
  exportPortal,
  lioBackstore,
  lioHba,
  targetName,
  unitSerial,
} from "../../../src/exporters/names.js";

const id = "0123456789ab";

describe("the names of an export", () => {
  it("follow from its id, and are well formed", () => {
    expect(targetName(id)).toBe("iqn.2026-11.blockhaul:0123456789ab");
    expect(faultOfTargetName(targetName(id))).toBeUndefined();
    expect(lioBackstore(id)).toBe("blockhaul-0123456789ab");
    expect(chapUser(id)).toBe("blockhaul-0123456789ab");
  });

  it("say the same of the same volume each time", () => {
    expect(unitSerial("LVM-a")).toMatch(/^[0-9a-f]{32}$/);
    expect(unitSerial("LVM-a")).toBe(unitSerial("LVM-a"));
    expect(unitSerial("LVM-a")).not.toBe(unitSerial("LVM-b"));
  });

  it("lie far from the numbers that others count up", () => {
    expect(lioHba(id)).toBe(`iblock_${0x40000000 + 0x0123456}`);
    expect(lioHba("ffffffffffff")).toBe(`iblock_${0x4fffffff}`);
  });

  it.each(["", "0123456789a", "0123456789AB", "0123456789ab/..", "../../../../x"])(
    "are not made of %j",
    (other) => {
      for (const name of [targetName, lioHba, lioBackstore, chapUser]) {
        expect(() => name(other)).toThrowError(expect.objectContaining({ code: "ERR_INTERNAL" }));
      }
    },
  );
});

describe("checkDevicePath", () => {
  it.each(["/dev/sda", "/dev/mapper/vg0-a--b.c+d", "/dev/disk/by-path/ip-10.0.0.1:3260"])(
    "takes %s",
    (path) => expect(checkDevicePath(path)).toBe(path),
  );

  it.each([
    "",
    "sda",
    "/etc/passwd",
    "/dev/../etc/passwd",
    "/dev/sda,readonly=1",
    "/dev/a b",
    "/dev/a\n",
    "--op",
  ])("refuses %j", (path) => {
    expect(() => checkDevicePath(path)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});

describe("exportPortal", () => {
  it("is one address of this host", () => {
    expect(exportPortal({ host: "10.0.0.1", port: 3260 })).toBe("10.0.0.1:3260");
    expect(exportPortal({ host: "::1", port: 3260 })).toBe("[::1]:3260");
    for (const host of ["0.0.0.0", "::", "localhost"]) {
      expect(() => exportPortal({ host, port: 3260 })).toThrowError(
        expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
      );
    }
  });
});

describe("parseInitiatorName", () => {
  it.each([
    ["InitiatorName=iqn.1993-08.org.debian:01:abc\n", "iqn.1993-08.org.debian:01:abc"],
    [
      "## comment\n#InitiatorName=iqn.2001-01.x:a\nInitiatorName=iqn.2002-02.y:b  \n",
      "iqn.2002-02.y:b",
    ],
    ["", undefined],
    ["GenerateName=yes\n", undefined],
    ["InitiatorName=\n", undefined],
    ["InitiatorName=iqn.2001-01.x:a/../b\n", undefined],
  ])("of %j is %s", (text, name) => {
    expect(parseInitiatorName(text)).toBe(name);
  });
});
