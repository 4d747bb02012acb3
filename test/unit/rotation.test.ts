import { describe, expect, it } from "vitest";

import { chosenPart, itemsOf, type Part, type Proof, weeks } from "../../scripts/lib/rotation.mjs";

const proofs = Object.keys(weeks) as Proof[];
const items = Array.from({ length: 23 }, (_, index) => index);
const day = 24 * 3600 * 1000;

describe("proofs that take turns", () => {
  it.each(proofs)("%s: every item is run within six weeks, whenever they begin", (proof) => {
    for (const start of [Date.UTC(2026, 11, 14), Date.UTC(2027, 0, 1, 23), Date.UTC(2031, 5, 3)]) {
      const run = new Set<number>();
      for (let week = 0; week < 6; week++) {
        const part = chosenPart(proof, {}, new Date(start + 7 * week * day));
        for (const item of itemsOf(items, part)) run.add(item);
      }
      expect([...run].sort((left, right) => left - right)).toEqual(items);
    }
  });

  it.each(proofs)("%s: one part a week, the same on each of its days", (proof) => {
    const monday = Date.UTC(1970, 0, 1) + 3000 * 7 * day;
    const parts = [0, 1, 6].map((days) => chosenPart(proof, {}, new Date(monday + days * day)));
    expect(new Set(parts.map(({ index }) => index)).size).toBe(1);
    expect(chosenPart(proof, {}, new Date(monday + 7 * day))).not.toEqual(parts[0]);
  });

  it("give each item to one part", () => {
    const parts: Part[] = [1, 2, 3].map((index) => ({ index, of: 3 }));
    const all = parts.flatMap((part) => itemsOf(items, part));
    expect(all.toSorted((left, right) => left - right)).toEqual(items);
  });

  it("are run as a whole with --all, and in the part that is named", () => {
    expect(itemsOf(items, chosenPart("planted bugs", { all: true }))).toEqual(items);
    expect(chosenPart("planted bugs", { part: "2/5" })).toEqual({ index: 2, of: 5 });
  });

  it.each(["0/2", "3/2", "1", "a/b", "1/0"])("refuse %s", (part) => {
    expect(() => chosenPart("planted bugs", { part })).toThrowError("say which of how many");
  });
});
