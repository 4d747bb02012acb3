/** Copies that meet a fault from outside: they end well, or with a typed error in time, and then go on to the end. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { controlJob, type JobStatus, listJobs, showJob } from "blockhaul";
import { afterAll, expect, it, vi } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import { blockhaul, type CommandOptions, type Ended, RunningCommand } from "./command.js";
import { Random } from "./random.js";
import { Workspace } from "./workspace.js";

const MiB = 1024 ** 2;

/** What a copy may end with. */
export interface ExpectedEnd {
  readonly code: string | readonly string[];
  readonly says?: RegExp;
  /** "source" unless nothing is said of a side. */
  readonly side?: "source" | "target";
}

export interface FaultOptions extends CommandOptions {
  readonly flags?: readonly string[];
  /** Much longer than any deadline of a copy's and the end of its process together: what takes so long hangs. */
  readonly withinMs?: number;
}

/** The faults of one test file: each is a test, and all of them are counted. */
export class Faults {
  readonly workspace = new Workspace();
  readonly stateDirectory = this.workspace.path("state");
  /** An image file that no fault may change. */
  readonly source = this.workspace.path("source.img");
  readonly #digest: string;
  #ended = 0;
  #files = 0;

  constructor(name: string, { size = 24 * MiB } = {}) {
    writeFileSync(this.source, new Random(name).bytes(size));
    this.#digest = digest(this.source);
    afterAll(() => {
      recordCount(`outside-${name}`, {
        what: `faults from outside: ${name}`,
        count: this.#ended,
        command: `npm test -- faults-${name}`,
      });
      this.workspace[Symbol.dispose]();
    });
  }

  newPath(): string {
    return this.workspace.path(`target-${++this.#files}.img`);
  }

  /** One fault; the source is as before, whatever became of the copy. */
  it(name: string, body: () => Promise<void>): void {
    it(name, async () => {
      await body();
      expect(digest(this.source), "the source").toBe(this.#digest);
      this.#ended++;
    });
  }

  /**
   * A copy that runs, once some of it is recorded: so slowly that a fault comes in time on a busy machine, too. Whoever
   * waits for its end lets it go on at full speed.
   */
  async begin(from: string, to: string, options: FaultOptions = {}): Promise<RunningCopy> {
    const before = new Set((await this.#jobs()).map(({ id }) => id));
    const slow = ["--bwlimit", "2MiB", "--checkpoint-interval", "0.05"];
    const flags = [...slow, ...(options.flags ?? [])];
    const command = this.#start([from, to], { ...options, flags });
    let ended: Ended | undefined;
    void command.ended.then((end) => {
      ended = end;
    });
    const job = await vi.waitFor(
      async () => {
        const found = (await this.#jobs()).find(({ id, done }) => !before.has(id) && done > 0);
        if (found === undefined && ended !== undefined) throw new Error(`it ended: ${told(ended)}`);
        expect(found).toBeDefined();
        return found as JobStatus;
      },
      { timeout: 120_000, interval: 20 },
    );
    return { command, id: job.id };
  }

  /** A copy that is to succeed, whatever happens to it. */
  async succeeds(from: string, to: string, options: FaultOptions = {}) {
    return succeeded(await this.#inTime(this.#start([from, to], options), options));
  }

  /** A copy that is to fail, but with a job that can go on. */
  async fails(from: string, to: string, expected: ExpectedEnd, options: FaultOptions = {}) {
    const command = this.#start(["--checkpoint-interval", "0.05", from, to], options);
    return await this.failed({ command, id: undefined }, expected, options);
  }

  /** The end of a copy that was begun. */
  async failed(
    { command, id }: { command: RunningCommand; id: string | undefined },
    { code, says = /./, side }: ExpectedEnd,
    options: FaultOptions = {},
  ): Promise<JobStatus> {
    if (id !== undefined) await this.#hurry(id);
    const end = await this.#inTime(command, options);
    const event = lastEvent(end);
    expect(end.signal, told(end)).toBeNull();
    expect(event.type, told(end)).toBe("error");
    expect([code].flat(), told(end)).toContain(event.code);
    expect(event.message).toMatch(says);
    if (side !== undefined) expect(event.side, told(end)).toBe(side);
    expect(end.status).toBe(event.exitCode);
    if (id !== undefined) expect(event.job, told(end)).toBe(id);
    const job = await showJob(String(event.job), { stateDirectory: this.stateDirectory });
    expect(job, told(end)).toMatchObject({ state: "failed", resumable: true });
    return job;
  }

  /** The fault is gone: the job goes on to its end. */
  async resumes(job: Pick<JobStatus, "id">, options: FaultOptions = {}) {
    const flags = ["--json", "--bwlimit", "0", ...(options.flags ?? [])];
    const env = { BLOCKHAUL_STATE_DIR: this.stateDirectory, ...options.env };
    const command = new RunningCommand(["resume", ...flags, job.id], { ...options, env });
    return succeeded(await this.#inTime(command, options));
  }

  /** The same bytes, by a program that knows nothing of the engine. */
  same(target: string, source = this.source): void {
    const { status, stdout, stderr } = spawnSync("cmp", [source, target], { encoding: "utf8" });
    expect(status, `${stdout}${stderr}`).toBe(0);
  }

  async end({ command, id }: RunningCopy, options: FaultOptions = {}) {
    await this.#hurry(id);
    return succeeded(await this.#inTime(command, options));
  }

  /** Any command, to whatever end. */
  command(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
    const env = { BLOCKHAUL_STATE_DIR: this.stateDirectory, ...options.env };
    return blockhaul(args, { ...options, env });
  }

  #start(args: readonly string[], options: FaultOptions): RunningCommand {
    const env = { BLOCKHAUL_STATE_DIR: this.stateDirectory, ...options.env };
    return new RunningCommand(["copy", "--json", ...(options.flags ?? []), ...args], {
      ...options,
      env,
    });
  }

  /** A copy that was begun slowly; one that has ended meanwhile is as fast as can be. */
  async #hurry(id: string): Promise<void> {
    const options = { stateDirectory: this.stateDirectory };
    await controlJob(id, { bandwidthLimit: 0 }, options).catch((error: { code?: string }) => {
      if (error.code !== "ERR_INVALID_ARGUMENT") throw error;
    });
  }

  async #inTime(command: RunningCommand, { withinMs = 120_000 }: FaultOptions): Promise<Ended> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      command.process.kill("SIGKILL");
    }, withinMs);
    const end = await command.ended;
    clearTimeout(timer);
    expect(late, `it had not ended after ${withinMs} ms: ${told(end)}`).toBe(false);
    return end;
  }

  #jobs(): Promise<JobStatus[]> {
    return listJobs({ stateDirectory: this.stateDirectory });
  }
}

export interface RunningCopy {
  readonly command: RunningCommand;
  readonly id: string;
}

function succeeded(end: Ended) {
  expect(end, told(end)).toMatchObject({ status: 0, signal: null });
  const event = lastEvent(end);
  expect(event.type).toBe("done");
  return event;
}

function lastEvent({ stdout }: Ended) {
  try {
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  } catch {
    return { type: `no event: ${stdout}` };
  }
}

function told({ status, signal, stdout, stderr }: Ended): string {
  return `ended with ${status ?? signal}\n${stdout}\n${stderr}`;
}

function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** Runs a program that has to succeed. */
export function must(program: string, ...args: readonly string[]): string {
  // A cluster that is not well has its own programs wait for ever.
  const timeout = 240_000;
  return execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout,
    killSignal: "SIGKILL",
  });
}
