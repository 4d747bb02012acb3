import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseSignatures } from "../../../src/guards/probe.js";
import { describeSignatures } from "../../../src/guards/signature.js";

describe("what wipefs says", () => {
  it("is read", () => {
    const text = `{"signatures": [
      {"offset": "0x438", "type": "ext4", "usage": "filesystem", "label": "data"},
      {"offset": 510, "type": "dos", "usage": "partition-table", "label": null}
    ]}`;
    expect(parseSignatures(text)).toEqual([
      { type: "ext4", usage: "filesystem", offset: 1080, label: "data" },
      { type: "dos", usage: "partition-table", offset: 510, label: undefined },
    ]);
  });

  it("is nothing where nothing is", () => {
    expect(parseSignatures("")).toEqual([]);
    expect(parseSignatures("\n")).toEqual([]);
  });

  // Taken for nothing, it would let a copy overwrite what is there.
  it.each([
    "{}",
    "[]",
    "null",
    "wipefs: cannot",
    '{"signatures": {}}',
    '{"signatures": [null]}',
    '{"signatures": [{"offset": "0x0"}]}',
    '{"signatures": [{"type": "ext4", "offset": "none"}]}',
    '{"signatures": [{"type": "ext4"}]}',
  ])("is not known where it is %s", (text) => {
    expect(parseSignatures(text)).toBeUndefined();
  });

  it("is either read or not known, whatever it is", () => {
    const any = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => `{"signatures":${json}}`),
    );
    fc.assert(
      fc.property(any, (text) => {
        const found = parseSignatures(text);
        if (found === undefined) return;
        for (const { offset } of found) expect(Number.isSafeInteger(offset)).toBe(true);
        if (text.trim() !== "") expect(JSON.parse(text).signatures).toHaveLength(found.length);
      }),
    );
  });
});

it("names a signature once, however often it is found", () => {
  const gpt = { type: "gpt", usage: "partition-table", label: undefined };
  expect(
    describeSignatures([
      { ...gpt, offset: 512 },
      { ...gpt, offset: 67108352 },
      { type: "ext4", usage: "filesystem", offset: 1080, label: 'a"b' },
      { type: "new", usage: "", offset: 1, label: "" },
    ]),
  ).toBe('it holds gpt (partition table), ext4 (file system) "a\\"b", new');
});
