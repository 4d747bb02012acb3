import { BlockhaulError, type CopyReport } from "blockhaul";
import { describe, expect, it } from "vitest";

import { planText, progressMode, summary } from "../../../src/cli/copy.js";
import { createOptions } from "../../../src/cli/copy-ends.js";
import {
  checkLimits,
  checkNode,
  checkTool,
  describeEngine,
  parseLimits,
} from "../../../src/cli/doctor.js";
import {
  describeError,
  exitCodeOf,
  explainError,
  StoppedBySignal,
} from "../../../src/cli/error-report.js";
import { alignFields, alignTable, plural } from "../../../src/cli/table.js";

describe("an error of the command", () => {
  const error = new BlockhaulError("ERR_NO_SPACE", {
    side: "target",
    volume: "x.img",
    operation: "write",
    offset: 4096,
    errno: 28,
    message: "No space left on device",
    cause: new TypeError("password=sesame", { cause: "deeper" }),
  });

  it("is a line and a hint", () => {
    expect(explainError(error, false)).toEqual([
      "blockhaul: target x.img: write at offset 4096: No space left on device",
      "hint: make room where the target lives; the source is untouched",
    ]);
  });

  it("with -v has its code and its causes, without secrets", () => {
    expect(explainError(error, true).slice(2)).toEqual([
      "code: ERR_NO_SPACE (ENOSPC)",
      "cause: password=***",
      "cause: deeper",
    ]);
  });

  it("that nobody expected is one line, too", () => {
    const lines = explainError(new TypeError("x is not\na function"), false);
    expect(lines[0]).toBe("blockhaul: x is not a function");
    expect(exitCodeOf(new TypeError("x"))).toBe(1);
    expect(exitCodeOf(undefined)).toBe(1);
  });

  it("has the exit code of its code, or of the signal", () => {
    expect(exitCodeOf(error)).toBe(1);
    expect(exitCodeOf(new BlockhaulError("ERR_UNREACHABLE"))).toBe(5);
    expect(exitCodeOf(new StoppedBySignal("SIGINT", "x"))).toBe(130);
    expect(exitCodeOf(new StoppedBySignal("SIGTERM", "x"))).toBe(143);
    expect(describeError(error)).toMatchObject({
      type: "error",
      code: "ERR_NO_SPACE",
      exitCode: 1,
    });
  });
});

describe("the text of a copy", () => {
  const report: CopyReport = {
    source: "a.img",
    target: "rbd:b",
    size: 10 * 1024 ** 3,
    read: 4 * 1024 ** 3,
    written: 4 * 1024 ** 3,
    zeroed: 1024 ** 3,
    skipped: 5 * 1024 ** 3,
    seconds: 12.5,
    bytesPerSecond: 800 * 1024 ** 2,
    method: "engine",
    io: "io_uring",
    requests: 64,
    requestSize: 1024 ** 2,
    threads: 1,
    digest: "xxh3:00",
  };

  it("says what was moved, zeroed and skipped, how, and the digest", () => {
    expect(summary(report)).toBe(`copied a.img to rbd:b
  10 GiB in 13 s, 800 MiB/s
  4 GiB moved, 1 GiB made zero, 5 GiB of zeros skipped
  by the engine, io_uring: 64 requests of 1MiB, 1 thread
  xxh3:00
`);
    const plain = summary({ ...report, zeroed: 0, skipped: 0, digest: undefined });
    expect(plain).toContain("  4 GiB moved\n");
    expect(plain).not.toContain("xxh3");
  });

  it("says what would be done", () => {
    const plan = { ...report, memory: 64 * 1024 ** 2, useExtents: true, bandwidthLimit: 1024 };
    const text = planText({ ...plan, method: "engine", digest: "xxh3" }, { isNew: true });
    expect(text).toContain("plan: 10 GiB (10737418240 bytes)");
    expect(text).toContain("to rbd:b, a new volume");
    expect(text).toContain("1 KiB/s at the most");
    const missing = 'rbd:b: pool "b" does not exist';
    expect(
      planText({ ...plan, method: "engine", digest: "xxh3" }, { isNew: true, missing }),
    ).toContain(`to rbd:b, a new volume (now: ${missing})`);
  });
});

