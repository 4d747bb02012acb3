import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

import { root } from "../../scripts/lib/run.mjs";
import { parsePatch, readBugs, splitPatch } from "../../scripts/planted/patch.mjs";
import { deadlineFor, judge, named, type Test } from "../../scripts/planted/verdict.mjs";

const DIFF =
  "diff --git a/src/a.ts b/src/a.ts\n--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1 +1 @@\n-a\n+b\n";
const PATCH = `Loses the tail\nof a copy.\n\nCaught-by: native CopyTailTest.*:*Fault?
Caught-by: unit test/unit/copy.test.ts -t "a "quoted" name"\nCaught-by: unit test/a.test.ts\n\n${DIFF}`;

const passed = (name: string, file?: string): Test => ({
  name,
  ...(file === undefined ? {} : { file }),
  outcome: "passed",
  seconds: 1,
});
const run = { status: 0, hung: false, tests: [passed("A.b")] };

describe("a planted bug", () => {
  it("says what it would do, who catches it, and what it changes", () => {
    expect(parsePatch("/x/lost-tail.patch", PATCH)).toEqual({
      name: "lost-tail",
      file: "/x/lost-tail.patch",
      harm: "Loses the tail of a copy.",
      catchers: [
        { kind: "native", filter: "CopyTailTest.*:*Fault?" },
        { kind: "unit", file: "test/unit/copy.test.ts", pattern: 'a "quoted" name' },
        { kind: "unit", file: "test/a.test.ts", pattern: undefined },
      ],
      touched: ["src/a.ts"],
    });
    expect(splitPatch(PATCH).diff).toBe(DIFF);
  });

  it.each([
    ["lost-tail", DIFF, "would do to a user"],
    ["lost-tail", `Harm.\n${DIFF}`, "no line Caught-by"],
    ["lost-tail", "Harm.\nCaught-by: native A.b\n", "no diff"],
    ["lost-tail", `Harm.\nCaught-by: e2e A.b\n${DIFF}`, "neither"],
    ["lost-tail", `Harm.\nCaught-by: native A.*-A.b\n${DIFF}`, "neither"],
    ["lost-tail", `Harm.\nCaught-by: unit src/a.ts\n${DIFF}`, "neither"],
    ["Lost_Tail", PATCH, "its name"],
  ])("%s with %j is malformed", (name, text, reason) => {
    expect(() => parsePatch(`/x/${name}.patch`, text)).toThrowError(reason);
  });

  it("is well formed in each file, and there are fifty at the least", () => {
    expect(readBugs().length).toBeGreaterThanOrEqual(50);
  });

  it("fits the code as it is", () => {
    const misfits = readBugs().filter(({ file }) => {
      const options = { cwd: root, stdio: "ignore" } as const;
      return spawnSync("git", ["apply", "--check", file], options).status !== 0;
    });
    expect(misfits.map(({ name }) => name)).toEqual([]);
  });
});

describe("the verdict over a planted bug", () => {
  it("is caught by a test that fails, a crash, or a hang", () => {
    const failed: Test = { name: "A.c", outcome: "failed", seconds: 0 };
    expect(judge({ ...run, status: 1, tests: [passed("A.b"), failed, failed] })).toEqual({
      verdict: "caught",
      how: "fails A.c, and 1 more",
    });
    const crashed = { status: 134, hung: false, tests: undefined };
    expect(judge(crashed)).toEqual({ verdict: "caught", how: "crashes (SIGABRT)" });
    expect(judge({ status: 137, hung: true, tests: undefined }).verdict).toBe("caught");
  });

  it("is not caught where all pass, and where none runs", () => {
    expect(judge(run)).toEqual({ verdict: "not caught", how: "1 of its tests pass" });
    // Passed, and something at the end went wrong: no test has said so.
    expect(judge({ ...run, status: 1 }).verdict).toBe("not caught");
    expect(judge({ ...run, tests: [] }).verdict).toBe("not caught");
    expect(judge({ status: 1, hung: false, tests: undefined }).verdict).toBe("not caught");
  });

  it("is open where this host skips the tests", () => {
    const tests: Test[] = [{ name: "A.b", outcome: "skipped", seconds: 0 }];
    expect(judge({ ...run, tests }).verdict).toBe("skipped");
  });
});

it("a catcher names tests as the runners do", () => {
  const tests = [passed("X/A.b/1"), passed("A.bc"), passed("a b", "test/a.test.ts")];
  const names = (filter: string) => named({ kind: "native", filter }, tests).map((t) => t.name);
  expect(names("A.b")).toEqual([]);
  expect(names("*A.b*")).toEqual(["X/A.b/1", "A.bc"]);
  expect(names("A.b?:X/*")).toEqual(["X/A.b/1", "A.bc"]);
  const unit = { kind: "unit", file: "test/a.test.ts" } as const;
  expect(named({ ...unit, pattern: "^a" }, tests)).toHaveLength(1);
  expect(named({ ...unit, pattern: "c" }, tests)).toHaveLength(0);
  expect(named({ ...unit, file: "test/b.test.ts", pattern: undefined }, tests)).toHaveLength(0);
  expect(deadlineFor(tests)).toBeGreaterThan(deadlineFor([]));
});
