import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { runTasks, type Task, type TaskEnd } from "../../../src/migrate/plan-schedule.js";

const task = (name: string, needs: string[] = [], shares: string[] = ["all"]): Task => ({
  name,
  needs,
  shares,
});

/** Runs tasks that end when they are told to. */
class Rig {
  readonly running = new Map<string, { done(): void; fail(error: unknown): void }>();
  readonly ends = new Map<string, TaskEnd>();
  readonly begun: string[] = [];
  readonly finished: Promise<void>;

  constructor(
    tasks: readonly Task[],
    options: { all?: number; continueOnError?: boolean; signal?: AbortSignal } = {},
  ) {
    const { all = 2, continueOnError = false, signal } = options;
    this.finished = runTasks(tasks, {
      shares: new Map([["all", all]]),
      continueOnError,
      signal,
      run: ({ name }) => {
        this.begun.push(name);
        return new Promise((resolve, reject) => {
          const leave = () => this.running.delete(name);
          this.running.set(name, {
            done: () => leave() && resolve(),
            fail: (error) => leave() && reject(error),
          });
        });
      },
      onEnd: ({ name }, end) => {
        expect(this.ends.has(name)).toBe(false);
        this.ends.set(name, end);
      },
    });
  }

  async end(name: string, error?: unknown): Promise<void> {
    if (error === undefined) this.running.get(name)?.done();
    else this.running.get(name)?.fail(error);
    // What was waiting for it begins in one of the next turns.
    await new Promise(setImmediate);
  }
}

describe("a schedule", () => {
  it("begins in order what waits for nothing, as far as there are shares", async () => {
    const rig = new Rig([task("a"), task("b", ["c"]), task("c"), task("d")]);
    expect([...rig.running.keys()]).toEqual(["a", "c"]);
    await rig.end("a");
    expect([...rig.running.keys()]).toEqual(["c", "d"]);
    await rig.end("c");
    expect([...rig.running.keys()]).toEqual(["d", "b"]);
    await rig.end("d");
    await rig.end("b");
    await rig.finished;
    expect([...rig.ends.values()].every(({ state }) => state === "done")).toBe(true);
  });

  it("begins nothing new after a failure", async () => {
    const rig = new Rig([task("a"), task("b"), task("c"), task("d", ["a"])]);
    await rig.end("a", new Error("no"));
    expect([...rig.running.keys()]).toEqual(["b"]);
    await rig.end("b");
    await rig.finished;
    expect(rig.ends.get("c")).toEqual({ state: "skipped", reason: "not begun, since a failed" });
    expect(rig.ends.get("d")).toEqual({ state: "skipped", reason: "it needs a, which failed" });
  });

  it("goes on with what does not need the failed one, where it is told to", async () => {
    const tasks = [task("a"), task("b", ["a"]), task("c", ["b"]), task("d")];
    const rig = new Rig(tasks, { all: 1, continueOnError: true });
    await rig.end("a", new Error("no"));
    expect(rig.ends.get("b")).toEqual({ state: "skipped", reason: "it needs a, which failed" });
    expect(rig.ends.get("c")).toEqual({
      state: "skipped",
      reason: "it needs b, which was skipped",
    });
    await rig.end("d");
    await rig.finished;
    expect(rig.ends.get("d")).toEqual({ state: "done" });
  });

  it("begins nothing new once it is stopped, and waits for what runs", async () => {
    const controller = new AbortController();
    const rig = new Rig([task("a"), task("b", ["a"])], { signal: controller.signal });
    controller.abort();
    await rig.end("a");
    await rig.finished;
    expect(rig.begun).toEqual(["a"]);
    expect(rig.ends.get("b")).toEqual({
      state: "skipped",
      reason: "stopped before it began",
    });
  });

  it("ends even what waits in a circle", async () => {
    const rig = new Rig([task("a", ["b"]), task("b", ["a"])]);
    await rig.finished;
    expect([...rig.ends.values()].map(({ state }) => state)).toEqual(["skipped", "skipped"]);
  });

  it("keeps order and limits of any tasks, and ends each once", async () => {
    const shareNames = ["s", "t", "u"];
    const drawn = fc.record({
      tasks: fc.array(
        fc.record({
          needs: fc.array(fc.nat(19), { maxLength: 3 }),
          shares: fc.subarray(shareNames),
          turns: fc.nat(4),
          fails: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
        }),
        { minLength: 1, maxLength: 20 },
      ),
      order: fc.infiniteStream(fc.nat()),
      limits: fc.tuple(...["all", ...shareNames].map(() => fc.integer({ min: 1, max: 4 }))),
      continueOnError: fc.boolean(),
      stopAfter: fc.option(fc.nat(30), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(drawn, async ({ tasks, order, limits, continueOnError, stopAfter }) => {
        const rank = tasks.map(() => order.next().value as number);
        const all = tasks.map(({ needs, shares, ...rest }, index) => ({
          name: `${index}`,
          // Only on what ranks lower: any order, and no circle.
          needs: needs.filter((need) => (rank[need] ?? Infinity) < (rank[index] ?? 0)).map(String),
          shares: ["all", ...shares],
          ...rest,
        }));
        const shares = new Map(["all", ...shareNames].map((name, at) => [name, limits[at] ?? 1]));
        const controller = new AbortController();
        const ends = new Map<string, TaskEnd>();
        const taken = new Map<string, number>();
        let begun = 0;
        let failed = false;
        await runTasks(all, {
          shares,
          continueOnError,
          signal: controller.signal,
          run: async (one) => {
            expect(controller.signal.aborted).toBe(false);
            if (!continueOnError) expect(failed).toBe(false);
            for (const need of one.needs) expect(ends.get(need)).toEqual({ state: "done" });
            for (const name of one.shares) {
              taken.set(name, (taken.get(name) ?? 0) + 1);
              expect(taken.get(name)).toBeLessThanOrEqual(shares.get(name) ?? 0);
            }
            if (begun++ === stopAfter) controller.abort();
            for (let turn = 0; turn < one.turns; turn += 1) await undefined;
            for (const name of one.shares) taken.set(name, (taken.get(name) ?? 0) - 1);
            if (one.fails) throw new Error("drawn");
          },
          onEnd: ({ name }, end) => {
            expect(ends.has(name)).toBe(false);
            ends.set(name, end);
            failed ||= end.state === "failed";
          },
        });
        expect(ends.size).toBe(all.length);
        for (const one of all) {
          const end = ends.get(one.name);
          // What the expectations in `run` found would be a failure that nobody drew.
          if (end?.state === "failed") expect(end.error).toEqual(new Error("drawn"));
          if (end?.state !== "skipped" || controller.signal.aborted) continue;
          const isHeldUp = one.needs.some((need) => ends.get(need)?.state !== "done");
          expect(isHeldUp || (failed && !continueOnError)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
