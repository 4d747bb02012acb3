import { PassThrough } from "node:stream";
import type { CheckedPlan, CopyProgress, ManyEvent, ManyReport } from "blockhaul";
import { BlockhaulError } from "blockhaul";
import { describe, expect, it } from "vitest";

import { estimatePlan } from "../../../src/cli/migrate-many-estimate.js";
import { faultLines, reportLines } from "../../../src/cli/migrate-many-report.js";
import { createManyView } from "../../../src/cli/migrate-many-view.js";
import { Output } from "../../../src/cli/output.js";
import { checkMoves } from "../../../src/migrate/plan-check.js";
import type { Move } from "../../../src/migrate/plan-types.js";
import { FakeStorage, fakeReport } from "../../support/migrations.js";

const GiB = 1024 ** 3;

const move = (name: string, fields: Partial<Move> = {}): Move => ({
  name,
  source: `images:${name}`,
  target: "ceph",
  ...fields,
});

function planOf(moves: Move[], earlier = {}): Promise<CheckedPlan> {
  const volumes = { a: 2 * GiB, b: 2 * GiB, c: 4 * GiB };
  const store = new FakeStorage({ images: { volumes }, ceph: { free: 100 * GiB } }, earlier);
  return checkMoves({ parallel: 2, moves }, store.checks);
}

const progress = (done: number, fields: Partial<CopyProgress> = {}): CopyProgress => ({
  phase: "copy",
  state: "copying",
  total: 2 * GiB,
  done,
  read: done,
  written: done,
  zeroed: 0,
  skipped: 0,
  begin: 0,
  retries: 0,
  seconds: 4,
  ...fields,
});

const state = (name: string, state: string, fields = {}) =>
  ({ type: "moveState", name, state, ...fields }) as ManyEvent;
const copying = (name: string, done: number, fields = {}): ManyEvent => ({
  type: "move",
  name,
  event: { type: "progress", id: name, progress: progress(done, fields) },
});
const enters = (name: string, state: "creating" | "copying" | "verifying"): ManyEvent => ({
  type: "move",
  name,
  event: { type: "state", id: name, state },
});

/** An output, and what a terminal would show of what was written to it. */
function terminal(columns = 80, rows = 24) {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns, rows });
  const output = new Output(stream, { NO_COLOR: "1" });
  let written = "";
  const lines = () => {
    written += String(stream.read() ?? "");
    return screenOf(written);
  };
  return { output, lines };
}

