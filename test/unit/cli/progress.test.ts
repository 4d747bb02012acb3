import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";

import { Output } from "../../../src/cli/output.js";
import {
  composeBar,
  createProgressDisplay,
  type ProgressMode,
  progressFields,
  type ShownProgress,
  SmoothRate,
} from "../../../src/cli/progress.js";

const MiB = 1024 ** 2;
const progress = (fields: Partial<ShownProgress> = {}): ShownProgress => ({
  phase: "copy",
  state: "copying",
  total: 100 * MiB,
  done: 45 * MiB,
  read: 20 * MiB,
  written: 20 * MiB,
  zeroed: 5 * MiB,
  skipped: 20 * MiB,
  begin: 0,
  retries: 0,
  seconds: 4.5,
  ...fields,
});

describe("the fields of a progress line", () => {
  it("say share, bytes, rate, time to go and zeros", () => {
    expect(progressFields(progress(), 11 * MiB)).toEqual([
      " 45%",
      "45 MiB of 100 MiB",
      "11 MiB/s",
      "ETA 0:05",
      "25 MiB zeros",
    ]);
  });

  it("leave out what there is not", () => {
    expect(progressFields(progress({ done: 0, zeroed: 0, skipped: 0 }), 0)).toEqual([
      "  0%",
      "0 B of 100 MiB",
      "0 B/s",
    ]);
    expect(progressFields(progress({ state: "flushing" }), MiB)).toContain("flushing");
  });

  it("say what is done besides copying, and that it pauses", () => {
    expect(progressFields(progress({ phase: "verify" }), MiB).slice(1, 4)).toEqual([
      "45 MiB of 100 MiB",
      "verifying",
      "1 MiB/s",
    ]);
    expect(progressFields(progress({ phase: "repair" }), MiB)).toContain("repairing");
    const paused = progressFields(progress({ paused: true }), MiB);
    expect(paused).toContain("paused");
    expect(paused.join()).not.toContain("ETA");
  });

  it("never say 100% before the end", () => {
    const [share] = progressFields(progress({ done: 100 * MiB - 1 }), MiB);
    expect(share).toBe(" 99%");
    expect(progressFields(progress({ total: 0, done: 0 }), 0)[0]).toBe("100%");
  });
});

const barText = (...of: Parameters<typeof composeBar>) =>
  composeBar(...of)
    .map((part) => (typeof part === "string" ? part : part.text))
    .join("");

describe("the bar", () => {
  it.each([200, 120, 100, 80, 60, 40, 30, 20, 10, 1])("fits %i columns", (width) => {
    const bar = barText(progress(), 11 * MiB, width);
    expect(bar.length).toBeLessThan(Math.max(width, 5));
    expect(bar).toContain("45%");
  });

  it("is filled as far as the copy is", () => {
    expect(barText(progress(), 11 * MiB, 120)).toMatch(/^ 45% \[={18} {22}\] {2}45 MiB/);
    const whole = barText(progress({ done: 100 * MiB, state: "done" }), 0, 120);
    expect(whole).toMatch(/^100% \[={40}\]/);
    expect(barText(progress({ total: 0, done: 0 }), 0, 120)).toMatch(/^100% \[={40}\]/);
  });

  it("gives up the least important fields first", () => {
    expect(barText(progress(), 11 * MiB, 60)).toContain("11 MiB/s");
    expect(barText(progress(), 11 * MiB, 60)).not.toContain("zeros");
  });
});

