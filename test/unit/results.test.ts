/** What the runs of tests count: a failure that is not counted here is one that nobody hears of. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import type { TestCase, TestModule } from "vitest/node";

import { countGoogleTest, GoogleTestRun } from "../../scripts/lib/google-test.mjs";
import { countsOf, inWords, nothing, sayResults, sum } from "../../scripts/lib/results.mjs";
import Reporter from "../../scripts/lib/vitest-reporter.mjs";
import { Workspace } from "../support/workspace.js";

const workspace = new Workspace();
const said: string[] = [];
vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text)) > 0);
afterEach(() => {
  said.length = 0;
});
afterAll(() => {
  vi.restoreAllMocks();
  workspace[Symbol.dispose]();
});

const report = {
  testsuites: [
    {
      name: "CopyTest",
      time: "1.25s",
      testsuite: [
        { classname: "CopyTest", name: "Works", result: "COMPLETED" },
        { classname: "CopyTest", name: "Needs", result: "SKIPPED" },
        {
          classname: "CopyTest",
          name: "Fails",
          result: "COMPLETED",
          failures: [{ failure: "a.cc:1\nno" }],
        },
      ],
    },
  ],
};

describe("GoogleTest's report", () => {
  it("is counted with what failed, how to run it again, and what was skipped and why", () => {
    const counts = countGoogleTest(report, new Map([["CopyTest.Needs", "no io_uring here"]]));
    expect(counts).toEqual({
      passed: 1,
      failed: 1,
      failures: [
        "CopyTest.Fails\n    a.cc:1\n    no\n    again: npm run test:native -- 'CopyTest.Fails'",
      ],
      skips: [{ what: "CopyTest.Needs", why: "no io_uring here" }],
      files: [{ file: "CopyTest", wall: 1.25 }],
    });
    expect(inWords(counts)).toBe("1 passed, 1 failed, 1 skipped");
  });

  it("that is missing is a failure, and so is a bad end of tests that all passed", () => {
    const missing = countsOf(workspace.path("none.json"), 139, () => nothing);
    expect(missing).toMatchObject({ passed: 0, failed: 1 });
    expect(missing.failures[0]).toContain("ended with 139, without a report");
    const file = workspace.path("report.json");
    writeFileSync(file, "{}");
    expect(countsOf(file, 1, () => ({ ...nothing, passed: 7 }))).toMatchObject({
      passed: 7,
      failed: 1,
    });
    expect(countsOf(file, 0, () => ({ ...nothing, passed: 7 }))).toMatchObject({ failed: 0 });
  });
});

describe("a program of GoogleTest's", () => {
  let programs = 0;
  async function hear(lines: readonly string[], end: string) {
    const program = workspace.path(`program-${++programs}`);
    const script = `#!/bin/sh\ncat <<'END'\n${lines.join("\n")}\nEND\n${end}\n`;
    writeFileSync(program, script, { mode: 0o755 });
    const run = new GoogleTestRun();
    const status = await run.run(program, [], {});
    return { run, status, said: said.join("") };
  }
  const begun = ["Running main() from gtest_main.cc", "[==========] Running 3 tests from 1 suite."];
  const works = ["[ RUN      ] A.Works", "chatter", "[       OK ] A.Works (1 ms)"];

  it("is heard: what failed is shown, why tests are skipped is kept, and nothing else", async () => {
    const lines = [
      ...begun,
      ...works,
      "[ RUN      ] A.Needs/0",
      "a.cc:7: Skipped",
      "only root may",
      "[  SKIPPED ] A.Needs/0 (0 ms)",
      "[ RUN      ] A.Fails",
      "a.cc:9: Failure",
      "[  FAILED  ] A.Fails, where GetParam() = 3 (2 ms)",
      "[----------] Global test environment tear-down",
      "[  FAILED  ] 1 test, listed below:",
      "[  FAILED  ] A.Fails",
    ];
    const { run, status, said } = await hear(lines, "exit 1");
    expect(status).toBe(1);
    expect(run).toMatchObject({ total: 3, ended: 3, failed: 1 });
    expect([...run.skips]).toEqual([["A.Needs/0", "only root may"]]);
    expect(said).toContain("FAILED A.Fails:\n  a.cc:9: Failure");
    expect(said).not.toMatch(/chatter|Running main|tear-down/);
  });

  it("that dies within a test shows what that said, and which it was", async () => {
    const lines = [...begun, ...works, "[ RUN      ] A.Dies", "last words"];
    const { status, said } = await hear(lines, "kill -SEGV $$");
    expect(status).not.toBe(0);
    expect(said).toContain("A.Dies:\nlast words");
  });

  it("that finds a leak behind its last test shows it", async () => {
    const lines = [
      ...begun.map((line) => line.replace("3", "1")),
      ...works,
      "LeakSanitizer: 3 bytes",
    ];
    expect((await hear(lines, "exit 23")).said).toContain("LeakSanitizer: 3 bytes");
  });
});

describe("vitest's run", () => {
  const errors = (...messages: readonly string[]) => messages.map((message) => ({ message }));
  const suite = (messages: readonly string[], more: object) => ({
    errors: () => errors(...messages),
    children: { allSuites: () => [] },
    ...more,
  });
  const module = (messages: readonly string[], suites: readonly object[] = []) =>
    suite(messages, {
      type: "module",
      relativeModuleId: "test/a.test.ts",
      meta: () => ({ cost: { wall: 2, cpu: 1 } }),
      children: { allSuites: () => suites },
    }) as unknown as TestModule;
  const test = (state: string, more: object = {}) =>
    ({
      name: "is (a) test",
      fullName: "what > is (a) test",
      module: module([]),
      result: () => ({ state, errors: errors("no"), ...more }),
    }) as unknown as TestCase;

  function left(run: (reporter: Reporter) => void, errorsOutside: readonly string[] = []) {
    const file = workspace.path("vitest.json");
    vi.stubEnv("BLOCKHAUL_TEST_RESULT", file);
    const reporter = new Reporter();
    run(reporter);
    reporter.onTestRunEnd([], errors(...errorsOutside));
    vi.unstubAllEnvs();
    return JSON.parse(readFileSync(file, "utf8"));
  }

  it("counts tests, hooks that failed, what happened outside of tests, and what each file cost", () => {
    const counts = left(
      (reporter) => {
        reporter.onTestCaseResult(test("passed"));
        reporter.onTestCaseResult(test("failed"));
        reporter.onTestCaseResult(test("skipped", { note: "only root may" }));
        reporter.onTestModuleEnd(
          module([], [suite(["hook"], { type: "suite", fullName: "what" })]),
        );
        reporter.onTestModuleEnd(module(["does not load"]));
      },
      ["unhandled"],
    );
    expect(counts).toMatchObject({ passed: 1, failed: 4 });
    expect(counts.skips).toEqual([
      { what: "test/a.test.ts: what > is (a) test", why: "only root may" },
    ]);
    expect(counts.files[0]).toEqual({ file: "test/a.test.ts", wall: 2, cpu: 1 });
    expect(counts.failures).toEqual([
      "test/a.test.ts: what > is (a) test\n    no\n    again: npm test -- test/a.test.ts -t 'is \\(a\\) test'",
      expect.stringContaining("what\n    hook"),
      expect.stringContaining("(the file)\n    does not load"),
      expect.stringContaining("outside of tests\n    unhandled"),
    ]);
  });
});

describe("the end of a run", () => {
  it("names what failed, groups what was skipped by the reason, and ends with the counts", () => {
    const skips = ["a", "b", "c", "d"].map((what) => ({ what, why: "no guest can run here" }));
    sayResults(
      sum([
        { ...nothing, passed: 3, skips },
        {
          ...nothing,
          failed: 1,
          failures: ["A.b\n    again: npm test"],
          skips: [{ what: "x", why: "y" }],
        },
      ]),
    );
    const text = said.join("");
    expect(text).toContain("Failed (1):\n- A.b\n    again: npm test\n");
    expect(text).toContain(
      "Not tested on this machine (5):\n- no guest can run here: a; b; and 2 more\n- y: x\n",
    );
    expect(text.trimEnd().split("\n").at(-1)).toBe("3 passed, 1 failed, 5 skipped");
  });
});
