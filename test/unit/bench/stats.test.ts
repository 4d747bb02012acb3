import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { alternate, orderOf } from "../../../bench/rounds.mjs";
import { median, pairRatios, quantile, summarize } from "../../../bench/stats.mjs";

const values = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), {
  minLength: 1,
  maxLength: 30,
});

describe("a quantile", () => {
  it("is a value, or lies between two in proportion", () => {
    expect(quantile([3, 1, 2], 0)).toBe(1);
    expect(quantile([3, 1, 2], 1)).toBe(3);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });

  it("does not depend on the order, and leaves it alone", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (all, part) => {
        const before = [...all];
        expect(quantile([...all].reverse(), part)).toBe(quantile(all, part));
        expect(all).toEqual(before);
      }),
    );
  });

  it("grows with its part", () => {
    fc.assert(
      fc.property(values, (all) => {
        const { min, lower, median: middle, upper, max } = summarize(all);
        expect([min, lower, middle, upper, max]).toEqual(
          [min, lower, middle, upper, max].toSorted((a, b) => a - b),
        );
        expect([min, max]).toEqual([Math.min(...all), Math.max(...all)]);
      }),
    );
  });
});

describe("ratios", () => {
  it("are taken within a round: a slow round of both changes nothing", () => {
    expect(pairRatios([1, 10, 2], [2, 20, 4])).toEqual({ min: 0.5, median: 0.5, max: 0.5 });
  });

  it("have a spread", () => {
    expect(pairRatios([1, 2, 3], [2, 2, 2])).toEqual({ min: 0.5, median: 1, max: 1.5 });
  });

  it("need pairs, and stand a clock that saw nothing", () => {
    expect(() => pairRatios([1], [1, 2])).toThrow(RangeError);
    expect(pairRatios([0], [0]).median).toBe(1);
    expect(pairRatios([1], [0]).median).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("rounds", () => {
  it("rotate the order", () => {
    expect([0, 1, 2, 3].map((round) => orderOf(["a", "b", "c"], round).join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
    expect(orderOf([], 5)).toEqual([]);
  });

  it("begin with a warm-up that does not count, and keep results in order", async () => {
    const turns: string[] = [];
    const results = await alternate([{ name: "a" }, { name: "b" }], 2, async ({ name }, warmUp) => {
      turns.push(`${name}${warmUp ? "?" : ""}`);
      return turns.length;
    });
    expect(turns).toEqual(["a?", "b?", "b", "a", "a", "b"]);
    expect([...results]).toEqual([
      ["a", [4, 5]],
      ["b", [3, 6]],
    ]);
  });
});
