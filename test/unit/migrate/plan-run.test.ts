import { BlockhaulError } from "blockhaul";
import { describe, expect, it } from "vitest";

import { checkMoves } from "../../../src/migrate/plan-check.js";
import { type PlanMoves, runMoves } from "../../../src/migrate/plan-run.js";
import type { ManyEvent, ManyPlan, Move } from "../../../src/migrate/plan-types.js";
import { FakeStorage, fakeReport } from "../../support/migrations.js";

const GiB = 1024 ** 3;

const move = (name: string, fields: Partial<Move> = {}): Move => ({
  name,
  source: `images:${name}`,
  target: "ceph",
  ...fields,
});

const storage = (earlier = {}) =>
  new FakeStorage(
    { images: { volumes: { a: GiB, b: GiB, c: GiB } }, ceph: { limits: { bandwidth: 50 } } },
    earlier,
  );

async function carryOut(
  plan: ManyPlan,
  engine: Partial<PlanMoves>,
  { store = storage(), signal }: { store?: FakeStorage; signal?: AbortSignal } = {},
) {
  const events: ManyEvent[] = [];
  const checked = await checkMoves(plan, store.checks);
  expect(checked.faults).toEqual([]);
  const unexpected = async () => {
    throw new Error("not this one");
  };
  const report = await runMoves(
    checked,
    { migrate: unexpected, resume: unexpected, ...engine },
    { signal, stateDirectory: "/state", onEvent: (event) => events.push(event) },
  );
  const states = events.flatMap((event) =>
    event.type === "moveState" ? [`${event.name} ${event.state}`] : [],
  );
  return { report, events, states };
}

describe("the moves of a plan", () => {
  it("get their options and limits, and tell what happens in them", async () => {
    const calls: unknown[] = [];
    const { report, events, states } = await carryOut(
      { moves: [move("a", { options: { verify: false, bandwidthLimit: 100 } })] },
      {
        migrate: async (source, target, { onEvent, signal, ...options }) => {
          calls.push([source, target, options, signal?.aborted]);
          onEvent?.({ type: "begun", id: "m7" });
          return fakeReport({ id: "m7", target: "ceph:a" });
        },
      },
    );
    const options = { verify: false, bandwidthLimit: 50, stateDirectory: "/state" };
    expect(calls).toEqual([["images:a", "ceph", options, false]]);
    expect(states).toEqual(["a waiting", "a running", "a done"]);
    expect(events[2]).toEqual({ type: "move", name: "a", event: { type: "begun", id: "m7" } });
    expect(report).toMatchObject({ done: 1, failed: 0, skipped: 0, interrupted: 0, size: GiB });
    expect(report.moves[0]).toMatchObject({
      name: "a",
      target: "ceph:a",
      state: "done",
      id: "m7",
      size: GiB,
      digest: "xxh3:00",
      error: undefined,
    });
  });

  it("that an earlier run was stopped in are resumed, and those that it did are left alone", async () => {
    const store = storage({
      "images:a to ceph:a": { id: "m1", state: "done" },
      "images:b to ceph:b": { id: "m2", state: "cut short" },
    });
    const calls: unknown[] = [];
    const { report, states } = await carryOut(
      { moves: [move("a", { after: ["b"] }), move("b", { options: { allow: ["mounted"] } })] },
      {
        resume: async (id, { allow, limits }) => {
          calls.push([id, allow, limits]);
          return fakeReport({ id });
        },
      },
      { store },
    );
    expect(calls).toEqual([["m2", ["mounted"], { bandwidthLimit: 50 }]]);
    expect(states).toEqual(["a waiting", "b waiting", "b running", "a done", "b done"]);
    expect(report.moves.map(({ name, reason, id }) => [name, reason, id])).toEqual([
      ["a", "done before", "m1"],
      ["b", "resumed", "m2"],
    ]);
    expect(report).toMatchObject({ done: 2, size: GiB });
  });

  it("fail by themselves, and keep what needs them from beginning", async () => {
    const failure = new BlockhaulError("ERR_IO", { message: "a bad disk" });
    const { report, states } = await carryOut(
      { continueOnError: true, moves: [move("a"), move("b", { after: ["a"] }), move("c")] },
      {
        migrate: async (source, _, { onEvent }) => {
          onEvent?.({ type: "begun", id: source });
          if (source === "images:a") throw failure;
          return fakeReport({ id: source });
        },
      },
    );
    expect(states.slice(3)).toEqual(["a running", "a failed", "b skipped", "c running", "c done"]);
    expect(report).toMatchObject({ done: 1, failed: 1, skipped: 1, size: GiB });
    expect(report.moves[0]).toMatchObject({ state: "failed", id: "images:a", error: failure });
    expect(report.moves[1]).toMatchObject({ reason: "it needs a, which failed", id: undefined });
  });

  it("are stopped together, and what had not begun is skipped", async () => {
    const stop = new AbortController();
    const { report } = await carryOut(
      { parallel: 2, moves: [move("a"), move("b"), move("c")] },
      {
        migrate: (source, _, { signal }) =>
          new Promise((_resolve, reject) => {
            const error =
              source === "images:a"
                ? new BlockhaulError("ERR_CANCELLED")
                : new BlockhaulError("ERR_IO");
            signal?.addEventListener("abort", () => reject(error));
            if (source === "images:b") stop.abort();
          }),
      },
      { signal: stop.signal },
    );
    expect(report.moves.map(({ state, reason }) => [state, reason])).toEqual([
      ["interrupted", undefined],
      ["failed", undefined],
      ["skipped", "stopped before it began"],
    ]);
    expect(report).toMatchObject({ interrupted: 1, failed: 1, skipped: 1 });
  });

  it("are stopped when nobody can be told of them", async () => {
    const checked = await checkMoves({ moves: [move("a"), move("b")] }, storage().checks);
    const begun: string[] = [];
    const running = runMoves(
      checked,
      {
        migrate: async (source, _, { signal }) => {
          begun.push(source);
          expect(signal?.aborted).toBe(true);
          throw new BlockhaulError("ERR_CANCELLED");
        },
        resume: async () => fakeReport(),
      },
      {
        onEvent: (event) => {
          if (event.type === "moveState" && event.state === "running") throw new Error("a bug");
        },
      },
    );
    await expect(running).rejects.toThrow("a bug");
    expect(begun).toEqual(["images:a"]);
  });
});
