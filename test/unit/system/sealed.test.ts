import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seal, unseal } from "../../../src/system/sealed.js";
import { flipBit } from "../../support/flip-bit.js";

const record = fc.dictionary(fc.string(), fc.jsonValue()).filter((value) => !("checksum" in value));
/** As it comes out of a file. */
const plain = (value: object) => JSON.parse(JSON.stringify(value));

describe("a sealed record", () => {
  it("is read as it was written, and is JSON that people can read", () => {
    fc.assert(
      fc.property(record, (value) => {
        const text = seal(value);
        expect(unseal(text)).toEqual({ value: plain(value) });
        expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`);
      }),
    );
  });

  it("leaves out what is undefined", () => {
    expect(unseal(seal({ a: 1, b: undefined }))).toEqual({ value: { a: 1 } });
  });

  it("in which any one bit is another is none, or still says the same", () => {
    const value = { id: "k3v9q2ab", ref: "rbd:vms/ä", isOurs: true, size: 4096, steps: ["a", {}] };
    const text = Buffer.from(seal(value));
    for (let bit = 0; bit < text.length * 8; bit += 1) {
      const unsealed = unseal(flipBit(text, bit).toString("utf8"));
      if ("value" in unsealed) expect(unsealed.value).toEqual(value);
    }
  });

  it.each([
    ["", /no JSON/],
    ["{", /no JSON/],
    ["null", /no record/],
    ["[]", /no record/],
    ['"text"', /no record/],
    ["{}", /has no checksum/],
    ['{"a":1,"checksum":"sha256:00"}', /changed or damaged/],
    ['{"a":1,"checksum":null}', /changed or damaged/],
  ])("is none of %j, which says why", (text, why) => {
    expect(unseal(text)).toEqual({ fault: expect.stringMatching(why) });
  });
});
