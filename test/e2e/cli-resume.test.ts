/** Copies that are cut short go on, or are refused with the reason. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { controlJob, showJob } from "blockhaul";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { cutCopy, startCopy } from "../support/copy-jobs.js";
import { flipByte } from "../support/flip.js";
import { Mounted, run } from "../support/mounted.js";
import { Random } from "../support/random.js";
import { refuses } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 24 * MiB + 513;
const workspace = new Workspace();
const state = workspace.path("state");
const env = { BLOCKHAUL_STATE_DIR: state };
const source = workspace.path("source.img");
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

beforeAll(() => writeFileSync(source, new Random("cli-resume").bytes(SIZE)));
afterAll(() => workspace[Symbol.dispose]());

let count = 0;
const newPath = () => workspace.path(`${++count}.img`);
const cmp = (a: string, b: string) => execFileSync("cmp", [a, b]);
const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
/** What a resume says for programs; it has to succeed. */
async function resumed(id: string, ...flags: readonly string[]) {
  const { status, stdout, stderr } = await blockhaul(["resume", "--json", ...flags, id], { env });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const events = eventsOf(stdout);
  return { at: events.find(({ type }) => type === "resumed"), done: events.at(-1) };
}

describe("a copy that is cut short", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s says how to go on, and goes on from there", async (signal, status) => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target], signal);
    expect(cut.status).toBe(status);
    expect(cut.stderr).toMatch(/ incomplete: .* of 24\.0 MiB are safe$/m);
    expect(cut.stderr).toContain(`hint: \`blockhaul resume ${cut.id}\` goes on from there`);
    const { at, done } = await resumed(cut.id, "--bwlimit", "0");
    expect(at).toMatchObject({ id: cut.id, begin: cut.done, checked: cut.done, dropped: 0 });
    expect(done).toMatchObject({ type: "done", job: cut.id, begin: cut.done, size: SIZE });
    expect(done.written).toBe(SIZE - cut.done);
    cmp(source, target);
    expect(await showJob(cut.id, { stateDirectory: state })).toMatchObject({ state: "done" });
  });

  it("by SIGKILL goes on, too, and says so to a person", async () => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target], "SIGKILL");
    const flags = ["--bwlimit", "0", "--verify"];
    const { status, stdout, stderr } = await blockhaul(["resume", ...flags, cut.id.slice(0, 6)], {
      env,
    });
    expect(stderr).toMatch(/^job .* goes on at \d+%, .* before it were read back and are right$/ms);
    expect(stdout).toMatch(/, the last .* of it in .*\n/);
    expect(stdout).toMatch(
      /^ {2}verified: 24\.0 MiB read back in .*, the target holds what was read of the source$/m,
    );
    expect(status).toBe(0);
    cmp(source, target);
    await refuses(["resume", cut.id, "--state-dir", state], {
      status: 2,
      code: "ERR_INVALID_ARGUMENT",
      says: /is done$/,
    });
  });

  it("as a program is told names the job in its error", async () => {
    const { command, id } = await startCopy(state, ["--json", source, newPath()]);
    command.process.kill("SIGINT");
    const { stdout, status } = await command.ended;
    expect(status).toBe(130);
    expect(eventsOf(stdout).at(-1)).toMatchObject({ type: "error", job: id, exitCode: 130 });
  });

  it("is offered to the next copy of the same two, which begins anew and ends the old job", async () => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target]);
    const flags = ["--bwlimit", "0", "--json"];
    const again = await blockhaul(["copy", ...flags, source, target], { env });
    expect(again.stderr).toMatch(
      new RegExp(`: \`blockhaul resume ${cut.id}\` would continue it at \\d+%\n$`),
    );
    expect(eventsOf(again.stdout).at(-1)).toMatchObject({ type: "done", begin: 0 });
    cmp(source, target);
    await refuses(["resume", cut.id, "--state-dir", state], {
      status: 4,
      code: "ERR_JOURNAL",
      says: /another job has written to the target/,
    });
  });

  it("is gone on with by `copy --resume`, which else begins, also with --create", async () => {
    const target = newPath();
    const cut = await cutCopy(state, ["--create", source, target]);
    const copy = ["copy", "--resume", "--create", "--bwlimit", "0", "--json", source];
    const { stdout, status } = await blockhaul([...copy, target], { env });
    expect(status).toBe(0);
    expect(eventsOf(stdout).at(-1)).toMatchObject({ type: "done", job: cut.id, begin: cut.done });
    cmp(source, target);
    await refuses([...copy.slice(0, -2), source, target], {
      status: 4,
      code: "ERR_EXISTS",
      says: /exists/,
    });
    const other = await blockhaul([...copy, newPath()], { env });
    expect(eventsOf(other.stdout).at(-1)).toMatchObject({ type: "done", begin: 0 });
  });

  it.each([
    ["\n", true],
    ["n\n", false],
  ])("is asked about on a terminal; %j is an answer", async (answer, goesOn) => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target]);
    const line = `${process.execPath} ${main} copy --bwlimit 0 ${source} ${target}`;
    const terminal = spawn("script", ["-qec", line, "/dev/null"], {
      env: { ...process.env, ...env, TERM: "xterm", NO_COLOR: "1" },
    });
    let screen = "";
    terminal.stdout.on("data", (data: Buffer) => {
      const asked = /continue it\?/.test(screen);
      screen += data.toString();
      if (!asked && /continue it\?/.test(screen)) terminal.stdin.write(answer);
    });
    await once(terminal, "close");
    expect(screen).toMatch(/copied /);
    expect(screen.includes(`job ${cut.id}`)).toBe(goesOn);
    cmp(source, target);
  });
});

