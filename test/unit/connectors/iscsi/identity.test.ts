import { describe, expect, it } from "vitest";

import { bareWwid, fateOf, isSameVolume } from "../../../../src/connectors/iscsi/identity.js";

const volume = { wwid: "naa.6001405aaaaaaaaa", serial: "disk-1", size: 4096 };

describe("a device", () => {
  it("is the same volume after it was resized", () => {
    expect(isSameVolume(volume, { ...volume, size: 8192 })).toBe(true);
    const { wwid: _, ...numbered } = volume;
    expect(isSameVolume(numbered, { ...numbered, size: 8192 })).toBe(true);
  });

  it("is another volume where it says so, whatever its size", () => {
    expect(isSameVolume(volume, { ...volume, serial: "disk-2" })).toBe(false);
    expect(isSameVolume(volume, { ...volume, wwid: "naa.6001405bbbbbbbbb" })).toBe(false);
    expect(isSameVolume(volume, { size: volume.size })).toBe(false);
  });

  it("is not known to be the same where only its size could tell, and does not", () => {
    expect(isSameVolume({ size: 4096 }, { size: 4096 })).toBe(true);
    expect(isSameVolume({ size: 4096 }, { size: 8192 })).toBe(false);
  });

  it("is removed only where it is ours and of no use", () => {
    expect([fateOf("same", true), fateOf("same", false)]).toEqual(["use", "use"]);
    expect([fateOf("other", true), fateOf("silent", true)]).toEqual(["remove", "remove"]);
    expect([fateOf("other", false), fateOf("silent", false)]).toEqual(["leave", "leave"]);
  });
});

it("a WWID is the same in all of its forms", () => {
  const digits = "6001405aaaaaaaaa6001405aaaaaaaaa";
  expect(new Set([`naa.${digits}`, `3${digits}`, `0x${digits}`].map(bareWwid))).toEqual(
    new Set([digits]),
  );
});