describe("--create", () => {
  it("takes the options of a new target, and they need it", () => {
    expect(createOptions({}, 5)).toBeUndefined();
    expect(createOptions({ create: true, objectSize: 4096 }, 5)).toEqual({
      size: 5,
      exclusive: true,
      objectSize: 4096,
    });
    expect(() => createOptions({ objectSize: 4096 }, 5)).toThrowError(/--object-size.*--create/);
  });
});

it.each([
  [{}, true, "bar"],
  [{}, false, "plain"],
  [{ json: true }, true, "json"],
  [{ quiet: true }, true, "none"],
  [{ quiet: true, progress: "bar" }, false, "bar"],
  [{ json: true, progress: "none" }, true, "none"],
] as const)("progress with %j on a terminal (%s) is %s", (options, isTerminal, mode) => {
  expect(progressMode(options, { stderr: { isTerminal } as never })).toBe(mode);
});

describe("the doctor", () => {
  it("reads the limits of the process", () => {
    const text = [
      "Limit                     Soft Limit           Hard Limit           Units",
      "Max open files            1024                 4096                 files",
      "Max locked memory         unlimited            unlimited            bytes",
    ].join("\n");
    expect(parseLimits(text)).toEqual({ files: 1024, lockedMemory: Number.POSITIVE_INFINITY });
    expect(parseLimits("nonsense")).toBeUndefined();
  });

  it("warns of small limits, and of locked memory not where root works", () => {
    const states = (files: number, lockedMemory: number, isRoot: boolean) =>
      checkLimits({ files, lockedMemory }, isRoot).map(({ state }) => state);
    expect(states(1024, Number.POSITIVE_INFINITY, false)).toEqual(["ok", "ok"]);
    expect(states(256, 8 * 1024 ** 2, false)).toEqual(["warn", "warn"]);
    expect(states(256, 8 * 1024 ** 2, true)).toEqual(["warn", "ok"]);
  });

  it.each([
    ["20.19.0", "ok"],
    ["22.0.0", "ok"],
    ["20.18.3", "missing"],
    ["18.20.0", "missing"],
  ])("finds Node %s %s", (version, state) => {
    expect(checkNode(version).state).toBe(state);
  });

  it("warns of a tool that is missing, and says what brings it", () => {
    const tool = { name: "lvm", package: "lvm2", without: "lvm: cannot be used" };
    expect(checkTool({ ...tool, path: "/usr/sbin/lvm" })).toEqual({
      name: "lvm",
      state: "ok",
      detail: "/usr/sbin/lvm",
    });
    expect(checkTool({ ...tool, path: undefined })).toEqual({
      name: "lvm",
      state: "warn",
      detail: "missing, so lvm: cannot be used: apt-get install lvm2",
    });
  });

  it("says why it is slower, and what to install", () => {
    const checks = describeEngine({
      zeroDetection: "avx2",
      io: { io: "threads", reason: "Operation not permitted" },
      librbd: { available: false, reason: "install the package librbd1" },
    });
    expect(checks.map(({ state }) => state)).toEqual(["warn", "ok", "warn"]);
    expect(checks[0]?.detail).toContain("Operation not permitted");
    expect(checks[2]?.detail).toContain("librbd1");
  });
});

it("tables are aligned", () => {
  expect(
    alignTable(
      ["name", ">bytes"],
      [
        ["a", "1"],
        ["long", "1000000"],
      ],
    ),
  ).toBe("name    bytes\na           1\nlong  1000000\n");
  expect(
    alignFields([
      ["a", "1"],
      ["long", "2"],
    ]),
  ).toBe("a     1\nlong  2\n");
  expect([plural(1, "thread"), plural(2, "thread")]).toEqual(["1 thread", "2 threads"]);
});
