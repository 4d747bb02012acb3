import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  exactSize,
  formatClock,
  formatDuration,
  formatSize,
  parseSize,
  sizeInWords,
} from "../../src/units.js";

describe("parseSize", () => {
  it.each([
    ["0", 0],
    ["4096", 4096],
    ["4096B", 4096],
    ["64k", 65536],
    ["64K", 65536],
    ["4MiB", 4 * 1024 ** 2],
    ["4mb", 4 * 1024 ** 2],
    ["1.5G", 1.5 * 1024 ** 3],
    ["0.5k", 512],
    [" 1 TiB ", 1024 ** 4],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    "",
    " ",
    "k",
    "-1",
    "+1",
    "1e6",
    "0x10",
    "1.5",
    "1.0001k",
    "1.",
    ".5G",
    "4 M i B",
    "12x",
    "1KiBB",
    "9007199254740992",
    "8P",
    "1E",
    "99999999999999999999",
  ])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});

it("exactSize is read as the same number again", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      expect(parseSize(exactSize(bytes))).toBe(bytes);
    }),
  );
  expect(exactSize(4 * 1024 ** 2)).toBe("4MiB");
  expect(exactSize(4097)).toBe("4097");
  expect(exactSize(0)).toBe("0");
});

it.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1536, "1.50 KiB"],
  [10 * 1024 + 512, "10.5 KiB"],
  [1024 ** 2 - 1, "1023 KiB"],
  [64 * 1024 ** 3, "64 GiB"],
  [123456789, "117 MiB"],
])("formatSize(%i) is %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

it.each([
  [0, "0:00"],
  [7.4, "0:07"],
  [59.6, "1:00"],
  [760, "12:40"],
  [3600, "1:00:00"],
  [11109, "3:05:09"],
  [-1, "0:00"],
])("formatClock(%d) is %s", (seconds, text) => {
  expect(formatClock(seconds)).toBe(text);
});

it.each([
  [0.123, "0.12 s"],
  [2, "2.0 s"],
  [42.2, "42 s"],
  [125, "2:05"],
])("formatDuration(%d) is %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [1023, "1023 bytes"],
  [1024, "1 KiB"],
  [4 * 1024 ** 2, "4 MiB"],
  [4 * 1024 ** 2 + 1, "4.00 MiB (4194305 bytes)"],
  [150_000_000, "143 MiB (150000000 bytes)"],
  [1536, "1.50 KiB (1536 bytes)"],
] as const)("sizeInWords of %d says exactly how many, with units", (bytes, text) => {
  expect(sizeInWords(bytes)).toBe(text);
});