describe("a journal", () => {
  const unfit = (says: RegExp) => ({ status: 4, code: "ERR_JOURNAL", says });

  it("whose source was written to since is refused", async () => {
    const changing = newPath();
    copyFileSync(source, changing);
    const cut = await cutCopy(state, [changing, newPath()]);
    flipByte(changing, 3 * MiB);
    const event = await refuses(
      ["resume", cut.id, "--state-dir", state],
      unfit(/written to since/),
    );
    expect(event).toMatchObject({ side: "source", offset: 0 });
    expect(event.hint).not.toContain("resume");
  });

  it("whose target is another volume now, or has another size, is refused", async () => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target]);
    renameSync(target, `${target}.old`);
    copyFileSync(`${target}.old`, target);
    const resume = ["resume", cut.id, "--state-dir", state];
    expect(await refuses(resume, unfit(/it is another volume/))).toMatchObject({ side: "target" });
    renameSync(`${target}.old`, target);
    truncateSync(target, SIZE + 512);
    expect(await refuses(resume, unfit(/it has .*, and had/))).toMatchObject({ side: "target" });
    truncateSync(target, SIZE);
    await resumed(cut.id, "--bwlimit", "0");
    cmp(source, target);
  });

  it("whose target lost what was flushed is not believed: with --overwrite, that is copied again", async () => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target], "SIGKILL");
    flipByte(target, 1234);
    const event = await refuses(
      ["resume", cut.id, "--state-dir", state],
      unfit(/does not hold what was copied to it/),
    );
    expect(event).toMatchObject({ side: "target", offset: 0 });
    const { at } = await resumed(cut.id, "--bwlimit", "0", "--overwrite");
    expect(at).toMatchObject({ begin: 0, dropped: cut.done });
    cmp(source, target);
  });

  it("with a torn tail counts up to there", async () => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target], "SIGKILL");
    appendFileSync(cut.journal, readFileSync(cut.journal).subarray(0, 100));
    const { at } = await resumed(cut.id, "--bwlimit", "0");
    expect(at.begin).toBe(cut.done);
    cmp(source, target);
  });

  it("that is cut off within its last records counts less, and no wrong byte", async () => {
    const target = newPath();
    const cut = await cutCopy(state, [source, target], "SIGKILL");
    truncateSync(cut.journal, readFileSync(cut.journal).length - 3);
    const { at } = await resumed(cut.id, "--bwlimit", "0");
    expect(at.begin).toBeLessThan(cut.done);
    cmp(source, target);
  });

  it("with a damaged header is none, and harms no other", async () => {
    const cut = await cutCopy(state, [source, newPath()]);
    flipByte(cut.journal, 40);
    await refuses(["resume", cut.id, "--state-dir", state], unfit(/journal/));
    const { stdout, status } = await blockhaul(["jobs"], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${cut.id} +unreadable +-`, "m"));
    expect((await blockhaul(["jobs", "rm", cut.id], { env })).status).toBe(0);
    expect(existsSync(cut.journal)).toBe(false);
  });

  it("is not made where --no-journal says so, nor for what keeps nothing, nor by a dry run", async () => {
    const empty = workspace.path("none");
    const place = { env: { BLOCKHAUL_STATE_DIR: empty } };
    for (const args of [
      ["--no-journal", source, newPath()],
      [source, "null:"],
      ["--dry-run", source, newPath()],
    ]) {
      expect((await blockhaul(["copy", ...args], place)).status).toBe(0);
      expect(existsSync(empty)).toBe(false);
    }
  });
});

describe("of two that want the same", () => {
  const inUse = (says: RegExp) => ({ status: 4, code: "ERR_IN_USE", says });

  it("job or target the second is refused", async () => {
    const target = newPath();
    const { command, id } = await startCopy(state, [source, target]);
    // Until all have been refused.
    await controlJob(id, { paused: true }, { stateDirectory: state });
    try {
      await refuses(["resume", id, "--state-dir", state], inUse(/another process works on job/));
      // Whatever its state directory.
      for (const place of [state, workspace.path("elsewhere")]) {
        const copy = ["copy", "--state-dir", place, source, target];
        await refuses(copy, inUse(/another copy to it is under way/));
      }
    } finally {
      command.process.kill("SIGINT");
      await command.ended;
    }
    await resumed(id, "--bwlimit", "0");
    cmp(source, target);
  });
});

describe("a target without room", () => {
  it("fails resumably; with room made, resume ends the copy", async () => {
    using small = new Mounted("tmpfs", workspace.path("small"), "size=16m", "tmpfs");
    const target = `${small.folder}/target.img`;
    const failed = await blockhaul(["copy", source, target], { env });
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/^blockhaul: target .*: No space left on device$/m);
    const id = /`blockhaul resume ([a-z0-9]{8})` goes on at \d+%$/m.exec(failed.stderr)?.[1];
    expect(await showJob(id ?? "", { stateDirectory: state })).toMatchObject({
      state: "failed",
      error: { code: "ERR_NO_SPACE" },
    });
    run("mount", "-o", "remount,size=64m", small.folder);
    await resumed(id ?? "");
    cmp(source, target);
  });
});

describe("a target that hangs", () => {
  it("ends the copy at the deadline, with the first error, and says what is left", async () => {
    const fixture = fileURLToPath(new URL("fixtures/hanging-command.mjs", import.meta.url));
    const args = ["copy", "--request-timeout", "0.5", "pattern:16MiB", "hanging:write"];
    const ended = spawnSync(process.execPath, [fixture, ...args], {
      env: { ...process.env, ...env },
      encoding: "utf8",
    });
    expect(ended).toMatchObject({ status: 5, signal: null, stdout: "" });
    expect(ended.stderr).toMatch(
      /^warning: requests still hang, .*: pattern:16MiB, hanging:write; .* `blockhaul cleanup`$/m,
    );
    expect(ended.stderr).toMatch(
      /^blockhaul: target hanging:write: write at offset \d+: no answer/m,
    );
    expect(ended.stderr).toMatch(/^hint: .*; `blockhaul resume [a-z0-9]{8}` goes on at 0%$/m);
  });
});