/** The sequences that the view writes, and no others. */
function screenOf(text: string): string[] {
  const screen = [""];
  let [row, column] = [0, 0];
  for (const [part] of text.replaceAll("\u001b", "␛").matchAll(/␛\[\d*[A-Z]|[^␛]/gs)) {
    const line = screen[row] ?? "";
    if (part === "\r") column = 0;
    else if (part === "\n") [row, column] = [row + 1, 0];
    else if (part === "␛[K") screen[row] = line.slice(0, column);
    else if (part === "␛[J") screen.splice(row, Infinity, line.slice(0, column));
    else if (/^␛\[\d+A$/.test(part)) row -= Number(part.slice(2, -1));
    else if (part.startsWith("␛")) throw new Error(`unknown sequence ${JSON.stringify(part)}`);
    else {
      screen[row] = line.slice(0, column) + part + line.slice(column + 1);
      column += 1;
    }
    expect(row).toBeGreaterThanOrEqual(0);
    screen[row] ??= "";
  }
  return screen;
}

describe("the view of many moves", () => {
  it("has a line for each that runs and one for all, below what has ended", async () => {
    const { output, lines } = terminal();
    const plan = await planOf([move("a"), move("b"), move("c")]);
    const view = createManyView("bar", plan, { stdout: output, stderr: output }, false);
    for (const event of [
      state("a", "waiting"),
      state("a", "running"),
      state("b", "running"),
      enters("a", "creating"),
      enters("b", "copying"),
      copying("b", GiB),
      state("c", "failed", { error: new BlockhaulError("ERR_IO", { message: "a bad disk" }) }),
      state("b", "skipped", { reason: "it needs c, which failed" }),
    ]) {
      view.update(event);
    }
    expect(lines()).toEqual([
      "c: failed, a bad disk",
      "b: skipped, it needs c, which failed",
      "a            creating",
      expect.stringMatching(/^2 of 3 {8}12% \[=+ +\] {2}1 GiB of 8 GiB/),
    ]);
  });

  it("shows the bar of what is moved, and nothing of itself once it is cleared", async () => {
    const { output, lines } = terminal();
    const plan = await planOf([move("a"), move("b")]);
    const view = createManyView("bar", plan, { stdout: output, stderr: output }, false);
    view.update(enters("a", "copying"));
    view.update(copying("a", GiB));
    view.update(state("a", "done"));
    view.update(state("b", "running"));
    view.update(enters("b", "copying"));
    view.update(copying("b", GiB / 2));
    view.update(state("x", "running"));
    const shown = lines();
    expect(shown[0]).toMatch(/^a: done, 2 GiB in /);
    expect(shown[1]).toMatch(/^b {13}25% \[.*512 MiB of 2 GiB {2}128 MiB\/s {2}ETA 0:12$/);
    expect(shown[1]?.length).toBeLessThan(80);
    expect(shown).toHaveLength(4);
    view.update(state("b", "done"));
    view.clear();
    expect(lines().at(-1)).toBe("");
  });

  it("stays within the terminal, and cuts what is too long for it", async () => {
    const { output, lines } = terminal(40, 6);
    const names = ["a", "b", "c"].flatMap((name) => [name, `${name}-${"long".repeat(20)}`]);
    const plan = await planOf(names.map((name) => move(name, { source: "images:a", target: "" })));
    const view = createManyView("bar", plan, { stdout: output, stderr: output }, false);
    for (const name of names) view.update(state(name, "running"));
    const shown = lines();
    expect(shown).toHaveLength(5);
    expect(shown[3]).toBe("and 3 more");
    for (const line of shown) expect(line.length).toBeLessThan(40);
  });

  it("is lines in a log, and events for a program", async () => {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const outputs = { stdout: new Output(stdout, {}), stderr: new Output(stderr, {}) };
    const plan = await planOf([move("a"), move("b")]);
    const events = [
      state("a", "waiting"),
      state("a", "running", { reason: "resumed" }),
      enters("a", "copying"),
      copying("a", 1, { seconds: 11 }),
      copying("a", 2, { seconds: 11 }),
      state("a", "done", { reason: "resumed" }),
      state("b", "done", { reason: "done before" }),
    ];
    const plain = createManyView("plain", plan, outputs, false);
    for (const event of events) plain.update(event);
    const [first, second, third, ...rest] = String(stderr.read()).trimEnd().split("\n");
    expect([first, second]).toEqual(["a: resumed", expect.stringMatching(/^a: 0%, 1 B of 2 GiB/)]);
    expect([third, ...rest]).toEqual([
      expect.stringMatching(/^a: done, 2 GiB in /),
      "b: done, done before",
    ]);

    const json = createManyView("json", plan, outputs, true);
    for (const event of events) json.update(event);
    const told = String(stdout.read()).trimEnd().split("\n");
    expect(told.map((line) => JSON.parse(line))).toEqual(events.filter((_, at) => at !== 4));
    const silent = createManyView("none", plan, outputs, true);
    for (const event of events) silent.update(event);
    expect(String(stdout.read()).trimEnd().split("\n")).toHaveLength(5);
  });
});

describe("the estimate of a plan", () => {
  it("adds up bytes and times, by chains and by what runs at once", async () => {
    const slow = { bandwidthLimit: 1024 ** 2, verify: false };
    const plan = await planOf(
      [
        move("a", { options: { verify: false } }),
        move("b", { after: ["a"] }),
        move("c", { options: slow }),
      ],
      { "images:b to ceph:b": { id: "m1", state: "done" } },
    );
    const { moves, moved, size, seconds, places } = estimatePlan(plan, 2);
    // The fake storage says that half of each is data.
    expect(moves.map((one) => [one.moved / GiB, one.seconds])).toEqual([
      [1, 5.12],
      [0, 0],
      [2, 2048],
    ]);
    expect([moved, size, seconds]).toEqual([3 * GiB, 8 * GiB, 2048]);
    expect(places).toEqual([
      { backend: "ceph", needed: 3 * GiB, free: 100 * GiB, capacity: 100 * GiB },
    ]);
    const chained = await planOf([move("a"), move("b", { after: ["a"] })]);
    expect(estimatePlan(chained, 2).seconds).toBeCloseTo(4 * 5.12);
    expect(estimatePlan(await planOf([move("a"), move("b")]), 1).seconds).toBeCloseTo(4 * 5.12);
  });
});

it("faults are numbered, and say where they are", () => {
  const fault = { move: undefined, code: "ERR_INVALID_ARGUMENT", hint: undefined } as const;
  const lines = faultLines([
    { ...fault, at: "plan.yaml:3:1", message: "unknown key" },
    ...Array.from({ length: 9 }, () => ({ ...fault, at: undefined, message: "no" })),
    { ...fault, move: "a", at: undefined, message: "it exists", hint: "name another" },
  ]);
  expect(lines.slice(0, 2)).toEqual([" 1. plan.yaml:3:1: unknown key", " 2. no"]);
  expect(lines.slice(-2)).toEqual(["11. a: it exists", "    hint: name another"]);
});

it("a report says what became of every move", () => {
  const common = { source: "images:a", target: "ceph:a", reason: undefined, report: undefined };
  const none = { id: undefined, size: GiB, digest: undefined, seconds: 0, error: undefined };
  const report: ManyReport = {
    moves: [
      { ...common, ...none, name: "a", state: "done", digest: "xxh3:00", seconds: 12, id: "m1" },
      {
        ...common,
        ...none,
        name: "b",
        state: "failed",
        id: "m2",
        error: new BlockhaulError("ERR_IO", { message: "a bad disk" }),
      },
      { ...common, ...none, name: "c", state: "skipped", reason: "it needs b, which failed" },
    ],
    done: 1,
    failed: 1,
    skipped: 1,
    interrupted: 0,
    size: fakeReport().size,
    seconds: 12,
  };
  expect(reportLines(report)).toEqual([
    "move  state     size  time  target  digest or why",
    "a     done     1 GiB  12 s  ceph:a  xxh3:00",
    "b     failed   1 GiB     -  ceph:a  a bad disk (migration m2)",
    "c     skipped  1 GiB     -  ceph:a  it needs b, which failed",
    "1 done, 1 failed, 1 skipped: 1 GiB in 12 s",
  ]);
});
