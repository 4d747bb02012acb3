import { describe, expect, it } from "vitest";

import { copyContests } from "../../../bench/contest.mjs";
import { figuresOf, nativeVerdicts } from "../../../bench/native.mjs";
import { smallContests } from "../../../bench/small.mjs";
import { judge, targets } from "../../../bench/targets.mjs";
import { secondsOf } from "../../../bench/tools/fio.mjs";
import { toolOf } from "../../../bench/tools/tool.mjs";
import { works } from "../../../bench/works.mjs";
import { contest, entry } from "./example.js";

const told = (contests: Parameters<typeof judge>[0]) =>
  judge(contests).map(
    ({ against, measure, value, hit }) =>
      `${measure} ${against || "-"} ${value.toFixed(2)} ${hit ? "hit" : "missed"}`,
  );

describe("a verdict", () => {
  it("is made of ratios in the same round, of wall and of processor time", () => {
    const ours = entry("blockhaul", [1, 10, 1], { cpu: 0.1 });
    const theirs = entry("qemu-img", [2, 10, 1], { cpu: 0.2 });
    expect(told([contest("dense/file-file", [ours, theirs])])).toEqual([
      "wall qemu-img 1.00 hit",
      "cpu qemu-img 0.50 missed",
      "memory - 104857600.00 hit",
    ]);
  });

  it("takes the best of several peers, each measure for itself", () => {
    const held = contest("dense/file-rbd", [
      entry("blockhaul", [3], { cpu: 0.1 }),
      entry("qemu-img", [2], { cpu: 0.5 }),
      entry("rbd import", [6], { cpu: 0.1 }),
    ]);
    expect(told([held])).toEqual([
      "wall best of qemu-img, rbd import 1.50 missed",
      "cpu best of qemu-img, rbd import 0.50 hit",
      "memory - 104857600.00 hit",
    ]);
  });

  it("holds a copy against the slower of its two limits, round by round", () => {
    const held = contest("dense/rbd-rbd", [
      entry("blockhaul", [2, 3]),
      entry("fio read", [2, 1]),
      entry("fio write", [1, 3]),
    ]);
    expect(told([held])).toContain("wall max(fio read, fio write) 1.00 hit");
  });

  it("says nothing of what was not measured", () => {
    const held = contest("dense/rbd-rbd", [entry("blockhaul", [2]), entry("fio read", [2])]);
    expect(told([held])).toEqual(["memory - 104857600.00 hit"]);
    expect(told([contest("dense/file-file", [entry("qemu-img", [2])])])).toEqual([]);
  });

  it("takes the worst run for memory, and the median for seconds", () => {
    const one = entry("blockhaul", [0.5, 2, 0.5], { memory: 150 });
    const [first] = one.runs;
    if (first) first.memory = 300 * 2 ** 20;
    expect(told([contest("empty/file-rbd", [one])])).toEqual([
      "wall - 0.50 hit",
      "memory - 314572800.00 missed",
    ]);
  });

  it("judges start-up and small volumes by entries of their own", () => {
    const start = contest("start/file-file", [
      entry("blockhaul copy", [0.2]),
      entry("blockhaul --version", [0.08]),
      entry("node -e 0", [0.04]),
    ]);
    const small = contest("small/file-file", [
      entry("blockhaul library", [1], { cpu: 0.1 }),
      entry("qemu-img", [5], { cpu: 0.01 }),
    ]);
    expect(told([start, small])).toEqual([
      "wall qemu-img 0.20 hit",
      "cpu qemu-img 2.00 missed",
      "wall node -e 0 2.00 missed",
      "wall node -e 0 5.00 missed",
    ]);
  });
});

describe("the table of works", () => {
  const contests = [...copyContests(), ...smallContests()];

  it("names each contest once, and tools that there are", () => {
    expect(new Set(contests.map(({ id }) => id)).size).toBe(contests.length);
    for (const { pairs } of works) {
      for (const { tools, quick = [] } of pairs) {
        for (const name of [...tools, ...quick]) expect(toolOf(name).name).toBe(name);
        expect(tools).toEqual(expect.arrayContaining([...quick]));
        expect(tools[0]).toBe("blockhaul");
      }
    }
  });

  it("holds all that the targets ask for", () => {
    const peers = new Map<string, readonly string[]>(
      works.flatMap(({ name, pairs }) =>
        pairs.map(({ from, to, tools }) => [`${name}/${from}-${to}`, tools]),
      ),
    );
    const everybody = contests.map(({ id }) => contest(id, []));
    for (const target of targets) {
      const held = everybody.filter(target.applies);
      expect({ target: target.what, held: held.length }).not.toEqual({
        target: target.what,
        held: 0,
      });
      for (const { id } of held.filter((one) => peers.has(one.id))) {
        const tools = peers.get(id) ?? [];
        expect({ id, tools }).toEqual({
          id,
          tools: expect.arrayContaining([...(target.peers ?? [])]),
        });
      }
    }
  });
});

describe("a native figure", () => {
  const one = (run_name: string, cpu_time: number, more = {}) => ({
    run_name,
    aggregate_name: "median",
    cpu_time,
    time_unit: "us" as const,
    ...more,
  });
  const context = { mhz_per_cpu: 2000 };

  it("is held against memcpy, byte for byte", () => {
    const figures = figuresOf({
      context,
      benchmarks: [
        one("memcpy", 100, { bytes: 2 ** 20 }),
        { ...one("memcpy", 7, { bytes: 2 ** 20 }), aggregate_name: "mean" },
        one("engine, pattern to null, xxh3/process_time/real_time", 400, { bytes: 2 ** 21 }),
        one("reads, at once/64/process_time/real_time", 10, { operations: 100 }),
      ],
    });
    expect(figures).toEqual([
      expect.objectContaining({ name: "engine, pattern to null, xxh3", memcpyRatio: 2 }),
      expect.objectContaining({ name: "memcpy", memcpyRatio: 1, nanoseconds: 100_000 }),
      { name: "reads, at once 64", nanoseconds: 100 },
    ]);
    expect(figures[1]?.bytesPerCycle).toBeCloseTo(2 ** 20 / 200_000);
    expect(nativeVerdicts(figures)).toEqual([
      expect.objectContaining({ value: 2, atMost: 1.5, hit: false }),
    ]);
  });

  it("is none where a benchmark failed", () => {
    const failed = one("reactor", 0, { error_occurred: true, error_message: "refused" });
    expect(() => figuresOf({ context, benchmarks: [failed] })).toThrow("reactor: refused");
  });
});

it("takes fio's own time, of the transfer alone", () => {
  const output = `a warning\n${JSON.stringify({ jobs: [{ read: { runtime: 0 }, write: { runtime: 1250 } }] }, undefined, 2)}\n`;
  expect(secondsOf(output, "write")).toBe(1.25);
});
