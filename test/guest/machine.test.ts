import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it, vi } from "vitest";

import { runGuest } from "../support/guest/machine/machine.mjs";
import { declaredOptions, runScenario } from "../support/guest/machine/scenario.mjs";
import { describeWhere } from "../support/needs.js";
import { Workspace } from "../support/workspace.js";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url));

/** "result name", as the tests that stand for cases are called. */
async function reportedCases(name: string) {
  const cases = await runScenario(fixture(name));
  return cases.map(({ path, result, error, reason }) => ({
    said: `${result} ${path.join(" > ")}`,
    why: error?.message ?? reason,
  }));
}

const run = fileURLToPath(new URL("../support/guest/run.mjs", import.meta.url));

/** All that a process has started, and what that has started. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number)
    .flatMap((child) => [child, ...descendants(child)]);
}

/** Undefined once the process has ended. */
function programOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0];
  } catch {
    return undefined;
  }
}

// The tests in a guest are worth what the guest's failures are: each has to come out.
describeWhere(inject("whyNoGuest") ?? undefined, "a guest", () => {
  it("runs a command on this machine's files and changes none of them", async () => {
    const script = `
      echo "it's $NAME"; id -u; uname -r; blockdev --getsize64 /dev/ubda /dev/ubdb
      echo changed >"$0.new" && ls "$0.new" && grep -c "^dm_mod" /proc/modules; exit 3`;
    const own = fileURLToPath(import.meta.url);
    const end = await runGuest(["sh", "-c", script, own], {
      memoryMiB: 256,
      disksMiB: [3, 5],
      modules: ["dm-mod"],
      env: { NAME: `a "guest's"` },
    });
    expect(end.status).toBe(3);
    const [greeting, user, kernel, ...rest] = end.output.trimEnd().split("\n");
    expect([greeting, user]).toEqual([`it's a "guest's"`, "0"]);
    expect(kernel).not.toBe(execFileSync("uname", ["-r"], { encoding: "utf8" }).trim());
    expect(rest).toEqual(["3145728", "5242880", `${own}.new`, "1"]);
    expect(() => execFileSync("ls", [`${own}.new`], { stdio: "ignore" })).toThrow();
  });

  it("has every end of a case reported, and its own death", async () => {
    const cases = await reportedCases("dies");
    expect(cases).toEqual([
      { said: "passed suite > passes", why: undefined },
      { said: "failed suite > fails", why: expect.stringMatching(/\+ +answer: 41\n- +answer: 42/) },
      { said: "skipped suite > is skipped", why: "a reason" },
      {
        said: "failed suite with a hook > never begins",
        why: expect.stringContaining("cancelled"),
      },
      { said: "failed suite with a hook > (a hook)", why: "the hook's error" },
      {
        said: "failed the guest lives to its end",
        why: expect.stringMatching(
          /its kernel panicked, during "takes the guest along"[\s\S]*sysrq triggered crash/,
        ),
      },
    ]);
  });

  it("is killed after its time limit", async () => {
    expect(await reportedCases("hangs")).toEqual([
      {
        said: "failed the guest lives to its end",
        why: expect.stringContaining("killed after its time limit of 8 s"),
      },
    ]);
  });

  it("ends with the process that runs it, even by SIGKILL", async () => {
    using workspace = new Workspace(); // for what the killed process cannot remove
    const runner = spawn(process.execPath, [run, "--", "sh", "-c", "echo up; sleep 600"], {
      env: { ...process.env, TMPDIR: workspace.folder },
    });
    await once(runner.stdout, "data");
    const started = descendants(runner.pid ?? 0);
    expect(started.map(programOf)).toContain("/usr/bin/linux.uml");
    runner.kill("SIGKILL");
    await vi.waitFor(() => expect(started.map(programOf).filter(Boolean)).toEqual([]), 120_000);
  });

  it("fails without a case", async () => {
    expect(await reportedCases("empty")).toEqual([
      { said: "failed some case is reported", why: expect.stringContaining("ended with 0") },
    ]);
  });
});

describe("a scenario's @guest line", () => {
  it("says what guest it wants", () => {
    const text = "// @guest memory=512 disks=64,128 limit=90 modules=nbd,dm-mod\n\nimport x;\n";
    expect(declaredOptions(text)).toEqual({
      memoryMiB: 512,
      disksMiB: [64, 128],
      timeLimitS: 90,
      modules: ["nbd", "dm-mod"],
    });
    expect(declaredOptions("import x;\n")).toEqual({});
  });

  it("is refused where it makes no sense", () => {
    for (const setting of ["memory=1G", "disk=64", "disks=64,", "limit=0"]) {
      expect(() => declaredOptions(`// @guest ${setting}`)).toThrow(setting);
    }
  });
});
