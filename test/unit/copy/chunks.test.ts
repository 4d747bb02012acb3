import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { CHUNK, compareChunks } from "../../../src/copy/chunks.js";
import type { ChunkRun } from "../../../src/native.js";

async function* listOf(runs: readonly ChunkRun[]): AsyncGenerator<ChunkRun, void, undefined> {
  yield* runs;
}

const compare = (expected: readonly ChunkRun[], actual: readonly ChunkRun[], end: number) =>
  compareChunks(listOf(expected), listOf(actual), 0, end);

describe("two lists of chunks", () => {
  it("differ where a digest does, in whole chunks up to the end", async () => {
    const ten = [{ count: 10, digest: "a" }];
    const other = [
      { count: 3, digest: "a" },
      { count: 2, digest: "b" },
      { count: 4, digest: "a" },
      { count: 1, digest: "c" },
    ];
    expect(await compare(ten, ten, 10 * CHUNK)).toEqual([]);
    expect(await compare(ten, other, 9 * CHUNK + 5)).toEqual([
      { offset: 3 * CHUNK, length: 2 * CHUNK },
      { offset: 9 * CHUNK, length: 5 },
    ]);
  });

  it("differ in all that one of them, or both, do not have", async () => {
    const [two, four] = [2, 4].map((count) => [{ count, digest: "a" }]);
    const missing = [{ offset: 2 * CHUNK, length: 2 * CHUNK }];
    expect(await compare(four ?? [], two ?? [], 4 * CHUNK)).toEqual(missing);
    expect(await compare(two ?? [], four ?? [], 4 * CHUNK)).toEqual(missing);
    expect(await compare(two ?? [], two ?? [], 4 * CHUNK)).toEqual(missing);
  });

  it("differ in the same chunks however their runs are cut", async () => {
    const digests = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 20 });
    /** Equal neighbours in one run, or not, as `cuts` says. */
    const runsOf = (list: readonly string[], cuts: readonly boolean[]) =>
      list.reduce<{ count: number; digest: string }[]>((runs, digest, index) => {
        const last = runs.at(-1);
        if (last?.digest === digest && !cuts[index % cuts.length]) last.count += 1;
        else runs.push({ count: 1, digest });
        return runs;
      }, []);
    const cuts = fc.array(fc.boolean(), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(digests, digests, cuts, cuts, async (one, two, cutOne, cutTwo) => {
        const count = Math.min(one.length, two.length);
        const [left, right] = [one.slice(0, count), two.slice(0, count)];
        const found = await compare(runsOf(left, cutOne), runsOf(right, cutTwo), count * CHUNK);
        const differs = new Set(
          found.flatMap(({ offset, length }) =>
            Array.from({ length: length / CHUNK }, (_, index) => offset / CHUNK + index),
          ),
        );
        const expected = left.flatMap((digest, index) => (digest === right[index] ? [] : [index]));
        expect([...differs]).toEqual(expected);
      }),
    );
  });
});
