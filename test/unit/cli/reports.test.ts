import { BlockhaulError, type CopyPlan, type CopyReport, type JobStatus } from "blockhaul";
import { describe, expect, it } from "vitest";

import { createOptions } from "../../../src/cli/copy-ends.js";
import { incompleteText, planLines, summary } from "../../../src/cli/copy-report.js";
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
  ResumableFailure,
  rangeLines,
  StoppedBySignal,
} from "../../../src/cli/error-report.js";
import { jobLines, jobsTable } from "../../../src/cli/job-report.js";
import { resumedLines } from "../../../src/cli/resuming.js";
import { alignFields, alignTable, plural } from "../../../src/cli/table.js";
import { progressMode } from "../../../src/cli/watch.js";

const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

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

  it("whose copy can go on says so besides, and names the job", () => {
    const failure = new ResumableFailure(error, "k3v9q2ab", "`blockhaul resume k3v9q2ab` goes on");
    expect(explainError(failure, false)).toEqual([
      explainError(error, false)[0],
      "hint: make room where the target lives; the source is untouched; `blockhaul resume k3v9q2ab` goes on",
    ]);
    expect(describeError(failure)).toMatchObject({ code: "ERR_NO_SPACE", job: "k3v9q2ab" });
    expect(describeError(failure)).toMatchObject({ exitCode: 1 });
    const stopped = new ResumableFailure(new StoppedBySignal("SIGTERM", "x"), "k3v9q2ab", "y");
    expect(exitCodeOf(stopped)).toBe(143);
    expect(describeError(stopped)).toMatchObject({ exitCode: 143, message: "x" });
  });

  it("of a verification lists the places: the first twenty, and how many more", () => {
    const ranges = Array.from({ length: 23 }, (_, index) => ({ offset: index * 8, length: 4 }));
    const differs = new BlockhaulError("ERR_VERIFICATION", { message: "differs", ranges });
    const lines = explainError(differs, false);
    expect(lines[1]).toBe("  4 bytes at offset 0");
    expect(lines[20]).toBe("  4 bytes at offset 152");
    expect(lines[21]).toBe("  and 3 more");
    expect(rangeLines(ranges.slice(0, 20))).toHaveLength(20);
    expect(describeError(differs)).toMatchObject({ ranges, exitCode: 6 });
  });
});

describe("the text of a copy", () => {
  const report: CopyReport = {
    source: "a.img",
    target: "rbd:b",
    size: 10 * 1024 ** 3,
    begin: 0,
    read: 4 * 1024 ** 3,
    written: 4 * 1024 ** 3,
    zeroed: 1024 ** 3,
    skipped: 5 * 1024 ** 3,
    retries: 0,
    mapFailures: 0,
    bad: [],
    seconds: 12.5,
    bytesPerSecond: 800 * 1024 ** 2,
    method: "engine",
    io: "io_uring",
    requests: 64,
    requestSize: 1024 ** 2,
    threads: 1,
    digest: "xxh3:00",
    verification: undefined,
    notIdentified: [],
    sourceWrites: "none",
    notExcluded: [],
    job: undefined,
  };
  const plan: CopyPlan = {
    source: "a.img",
    target: "rbd:b",
    size: 10 * 1024 ** 3,
    method: "engine",
    requests: 64,
    requestSize: 1024 ** 2,
    memory: 64 * 1024 ** 2,
    threads: 1,
    useExtents: true,
    digest: "xxh3",
    bandwidthLimit: 1024,
    iopsLimit: 0,
    retries: 5,
    requestTimeoutMs: 300_000,
    stallLimitMs: 300_000,
    salvage: false,
    verify: false,
    repair: false,
    journal: true,
    checkpointIntervalMs: 2500,
  };

  it("says what was moved, zeroed and skipped, how, and the digest", () => {
    expect(textOf(summary(report))).toBe(`copied a.img to rbd:b
  10 GiB in 13 s, 800 MiB/s
  4 GiB moved, 1 GiB made zero, 5 GiB of zeros skipped
  by the engine, io_uring: 64 requests of 1MiB, 1 thread
  xxh3:00
`);
    const plain = textOf(summary({ ...report, zeroed: 0, skipped: 0, digest: undefined }));
    expect(plain).toContain("  4 GiB moved\n");
    expect(plain).not.toContain("xxh3");
  });

  it("says what would be done", () => {
    const text = textOf(planLines(plan, { isNew: true }));
    expect(text).toContain("plan: 10 GiB (10737418240 bytes)");
    expect(text).toContain("to rbd:b, a new volume");
    expect(text).toContain("1 KiB/s at the most");
    expect(text).toContain("  journal: every 2.5 s\n");
    expect(text).not.toContain("read back");
    const missing = 'rbd:b: pool "b" does not exist';
    expect(textOf(planLines(plan, { isNew: true, missing }))).toContain(
      `to rbd:b, a new volume (now: ${missing})`,
    );
    const other = { ...plan, repair: true, verify: true, journal: false, salvage: true };
    const otherText = textOf(planLines({ ...other, iopsLimit: 500 }, { isNew: false }));
    expect(otherText).toContain("500 requests a second at the most");
    expect(otherText).toContain("digest: xxh3, and the target is read back and repaired");
    expect(otherText).toContain("journal: none");
    expect(otherText).toContain("what cannot be read becomes zeros");
  });

  it("says what was verified, what was tried again, and where it went on", () => {
    const verification = {
      size: 10 * 1024 ** 3,
      read: 10 * 1024 ** 3,
      against: "what was read",
      differences: [],
      repaired: [],
      seconds: 4,
    } as const;
    const text = textOf(
      summary({
        ...report,
        begin: 6 * 1024 ** 3,
        retries: 2,
        mapFailures: 1,
        verification,
        job: "k3v9q2ab",
      }),
    );
    expect(text).toContain("  10 GiB, the last 4 GiB of it in 13 s");
    expect(text).toContain("  2 requests made once more\n");
    expect(text).toContain("all was read there\n");
    expect(text).toContain(
      "  verified: 10 GiB read back in 4.0 s, the target holds what was read of the source\n",
    );
    expect(text).toContain("  job k3v9q2ab\n");
    const both = textOf(
      summary({ ...report, verification: { ...verification, against: "source" } }),
    );
    expect(both).toContain(
      "10 GiB read back from both ends in 4.0 s, the target holds what the source does\n",
    );
    const repaired = [{ offset: 4194304, length: 4194304 }];
    expect(textOf(summary({ ...report, verification: { ...verification, repaired } }))).toContain(
      "written once more:\n    4 MiB at offset 4194304\n",
    );
  });

  it("of a salvage lists what is missing", () => {
    const bad = [
      { offset: 512, length: 4096 },
      { offset: 1024 ** 2, length: 513 },
    ];
    expect(textOf(summary({ ...report, bad }))).toMatch(
      /not complete; these are zeros:\n {2}4 KiB at offset 512\n {2}513 bytes at offset 1048576\n$/,
    );
    expect(incompleteText({ ...report, bad })).toMatch(/^rbd:b .*4609 bytes.* 2 ranges/);
  });

  it("of one that goes on says where, and what was read back", () => {
    const resumed = { id: "k3v9q2ab", source: "a", target: "b", size: 1000, checked: 200 };
    expect(textOf(resumedLines({ ...resumed, begin: 400, dropped: 0 }))).toBe(
      "job k3v9q2ab: a to b\n  goes on at 40%, 400 B of 1000 B; 200 B before it were read back and are right\n",
    );
    expect(textOf(resumedLines({ ...resumed, begin: 0, dropped: 400 }))).toContain(
      "400 B that were recorded",
    );
  });
});

