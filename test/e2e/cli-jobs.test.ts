/** The command `jobs`: what runs and what ran, and what a job that runs can be told. */
import { existsSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { controlJob, showJob } from "blockhaul";
import { afterAll, describe, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { cutCopy, startCopy } from "../support/copy-jobs.js";
import { LoopDevices } from "../support/loop.js";
import { refuses } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const source = "pattern:48MiB:7";
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

let count = 0;
const newPath = () => workspace.path(`${++count}.img`);
const newState = () => {
  const stateDirectory = workspace.path(`state-${++count}`);
  return { stateDirectory, env: { BLOCKHAUL_STATE_DIR: stateDirectory } };
};
const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("blockhaul jobs", () => {
  it("lists what there is, shows one, and forgets it", async () => {
    const { stateDirectory, env } = newState();
    expect((await blockhaul(["jobs"], { env })).stdout).toBe("no jobs\n");
    const target = newPath();
    await blockhaul(["copy", "pattern:1MiB", newPath()], { env });
    const cut = await cutCopy(stateDirectory, [source, target]);

    const table = (await blockhaul(["jobs"], { env })).stdout.trimEnd().split("\n");
    expect(table[0]).toMatch(/^id +state +done +source +target +when$/);
    expect(table[1]).toMatch(/^[a-z0-9]{8} +done +100% +pattern:1MiB /);
    const share = Math.floor((cut.done / cut.size) * 100);
    expect(table[2]).toMatch(
      new RegExp(`^${cut.id} +interrupted +${share}% +${source} +${target} +\\d{4}-.*Z$`),
    );
    const events = eventsOf((await blockhaul(["jobs", "--json"], { env })).stdout);
    expect(events.map(({ type, state }) => [type, state])).toEqual([
      ["job", "done"],
      ["job", "interrupted"],
    ]);
    const ids = (await blockhaul(["jobs", "-q"], { env })).stdout;
    expect(ids).toBe(`${events[0].id}\n${cut.id}\n`);

    const shown = await blockhaul(["jobs", "show", cut.id.slice(0, 5)], { env });
    expect(shown.stdout).toMatch(new RegExp(`^go on with +blockhaul resume ${cut.id}$`, "m"));
    const shownToPrograms = await blockhaul(["jobs", "show", "--json", cut.id], { env });
    expect(eventsOf(shownToPrograms.stdout)[0]).toMatchObject({
      type: "job",
      id: cut.id,
      done: cut.done,
      error: { code: "ERR_CANCELLED" },
      target: { ref: target, size: 48 * MiB },
    });

    const done = await blockhaul(["jobs", "rm", "--done"], { env });
    expect(done.stdout).toBe(`removed job ${events[0].id}\n`);
    expect((await blockhaul(["jobs", "rm", cut.id], { env })).status).toBe(0);
    expect(
      readdirSync(`${stateDirectory}/jobs`).filter((name) => /journal|control/.test(name)),
    ).toEqual([]);
  });

  it("refuses what it does not know", async () => {
    const usage = (says: RegExp) => ({ status: 2, code: "ERR_INVALID_ARGUMENT", says });
    await refuses(["jobs", "kill", "abc"], usage(/"kill" is none of show, rm, throttle/));
    await refuses(["jobs", "show"], usage(/takes a job/));
    await refuses(["jobs", "rm"], usage(/takes a job/));
    await refuses(["jobs", "throttle", "abc"], usage(/takes a job and a rate/));
    await refuses(["jobs", "throttle", "abc", "fast"], usage(/"fast" is not a size/));
    await refuses(["jobs", "--iops", "5"], usage(/--iops goes with/));
    const missing = { status: 3, code: "ERR_NOT_FOUND", says: /there is no job "nosuch"/ };
    for (const action of ["show", "rm", "pause", "continue"]) {
      await refuses(["jobs", action, "nosuch"], missing);
    }
    await refuses(["resume", "nosuch"], missing);
    await refuses(["resume", "../../etc"], { ...missing, says: /there is no job/ });
  });
});

describe("a job that runs", () => {
  it("pauses, shows so, goes on, and changes its pace; and is not removed", async () => {
    const { stateDirectory, env } = newState();
    const target = newPath();
    const { command, id } = await startCopy(stateDirectory, ["--progress", "json", source, target]);
    const jobs = (...args: readonly string[]) => blockhaul(["jobs", ...args], { env });
    expect((await jobs("pause", id)).status).toBe(0);
    // What was in flight when it was told ends; then nothing moves from one report to the next.
    await command.said(/("done":\d+,)[^\n]*"paused":true\}\n[^\n]*\1[^\n]*"paused":true\}\n/);
    await refuses(["jobs", "rm", id, "--state-dir", stateDirectory], {
      status: 4,
      code: "ERR_IN_USE",
      says: new RegExp(`process ${command.process.pid} works on job ${id}`),
    });
    expect((await jobs()).stdout).toMatch(new RegExp(`^${id} +paused +\\d+%`, "m"));

    expect((await jobs("throttle", id, "1MiB", "--iops", "9")).status).toBe(0);
    expect((await jobs("show", id)).stdout).toMatch(/^limits +1 MiB\/s, 9 requests a second$/m);
    const told = eventsOf((await jobs("throttle", "--json", id, "none", "--iops", "0")).stdout);
    expect(told).toEqual([{ type: "changed", id, bandwidthLimit: 0, iopsLimit: 0 }]);
    expect((await showJob(id, { stateDirectory })).limits).toMatchObject({ paused: true });
    expect((await jobs("continue", id)).status).toBe(0);
    expect(await command.ended).toMatchObject({ status: 0 });
    expect((await blockhaul(["verify", source, target])).status).toBe(0);
    await refuses(["jobs", "pause", id, "--state-dir", stateDirectory], {
      status: 2,
      code: "ERR_INVALID_ARGUMENT",
      says: /does not run: it is done/,
    });
  });

  it("that paused when it was cut short does not pause when it goes on", async () => {
    const { stateDirectory, env } = newState();
    const target = newPath();
    const { command, id } = await startCopy(stateDirectory, [source, target]);
    await controlJob(id, { paused: true, bandwidthLimit: 0 }, { stateDirectory });
    command.process.kill("SIGKILL");
    await command.ended;
    // It would take for ever.
    expect((await blockhaul(["resume", id], { env })).status).toBe(0);
    expect(existsSync(`${stateDirectory}/jobs/${id}.control`)).toBe(false);
  });
});