describe("the smoothed rate", () => {
  const at = (seconds: number, done: number, run: Partial<ShownProgress> = {}) =>
    progress({ seconds, done, ...run });

  it("is the rate itself where that is steady", () => {
    const rate = new SmoothRate();
    for (let second = 1; second <= 10; second += 1) rate.update(at(second, second * 7));
    expect(rate.update(at(11, 77))).toBeCloseTo(7);
  });

  it("follows a change within seconds, not at once", () => {
    const rate = new SmoothRate();
    rate.update(at(1, 100));
    expect(rate.update(at(1.2, 100))).toBeGreaterThan(80);
    expect(rate.update(at(15, 100))).toBeLessThan(2);
  });

  it("begins anew with each run, where that begins", () => {
    const rate = new SmoothRate();
    expect(rate.update(at(1, 150, { begin: 100 }))).toBe(50);
    expect(rate.update(at(2, 20, { phase: "verify" }))).toBe(10);
    expect(rate.update(at(1, 8, { phase: "verify" }))).toBe(8);
  });

  it("is not disturbed by a second look at the same time", () => {
    const rate = new SmoothRate();
    rate.update(at(1, 100));
    expect(rate.update(at(1, 100))).toBe(100);
  });
});

describe("a display", () => {
  const show = (mode: ProgressMode, steps: ShownProgress[], env: Record<string, string> = {}) => {
    const streams = [0, 1].map(() =>
      Object.assign(new PassThrough(), { isTTY: true, columns: 100 }),
    );
    const [stderr, lines] = streams.map((stream) => new Output(stream, env)) as [Output, Output];
    const display = createProgressDisplay(mode, { stderr, lines, label: "a to b" });
    for (const step of steps) display?.update(step);
    display?.clear();
    const [onStderr, onLines] = streams.map((stream) => String(stream.read() ?? ""));
    return { onStderr, onLines };
  };
  const steps = Array.from({ length: 26 }, (_, index) =>
    progress({ done: index * MiB, seconds: index }),
  );

  it("as a bar draws over itself and leaves nothing", () => {
    const { onStderr } = show("bar", steps.slice(0, 2));
    const [first, second, ...rest] = onStderr?.split("\r") ?? [];
    for (const drawn of [first, second]) expect(drawn?.endsWith("\u001b[K\u001b[J")).toBe(true);
    expect(rest).toEqual(["\u001b[J"]);
    expect(onStderr).not.toContain("\n");
  });

  it("as a bar has no colour for whoever says NO_COLOR", () => {
    expect(show("bar", steps.slice(1, 2)).onStderr).toContain("\u001b[32m");
    expect(show("bar", steps.slice(1, 2), { NO_COLOR: "1" }).onStderr).not.toContain("\u001b[32m");
  });

  it("as plain lines says something every ten seconds", () => {
    const { onStderr } = show("plain", [...steps, progress({ state: "done", seconds: 99 })]);
    expect(onStderr).toBe(
      "a to b: 10%, 10 MiB of 100 MiB, 1 MiB/s, ETA 1:30, 25 MiB zeros\n" +
        "a to b: 20%, 20 MiB of 100 MiB, 1 MiB/s, ETA 1:20, 25 MiB zeros\n",
    );
  });

  it("as JSON gives one object a line, twice a second, and the end", () => {
    const often = [0, 0.2, 0.4, 0.6, 0.8, 1].map((seconds) => progress({ seconds }));
    const { onLines } = show("json", [...often, progress({ state: "done", seconds: 1.01 })]);
    const events = onLines
      ?.trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events?.map(({ type, seconds }) => [type, seconds])).toEqual([
      ["progress", 0],
      ["progress", 0.6],
      ["progress", 1.01],
    ]);
  });

  it("as JSON and as lines goes on with the next run, which counts its seconds anew", () => {
    const runs = [
      progress({ state: "done", seconds: 30 }),
      progress({ phase: "verify", seconds: 0.1 }),
      progress({ phase: "verify", seconds: 11 }),
    ];
    const phases = show("json", runs).onLines?.match(/"phase":"\w+"/g);
    expect(phases).toEqual(['"phase":"copy"', '"phase":"verify"', '"phase":"verify"']);
    const late = progress({ seconds: 30 });
    expect(show("plain", [late, ...runs]).onStderr?.match(/verifying/g)).toHaveLength(1);
  });

  it("as none shows nothing", () => {
    expect(show("none", steps)).toEqual({ onStderr: "", onLines: "" });
  });
});
