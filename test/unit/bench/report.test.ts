import { describe, expect, it } from "vitest";

import { chart } from "../../../bench/chart.mjs";
import { compare } from "../../../bench/compare.mjs";
import { figure, table } from "../../../bench/markdown.mjs";
import { readOptions } from "../../../bench/options.mjs";
import { contestTable, report } from "../../../bench/report.mjs";
import { contest, entry, result } from "./example.js";

const dense = (ours: readonly number[], theirs: readonly number[]) =>
  contest("dense/file-file", [entry("blockhaul", ours), entry("qemu-img", theirs)]);

/** A table's line that begins with these cells, as cells. */
function cells(text: string, ...first: string[]): string[] | undefined {
  return text
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .find((line) => first.every((cell, index) => line[index] === cell));
}

describe("the report", () => {
  const held = dense([1, 2, 3], [2, 4, 4]);

  it("has medians, quartiles and ratios with their spread", () => {
    const text = contestTable(held);
    expect(cells(text, "blockhaul")).toEqual([
      "blockhaul",
      "2.00",
      "1.50–2.50",
      "0.200",
      "0.100",
      "100",
      "2048",
      "2048",
      "",
      "",
    ]);
    expect(cells(text, "qemu-img")?.slice(-2)).toEqual(["0.50 (0.50–0.75)", "0.50 (0.50–0.75)"]);
  });

  it("has what the cluster used, where images take part", () => {
    const images = contest("dense/file-rbd", [entry("blockhaul", [1, 2, 3])]);
    expect(cells(contestTable(images), "tool")).toContain("cluster CPU s");
    expect(cells(contestTable(images), "blockhaul")?.[8]).toBe("2.00");
    expect(cells(contestTable(held), "tool")).not.toContain("cluster CPU s");
  });

  it("says what it was measured on, what was aimed at, and how each tool was run", () => {
    const text = report(result([held]));
    expect(text).toContain("a processor, 2 cores, 16.0 GiB");
    expect(text).toContain("seed 7");
    expect(cells(text, "dense file → file")).toEqual([
      "dense file → file",
      "dense/file-file",
      "qemu-img",
      "wall",
      "0.50",
      "1.00",
      "hit",
    ]);
    expect(text).toContain("2 of 3 hit.");
    expect(text).toContain("- **qemu-img**: how qemu-img is run");
    expect(text).not.toContain("Smaller than the real thing");
  });

  it("warns where it was smaller than the real thing", () => {
    const options = { quick: true, scale: 0.25, rounds: 2, seed: 1 };
    expect(report(result([held], { options }))).toContain("Smaller than the real thing");
  });

  it("names what failed", () => {
    const failures = [{ contest: "thin/rbd-rbd", error: "dd: DIFFERS at byte 7" }];
    expect(report(result([held], { failures }))).toContain("**thin/rbd-rbd**\n\n```\ndd: DIFFERS");
    expect(report(result([held]))).not.toContain("Failed");
  });

  it("writes figures that can be read", () => {
    expect([0, 0.01234, 1.234, 12.34, 123.4, 12345, Number.POSITIVE_INFINITY].map(figure)).toEqual([
      "0",
      "0.012",
      "1.23",
      "12.3",
      "123",
      "12345",
      "∞",
    ]);
    expect(table(["a"], [["long"]])).toBe("| a    |\n|------|\n| long |");
  });
});

describe("the comparison of two results", () => {
  const before = result([dense([1, 1.1, 1.2], [2, 2, 2])]);

  it("tells a change from the spread", () => {
    const text = compare(before, result([dense([2, 2.1, 2.2], [2, 2, 2])]));
    expect(cells(text, "dense/file-file", "blockhaul, wall")).toEqual([
      "dense/file-file",
      "blockhaul, wall",
      "1.10",
      "2.10",
      "+91 %",
      "**worse**",
    ]);
    expect(cells(text, "dense/file-file", "÷ qemu-img, wall")?.slice(2)).toEqual([
      "0.55",
      "1.05",
      "+91 %",
      "**worse**",
    ]);
    expect(text).toContain("hit → **missed**");
  });

  it("calls nothing a change that the spread covers", () => {
    const text = compare(before, result([dense([1.05, 1.15, 1.16], [2, 2, 2])]));
    expect(cells(text, "dense/file-file", "blockhaul, wall")?.at(-1)).toBe("");
    expect(text).toContain("No verdict changed.");
  });

  it("says where the two cannot be compared", () => {
    const other = result([contest("thin/file-rbd", [entry("blockhaul", [1])])], {
      machine: { ...before.machine, cpu: "another", versions: { "qemu-img": "9.0" } },
      options: { ...before.options, scale: 0.25 },
    });
    const text = compare(before, other);
    expect(text).toContain("The machines differ");
    expect(text).toContain("The amounts of data differ (1 and 0.25)");
    expect(text).toContain("qemu-img: 7.2 → 9.0");
    expect(text).toContain("no contest in common");
  });
});

describe("the chart", () => {
  it("has two bars for each peer, on a light and on a dark ground, and cuts what is too long", () => {
    const svg = chart([
      dense([1, 1, 1], [2, 2, 2]),
      contest("dense/a<b", [entry("blockhaul", [9]), entry("dd", [1]), entry("fio read", [1])]),
    ]);
    expect(svg.match(/<rect class="(wall|cpu)"[^>]*height="7"/g)).toHaveLength(4);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).toContain("9.00 →");
    expect(svg).toContain("title of dense/a&lt;b");
    expect(svg).not.toContain("fio");
  });
});

describe("the command line", () => {
  it("has other defaults for a quick run", () => {
    expect(readOptions([])).toMatchObject({ quick: false, rounds: 5, scale: 1 });
    expect(readOptions(["--quick"])).toMatchObject({ quick: true, rounds: 2, scale: 0.25 });
    expect(readOptions(["--quick", "--scale", "0.05", "--seed", "3"])).toMatchObject({
      scale: 0.05,
      seed: 3,
    });
  });

  it("takes several names of contests", () => {
    expect(readOptions([]).only).toEqual([]);
    expect(readOptions(["--only", "dense/", "--only", "native"]).only).toEqual([
      "dense/",
      "native",
    ]);
  });

  it("chooses a new seed each time", () => {
    expect(readOptions([]).seed).not.toBe(readOptions([]).seed);
  });

  it("compares two results without a run", () => {
    expect(readOptions(["--compare", "a.json", "b.json"])).toMatchObject({
      compare: "a.json",
      with: "b.json",
    });
  });

  it.each([[["--rounds", "0"]], [["--scale", "x"]], [["--what"]], [["stray"]]])(
    "refuses %j",
    (args) => {
      expect(() => readOptions(args)).toThrow();
    },
  );
});
