import { describe, expect, it } from "vitest";

import { partOfBuffer, toBytes } from "../../../src/volume/arguments.js";

describe("toBytes", () => {
  it.each([
    [0, 0],
    [4096, 4096],
    [2 ** 53 - 1, 2 ** 53 - 1],
    [7n, 7],
  ])("takes %s", (value, bytes) => {
    expect(toBytes(value, "x")).toBe(bytes);
  });

  it.each([-1, -1n, 2 ** 53, 2n ** 53n, 2n ** 64n])("finds %s out of range", (value) => {
    expect(() => toBytes(value, "position")).toThrowError(
      expect.objectContaining({
        code: "ERR_OUT_OF_RANGE",
        message: expect.stringMatching(/^position/),
      }),
    );
  });

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", null, undefined, {}, true])(
    "refuses %s",
    (value) => {
      expect(() => toBytes(value, "x")).toThrowError(
        expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
      );
    },
  );
});

describe("partOfBuffer", () => {
  const buffer = Buffer.from("0123456789").subarray(1, 9);

  it("is the same memory, all of it or a part", () => {
    expect(Buffer.from(partOfBuffer(buffer, {})).toString()).toBe("12345678");
    expect(Buffer.from(partOfBuffer(buffer, { offset: 2 })).toString()).toBe("345678");
    expect(Buffer.from(partOfBuffer(buffer, { offset: 2n, length: 3n })).toString()).toBe("345");
    partOfBuffer(buffer, { length: 1 })[0] = 0x61;
    expect(buffer.toString()).toBe("a2345678");
  });

  it("takes any view", () => {
    expect(partOfBuffer(new Uint32Array(4), {}).byteLength).toBe(16);
    expect(partOfBuffer(new DataView(new ArrayBuffer(8), 2), {}).byteLength).toBe(6);
  });

  it.each([{ offset: 9 }, { length: 9 }, { offset: 8, length: 1 }, { offset: -1 }])(
    "refuses %j outside of it",
    (part) => {
      expect(() => partOfBuffer(buffer, part)).toThrowError(
        expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }),
      );
    },
  );

  it.each([new ArrayBuffer(8), [1, 2], "text", null])("refuses %s for a buffer", (value) => {
    expect(() => partOfBuffer(value as never, {})).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});
