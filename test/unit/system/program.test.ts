import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";

import { findProgram, programVersion, runProgram } from "../../../src/system/program.js";
import { Workspace } from "../../support/workspace.js";

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

const SHELL = { name: "sh", package: "dash" };
const PRINTF = { name: "printf", package: "coreutils" };
const ENV = { name: "env", package: "coreutils" };
const patient = { deadlineMs: 20_000 };

describe("a program's path", () => {
  it("is absolute, and never what PATH says", () => {
    expect(findProgram("sh")).toMatch(/^\/(usr\/)?bin\/sh$/);
    vi.stubEnv("PATH", workspace.folder);
    expect(findProgram("sh")).toMatch(/^\/(usr\/)?bin\/sh$/);
    vi.unstubAllEnvs();
    expect(findProgram("no-such-program")).toBeUndefined();
  });
});

describe("a program that is run", () => {
  it("gets its arguments as they are", async () => {
    const args = ["a b", "$(id)", "`id`", ";", "a\nb", "*", "--", "", "'", '"', "\\", "ü", "$HOME"];
    const { status, stdout } = await runProgram(PRINTF, ["<%s>", ...args], patient);
    expect(status).toBe(0);
    expect(stdout).toBe(args.map((text) => `<${text}>`).join(""));
  });

  it("gets any argument as it is", async () => {
    const argument = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"));
    const arguments_ = fc.array(argument, { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(arguments_, async (args) => {
        const { stdout } = await runProgram(PRINTF, ["<%s>", ...args], patient);
        const sent = args.map((text) => Buffer.from(text).toString()); // as UTF-8 has it
        expect(stdout).toBe(sent.map((text) => `<${text}>`).join(""));
      }),
      { numRuns: 30 },
    );
  });

  it("cannot be handed what no argument can hold", async () => {
    await expect(runProgram(PRINTF, ["a\0b"], patient)).rejects.toMatchObject({
      name: "BlockhaulError",
      message: expect.stringContaining("/printf"),
    });
  });

  it("sees nothing of our environment", async () => {
    vi.stubEnv("BLOCKHAUL_CHAP_SECRET", "sesame");
    vi.stubEnv("LD_PRELOAD", "/nowhere.so");
    const { stdout } = await runProgram(ENV, [], patient);
    vi.unstubAllEnvs();
    const lines = stdout.trim().split("\n").sort();
    expect(lines).toEqual(["LC_ALL=C", expect.stringMatching(/^PATH=\/usr\/sbin:/)]);
  });

  it("has an end for its input", async () => {
    const { stdout } = await runProgram({ name: "cat", package: "coreutils" }, [], patient);
    expect(stdout).toBe("");
  });

  it("answers with its status, its output and its complaints", async () => {
    const script = "echo out; echo err >&2; exit 21";
    await expect(runProgram(SHELL, ["-c", script], patient)).resolves.toEqual({
      status: 21,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("that a signal ended has the status that a shell gives it", async () => {
    const { status } = await runProgram(SHELL, ["-c", "kill -9 $$"], patient);
    expect(status).toBe(128 + 9);
  });

  it("that says more than can be kept has not answered", async () => {
    const talk = runProgram(SHELL, ["-c", "head -c 40000000 /dev/zero"], patient);
    await expect(talk).rejects.toMatchObject({ name: "BlockhaulError", code: "ERR_INTERNAL" });
  });

  it("is refused by name where this host does not have it, never with an exception at once", async () => {
    const missing = { name: "no-such-program", package: "its-package" };
    const running = runProgram(missing, [], patient);
    await expect(running).rejects.toMatchObject({
      code: "ERR_DRIVER_UNAVAILABLE",
      message: "the program no-such-program is missing",
      hint: expect.stringContaining("apt-get install its-package"),
    });
    await expect(programVersion(missing, ["--version"])).resolves.toBeUndefined();
  });

  it("has a version where it says one", async () => {
    await expect(programVersion(SHELL, ["-c", "echo v 2.1.8-x"])).resolves.toBe("2.1.8");
    await expect(programVersion(SHELL, ["-c", "echo 3.4 >&2"])).resolves.toBe("3.4");
    await expect(programVersion(SHELL, ["-c", "exit 1"])).resolves.toBe("");
  });
});

describe("a program that takes too long", () => {
  /** Writes its number down; ends once this process is gone, whatever becomes of the test. */
  const endless = (file: string) => `echo $$ > ${file}; while kill -0 ${process.pid}; do :; done`;
  const isAlive = (pid: number) => existsSync(`/proc/${pid}`);
  const pidIn = (file: string) => Number(readFileSync(file, "utf8"));

  it("is ended, and has ended when that is told", async () => {
    const file = workspace.path("ended");
    const options = { deadlineMs: 1000 };
    const running = runProgram(SHELL, ["-c", `${endless(file)} > /dev/null`], options);
    await expect(running).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      retryable: true,
      message: "sh did not end within 1 seconds",
    });
    expect(isAlive(pidIn(file))).toBe(false);
  });

  it("is killed where it does not want to end", async () => {
    const file = workspace.path("killed");
    const script = `trap '' TERM; ${endless(file)} > /dev/null`;
    const running = runProgram(SHELL, ["-c", script], { deadlineMs: 1000, graceMs: 100 });
    await expect(running).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const pid = pidIn(file);
    for (let i = 0; isAlive(pid) && i < 10_000; i++) await turn();
    const isLeft = isAlive(pid);
    if (isLeft) process.kill(pid, "SIGKILL");
    expect(isLeft).toBe(false);
  });

  it("keeps nobody waiting who holds its output open, nor this process up", async () => {
    // What it started ignores signals to its parent, and has the same stdout: until that ends, or nobody reads.
    const script = `trap '' TERM; (trap '' TERM; while echo; do :; done) & while :; do wait; done`;
    const module = fileURLToPath(
      new URL("../../../out/modules/system/program.js", import.meta.url),
    );
    const text = `
      const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(module)}).then(async ({ runProgram }) => {
        const options = { deadlineMs: 1000, graceMs: 100 };
        const answer = await runProgram({ name: "sh", package: "dash" }, ["-c", ${JSON.stringify(script)}], options)
          .catch((error) => error.code);
        parentPort.postMessage(answer);
      });`;
    const worker = new Worker(text, { eval: true });
    const ended = once(worker, "exit");
    expect(await once(worker, "message")).toEqual(["ERR_TIMEOUT"]);
    expect(await ended).toEqual([0]);
  });
});
