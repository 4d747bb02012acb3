import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";

import { native } from "../../../src/native.js";
import { withFileLock } from "../../../src/system/file-lock.js";
import { Workspace } from "../../support/workspace.js";

const holder = fileURLToPath(new URL("fixtures/hold-lock.mjs", import.meta.url));
const workspace = new Workspace();
const children = new Set<ChildProcess>();
let count = 0;

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  workspace[Symbol.dispose]();
});

const newLock = () => workspace.path(`lock-${count++}`);

/** Whether the lock can be had now. */
function isFree(path: string): boolean {
  const lock = native().lockFile(path);
  lock?.release();
  return lock !== null;
}

/** Another process that tries to take the lock, and what it says. */
async function startHolder(path: string): Promise<{ child: ChildProcess; answer: unknown }> {
  const child = fork(holder, [path], { execArgv: [] });
  children.add(child);
  const [answer] = await once(child, "message");
  return { child, answer };
}

const patient = { deadlineMs: 240_000 };

describe("a file's lock", () => {
  it("is held once, and names its holder", () => {
    const path = newLock();
    const lock = native().lockFile(path);
    expect(lock).not.toBeNull();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
    expect(native().lockFile(path)).toBeNull();
    lock?.release();
    expect(readFileSync(path, "utf8")).toBe("");
    expect(isFree(path)).toBe(true);
  });

  it("that was released twice does not take it from the next one", () => {
    const path = newLock();
    const first = native().lockFile(path);
    first?.release();
    const second = native().lockFile(path);
    first?.release();
    expect(isFree(path)).toBe(false);
    second?.release();
  });

  it("is free as soon as its holder is killed", async () => {
    const path = newLock();
    const { child, answer } = await startHolder(path);
    expect(answer).toBe("held");
    expect(isFree(path)).toBe(false);
    expect(readFileSync(path, "utf8")).toBe(`${child.pid}\n`);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isFree(path)).toBe(true);
  });

  it("keeps another process out, and goes with no program that its holder started", async () => {
    const path = newLock();
    const lock = native().lockFile(path);
    const { child, answer } = await startHolder(path);
    expect(answer).toBe("refused");
    lock?.release();
    expect(child.exitCode).toBeNull();
    expect(isFree(path)).toBe(true);
    child.send("release");
    await once(child, "exit");
  });

  it("keeps a worker out, and goes with the worker that holds it", async () => {
    const path = newLock();
    const worker = new Worker(holder, { workerData: path });
    expect(await once(worker, "message")).toEqual(["held"]);
    expect(isFree(path)).toBe(false);
    const second = new Worker(holder, { workerData: path });
    expect(await once(second, "message")).toEqual(["refused"]);
    await second.terminate();
    expect(isFree(path)).toBe(false);
    await worker.terminate();
    expect(isFree(path)).toBe(true);
  });

  it("goes with a handle that was forgotten", async () => {
    const path = newLock();
    native().lockFile(path);
    for (let i = 0; i < 1000 && !isFree(path); i++) {
      global.gc?.();
      await turn();
    }
    expect(isFree(path)).toBe(true);
  });

  it("is no link, folder or other file", () => {
    const image = workspace.path("image");
    writeFileSync(image, "what is precious to somebody");
    symlinkSync("image", workspace.path("link"));
    symlinkSync("nowhere", workspace.path("dangling"));
    for (const name of ["link", "dangling", "image", "."]) {
      expect(() => native().lockFile(workspace.path(name)), name).toThrow(
        expect.objectContaining({ name: "BlockhaulError", code: "ERR_INVALID_ARGUMENT" }),
      );
    }
    expect(existsSync(workspace.path("nowhere"))).toBe(false);
    expect(readFileSync(image, "utf8")).toBe("what is precious to somebody");
    expect(() => native().lockFile(workspace.path("no/such/folder"))).toThrow(
      expect.objectContaining({ code: "ERR_NOT_FOUND", errnoName: "ENOENT" }),
    );
  });
});

describe("withFileLock", () => {
  it("does one thing after another", async () => {
    const path = newLock();
    let inside = 0;
    const work = async () => {
      inside++;
      expect(inside).toBe(1);
      await turn();
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withFileLock(path, work, patient)));
    expect(inside).toBe(0);
    expect(isFree(path)).toBe(true);
  });

  it("gives the answer, and the lock back, also after a failure", async () => {
    const path = newLock();
    await expect(withFileLock(path, async () => 7, patient)).resolves.toBe(7);
    const failing = withFileLock(path, () => Promise.reject(new Error("no")), patient);
    await expect(failing).rejects.toThrow("no");
    const throwing = () => {
      throw new Error("at once");
    };
    await expect(withFileLock(path, throwing, patient)).rejects.toThrow("at once");
    expect(isFree(path)).toBe(true);
  });

  it("waits for another process", async () => {
    const path = newLock();
    const { child } = await startHolder(path);
    let held = false;
    const hold = async () => {
      held = true;
    };
    const waiting = withFileLock(path, hold, patient);
    await turn();
    expect(held).toBe(false);
    child.send("release");
    await waiting;
    expect(held).toBe(true);
  });

  it("waits for a process that is killed", async () => {
    const path = newLock();
    const { child } = await startHolder(path);
    const waiting = withFileLock(path, async () => "ours", patient);
    child.kill("SIGKILL");
    await expect(waiting).resolves.toBe("ours");
  });

  it("says who holds it when the deadline has passed", async () => {
    const path = newLock();
    const { child } = await startHolder(path);
    const waiting = withFileLock(path, async () => {}, { deadlineMs: 20 });
    await expect(waiting).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      retryable: true,
      message: `the lock ${path} is held by process ${child.pid}, and was not free within 0.02 seconds`,
      hint: expect.stringContaining(`process ${child.pid}`),
    });
    child.send("release");
    await once(child, "exit");
  });

  it("stops waiting on a signal", async () => {
    const path = newLock();
    const lock = native().lockFile(path);
    const aborting = new AbortController();
    const reason = new Error("enough");
    const never = async () => expect.unreachable();
    const waiting = withFileLock(path, never, { ...patient, signal: aborting.signal });
    await turn();
    aborting.abort(reason);
    await expect(waiting).rejects.toMatchObject({ code: "ERR_CANCELLED", cause: reason });
    lock?.release();
    const late = withFileLock(path, never, { ...patient, signal: aborting.signal });
    await expect(late).rejects.toMatchObject({ code: "ERR_CANCELLED" });
    expect(isFree(path)).toBe(true);
  });

  it("passes on why a lock cannot be had", async () => {
    const waiting = withFileLock(workspace.path("no/lock"), async () => {}, patient);
    await expect(waiting).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
  });
});
