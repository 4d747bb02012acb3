import { expect, it } from "vitest";

import { refuseInvalid, usableGroup } from "../../../src/lvm/states.js";
import { aVolume } from "./a-volume.js";

const group = {
  name: "vg0",
  uuid: aVolume.vgUuid,
  extentSize: 4096,
  size: 4096,
  free: 0,
  isExported: false,
};
const other = { ...group, uuid: aVolume.uuid };

it("a group is the one that has the name, or none", () => {
  expect(usableGroup("vg0", [])).toBeUndefined();
  expect(usableGroup("vg0", [group])).toBe(group);
});

it("a name that several groups have names none of them", () => {
  expect(() => usableGroup("vg0", [group, other])).toThrowError(
    expect.objectContaining({
      code: "ERR_INVALID_REF",
      message: `2 volume groups are called vg0: ${group.uuid}, ${other.uuid}`,
    }),
  );
});

it("a group that is exported is none to use", () => {
  expect(() => usableGroup("vg0", [{ ...group, isExported: true }])).toThrowError(
    expect.objectContaining({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching("exported"),
    }),
  );
});

it("an invalid snapshot is none to read", () => {
  refuseInvalid(aVolume);
  expect(() => refuseInvalid({ ...aVolume, isInvalid: true })).toThrowError(
    expect.objectContaining({ code: "ERR_IO", message: expect.stringMatching("is invalid") }),
  );
});
