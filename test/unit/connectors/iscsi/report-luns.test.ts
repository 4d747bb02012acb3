import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  addressesOf,
  addressIn,
  listLuns,
  parseReportLuns,
} from "../../../../src/connectors/iscsi/report-luns.js";
import type { BlockhaulError } from "../../../../src/errors.js";

const flat = { linear: false };
const linear = { linear: true };

/** An answer with these units, each by the first bytes of its address. */
function answerOf(...units: readonly (readonly number[])[]): Uint8Array {
  const answer = new Uint8Array(8 + 8 * units.length);
  new DataView(answer.buffer).setUint32(0, 8 * units.length);
  for (const [index, bytes] of units.entries()) answer.set(bytes, 8 + 8 * index);
  return answer;
}
const numbers = (answer: Uint8Array, counting = flat) =>
  parseReportLuns(answer, counting).map(({ number }) => number);

/** As tgt gives them: from 256 on by flat addressing. */
const TGT = answerOf([0], [0, 1], [0, 44], [0, 255], [0x41, 0], [0x41, 0x2c]);
/** As LIO does. */
const LIO = answerOf([0], [0, 1], [0, 44], [0, 255], [1, 0], [1, 0x2c]);

describe("a target's list", () => {
  it("is read in either way of addressing", () => {
    const all = [0, 1, 44, 255, 256, 300];
    expect(numbers(TGT)).toEqual(all);
    expect(numbers(LIO)).toEqual(all);
    expect(numbers(LIO, linear)).toEqual(all);
    expect(numbers(answerOf([0x40, 7], [0x7f, 0xff]))).toEqual([7, 16_383]);
  });

  it("is LIO's own where it counts on", () => {
    expect(numbers(answerOf([0x41, 0x2c]))).toEqual([300]);
    expect(numbers(answerOf([0x41, 0x2c]), linear)).toEqual([16_684]);
  });

  it("has addresses that no number tells", () => {
    const answer = answerOf([0xc1, 1], [0x82, 0x05], [0, 1, 0, 2], [0xd2, 0, 0x40, 0]);
    expect(numbers(answer)).toEqual([undefined, undefined, undefined, undefined]);
    expect(parseReportLuns(answer, flat)[2]).toEqual({
      number: undefined,
      address: undefined,
      hex: "0x0001000200000000",
    });
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["half a header", new Uint8Array(7)],
    ["half an entry", answerOf([0, 1]).subarray(0, 12)],
    ["less than it says", TGT.subarray(0, 24)],
    ["a list of an odd length", new Uint8Array([0, 0, 0, 9, ...new Uint8Array(20)])],
  ])("is not believed where it is %s", (_, answer) => {
    expect(() => parseReportLuns(answer, flat)).toThrowError(
      expect.objectContaining({ code: "ERR_IO" }),
    );
  });

  it("is read where it does not begin at a buffer's start", () => {
    const whole = new Uint8Array([9, 9, 9, ...TGT]);
    expect(numbers(whole.subarray(3))).toEqual(numbers(TGT));
  });

  it("gives a list or ERR_IO, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          for (const { hex } of parseReportLuns(bytes, flat))
            expect(hex).toMatch(/^0x[\da-f]{16}$/);
        } catch (error) {
          expect((error as BlockhaulError).code).toBe("ERR_IO");
        }
      }),
    );
  });
});

describe("the address of a LUN", () => {
  it("is the one that the target reports, never one that ends in the same byte", () => {
    const [tgt, lio] = [parseReportLuns(TGT, flat), parseReportLuns(LIO, linear)];
    expect(addressIn(tgt, 300)).toBe(0x412c);
    expect(addressIn(lio, 300)).toBe(0x012c);
    expect([addressIn(tgt, 44), addressIn(lio, 44)]).toEqual([44, 44]);
    expect([addressIn(tgt, 256), addressIn(lio, 256)]).toEqual([0x4100, 0x0100]);
    expect([addressIn(tgt, 556), addressIn(lio, 556), addressIn(tgt, 3)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is refused where two are of one number", () => {
    const luns = parseReportLuns(answerOf([0x41, 0x2c], [1, 0x2c]), flat);
    expect(() => addressIn(luns, 300)).toThrowError(
      expect.objectContaining({ code: "ERR_UNSUPPORTED" }),
    );
  });

  it("may be in two places, the likelier one first", () => {
    expect(addressesOf(255)).toEqual([255, 0x40ff]);
    expect(addressesOf(256)).toEqual([0x4100, 256]);
    expect(addressesOf(16_383)).toEqual([0x7fff, 16_383]);
  });

  it("is found of all that a target has", () => {
    const unit = fc.integer({ min: 0, max: 16_383 });
    fc.assert(
      fc.property(fc.uniqueArray(unit, { minLength: 1, maxLength: 40 }), unit, (luns, other) => {
        const list = parseReportLuns(
          answerOf(...luns.map((lun) => (lun < 256 ? [0, lun] : [0x40 | (lun >> 8), lun & 255]))),
          flat,
        );
        for (const lun of luns) expect(addressIn(list, lun)).toBe(addressesOf(lun)[0]);
        expect(addressIn(list, other) === undefined).toBe(!luns.includes(other));
      }),
    );
  });
});

describe("a list for an error", () => {
  it.each([
    ["no LUN", []],
    ["LUN 7 only", [[0, 7]]],
    [
      "the LUNs 1 and 300",
      [
        [0x41, 0x2c],
        [0, 1],
      ],
    ],
    [
      "the LUNs 1, 2 and 0xc101000000000000",
      [
        [0xc1, 1],
        [0, 2],
        [0, 1],
      ],
    ],
  ])("is %j", (text, units) => {
    expect(listLuns(parseReportLuns(answerOf(...units), flat))).toBe(text);
  });

  it("ends before nobody reads on", () => {
    const units = Array.from({ length: 100 }, (_, lun) => [0, lun]);
    expect(listLuns(parseReportLuns(answerOf(...units), flat))).toMatch(
      /^the LUNs 0, 1, .*, 19 and 80 more$/,
    );
  });
});