describe("the text of jobs", () => {
  const job: JobStatus = {
    id: "k3v9q2ab",
    state: "running",
    limits: {},
    resumable: false,
    source: { ref: "a.img", identity: "file:1:2", size: 1000, blockSize: 1 },
    target: { ref: "rbd:b", identity: "rbd:b", size: 1000, blockSize: 1 },
    size: 1000,
    done: 999,
    algorithm: "xxh3",
    options: undefined,
    createdAt: "2026-01-02T03:04:05.678Z",
    begunAt: "2026-01-02T03:04:05.678Z",
    pid: 42,
    endedAt: undefined,
    error: undefined,
    digest: undefined,
    bad: [],
    journal: "/state/jobs/k3v9q2ab.journal",
  };
  const context = { environment: { BLOCKHAUL_STATE_DIR: "/state" } };

  it("is a line each: state, share rounded down, ends and time", () => {
    const lines = jobsTable(
      [
        job,
        { ...job, limits: { paused: true } },
        { ...job, state: "done" },
        { ...job, state: "unreadable", source: undefined, target: undefined, createdAt: undefined },
      ],
      [],
    );
    expect(lines[1]).toBe("k3v9q2ab  running      99%  a.img   rbd:b   2026-01-02T03:04:05Z");
    expect(lines[2]).toContain("paused       99%");
    expect(lines[3]).toContain("done        100%");
    expect(lines[4]).toContain("unreadable     -  -       -");
  });

  it("of one says all of it, and how it goes on", () => {
    const limits = { bandwidthLimit: 1024, iopsLimit: 7 };
    const running = textOf(jobLines({ ...job, limits }, {}, context));
    expect(running).toMatch(/^state +running, process 42$/m);
    expect(running).toMatch(/^limits +1 KiB\/s, 7 requests a second$/m);
    expect(running).not.toContain("go on with");
    const error = { code: "ERR_IO", message: "source a.img: read" };
    const bad = [{ offset: 0, length: 512 }];
    const failed: JobStatus = { ...job, state: "failed", resumable: true, error, bad };
    const text = textOf(jobLines(failed, { stateDir: "/other" }, context));
    expect(text).toMatch(/^error +source a.img: read \(ERR_IO\)$/m);
    expect(text).toMatch(/^go on with +blockhaul resume k3v9q2ab --state-dir \/other$/m);
    expect(text).toMatch(/^could not be read:\n {2}512 bytes at offset 0$/m);
    expect(textOf(jobLines(failed, { stateDir: "/state" }, context))).toMatch(/resume k3v9q2ab$/m);
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
  ).toEqual(["name    bytes", "a           1", "long  1000000"]);
  expect(
    alignFields([
      ["a", "1"],
      ["long", "2"],
    ]),
  ).toEqual(["a     1", "long  2"]);
  expect([plural(1, "thread"), plural(2, "thread")]).toEqual(["1 thread", "2 threads"]);
});