describe("a source that cannot be read in places", () => {
  it("is salvaged: exit 7, and what is missing is zeros, and listed", async () => {
    const { env } = newState();
    const backing = newPath();
    writeFileSync(backing, Buffer.alloc(8 * MiB, "readable"));
    const device = await loops.attach(backing);
    // The device stays as large as it was.
    truncateSync(backing, 6 * MiB);
    const target = newPath();
    const failed = await blockhaul(["copy", device.path, target], { env });
    expect(failed).toMatchObject({ status: 1 });
    expect(failed.stderr).toMatch(/source .*: read at offset \d+: /);

    const args = ["copy", "--salvage", "--json", "--retries", "0", device.path, target];
    const { status, stdout, stderr } = await blockhaul(args, { env });
    expect(status).toBe(7);
    expect(stderr).toMatch(/ is not complete: 2 MiB of the source in 1 range could not be read/);
    expect(eventsOf(stdout).at(-1)).toMatchObject({
      type: "done",
      bad: [{ offset: 6 * MiB, length: 2 * MiB }],
    });
    const expected = newPath();
    writeFileSync(
      expected,
      Buffer.concat([Buffer.alloc(6 * MiB, "readable"), Buffer.alloc(2 * MiB)]),
    );
    expect((await blockhaul(["verify", expected, target])).status).toBe(0);
  });
});
