/** Root's command with files and state directories at which another user can put things. */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

import { blockhaul, type CommandOptions } from "../support/command.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Random } from "../support/random.js";
import { Stranger } from "../support/stranger.js";

const MiB = 1024 ** 2;
const PRECIOUS = "what only root may change";

let stranger: Stranger;
let precious = "";
beforeAll(() => {
  if (needsRoot !== undefined) return;
  stranger = new Stranger();
  writeFileSync(stranger.path("disk.img"), new Random("a hostile home").bytes(MiB));
});
beforeEach(() => {
  if (needsRoot !== undefined) return;
  rmSync(stranger.home, { recursive: true, force: true });
  mkdirSync(stranger.home, { mode: 0o755 });
  chownSync(stranger.home, 65534, 65534);
  precious = stranger.write("precious", PRECIOUS);
});
afterAll(() => stranger?.[Symbol.dispose]());

/** Nothing of root's was changed, and nothing of the stranger's was run. */
function nothingHappened(): void {
  expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
  expect(lstatSync(precious)).toMatchObject({ uid: 0, mode: 0o100644 });
  expect(stranger.hasRun).toBe(false);
}

describeWhere(needsRoot, "a stranger in whose folder root writes a manifest", () => {
  const copy = (manifest: string, options?: CommandOptions) => {
    rmSync(stranger.path("copy.img"), { force: true });
    const ends = [stranger.path("disk.img"), stranger.path("copy.img")];
    return blockhaul(["copy", "-q", "--manifest", manifest, ...ends], options);
  };

  it("gains nothing by a link at the name of its draft", async () => {
    stranger.does('ln -s "$1" .m.new; ln -s "$1" m.new', [precious]);
    const file = path.join(stranger.home, "m");
    expect(await copy(file)).toMatchObject({ status: 0, stderr: "" });
    nothingHappened();
    const { uid, mode } = lstatSync(file);
    expect({ uid, mode: mode & 0o7777 }).toEqual({ uid: 0, mode: 0o600 });
    expect(readFileSync(file, "utf8")).toContain('"format":"blockhaul-manifest"');
    // It cannot be read by the stranger, nor written to.
    expect(() => stranger.does("cat m")).toThrow();
    expect(() => stranger.does("echo x >> m")).toThrow();
  });

  it.each([
    ["a link", 'ln -s "$1" m', /home\/m is a link, in a folder that others can write to/],
    ["a file of his own", "echo mine > m", /home\/m is another user's \(65534\), in a folder/],
    ["a folder", "mkdir m", /home\/m is no file, in a folder/],
    ["a pipe", "mkfifo m", /home\/m is no file, in a folder/],
  ])(
    "gains nothing by %s of that name: it is refused before the copy",
    async (_what, lines, why) => {
      stranger.does(lines, [precious]);
      const { status, stderr } = await copy(path.join(stranger.home, "m"));
      expect(status).toBe(1);
      expect(stderr).toMatch(why);
      expect(existsSync(stranger.path("copy.img"))).toBe(false);
      nothingHappened();
    },
  );

  it("gains nothing by a folder that is a link to one of root's", async () => {
    mkdirSync(stranger.path("roots"), { recursive: true });
    writeFileSync(stranger.path("roots/m"), PRECIOUS);
    stranger.does('ln -s "$1" backups', [stranger.path("roots")]);
    for (const name of ["backups/m", "backups/new/m"]) {
      const { status, stderr } = await copy(path.join(stranger.home, name));
      expect(status).toBe(1);
      expect(stderr).toMatch(/through the link backups, which belongs to another user \(65534\)/);
    }
    expect(readdirSync(stranger.path("roots"))).toEqual(["m"]);
    expect(readFileSync(stranger.path("roots/m"), "utf8")).toBe(PRECIOUS);
    nothingHappened();
  });

  it("does not keep root waiting by a pipe or a file without an end that is read as one", async () => {
    stranger.does("mkfifo pipe; ln -s /dev/zero zeros; truncate -s 64G huge");
    for (const name of ["pipe", "zeros", "huge"]) {
      const args = ["verify", stranger.path("disk.img"), "--manifest", `${stranger.home}/${name}`];
      const { status, stderr } = await blockhaul(args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/line 1: it is (no regular file|too long)/);
    }
  });
});

describeWhere(needsRoot, "a stranger who has made a state directory", () => {
  /** One of root's with a migration that a hook cut short, whose hook leaves the canary. */
  async function madeByRoot(): Promise<{ state: string; id: string }> {
    const state = stranger.path("state");
    rmSync(state, { recursive: true, force: true });
    rmSync(stranger.path("moved"), { recursive: true, force: true });
    mkdirSync(stranger.path("moved"));
    const hook = stranger.path("hook");
    writeFileSync(
      hook,
      `#!/bin/sh\n[ -e ${stranger.path("fail")} ] && exit 1\ntouch ${stranger.canary}\n`,
    );
    chmodSync(hook, 0o755);
    stranger.write("fail", "");
    const ends = [stranger.path("disk.img"), stranger.path("moved/disk.img")];
    const told = ["--before-copy", hook, "--state-dir", state];
    const { status } = await blockhaul(["migrate", "-q", ...told, ...ends]);
    expect(status).toBe(1);
    rmSync(stranger.path("fail"));
    const [name = ""] = readdirSync(`${state}/jobs`).filter((one) => one.endsWith(".migration"));
    return { state, id: path.basename(name, ".migration") };
  }
  const COMMANDS = (id: string): string[][] => [
    ["resume", id],
    ["abort", id],
    ["jobs"],
    ["jobs", "show", id],
    ["jobs", "rm", id],
  ];

  async function isRefused(state: string, id: string, why: RegExp): Promise<void> {
    const moved = readdirSync(stranger.path("moved")).join();
    for (const args of COMMANDS(id)) {
      const { status, stderr } = await blockhaul([...args, "--state-dir", state]);
      expect({ args, status, stderr }).toEqual({
        args,
        status: 1,
        stderr: expect.stringMatching(why),
      });
    }
    expect(readdirSync(stranger.path("moved")).join()).toBe(moved);
    nothingHappened();
  }

  it("could have hooks run, if it were root's: this one is run on a resume", async () => {
    const { state, id } = await madeByRoot();
    expect((await blockhaul(["resume", "-q", id, "--state-dir", state])).status).toBe(0);
    expect(stranger.hasRun).toBe(true);
  });

  it("has none of its hooks run, nor anything taken back", async () => {
    const { state, id } = await madeByRoot();
    const planted = path.join(stranger.home, "state");
    // A record with the right checksum, as whoever can write a file can make it.
    cpSync(state, planted, { recursive: true });
    stranger.does("true");
    for (const name of ["", "/jobs", `/jobs/${id}.migration`, "/jobs/locks"]) {
      chownSync(planted + name, 65534, 65534);
    }
    await isRefused(planted, id, /home, which belongs to another user \(65534\)/);
    // The same in a folder of root's that everybody may put things into.
    const sticky = stranger.path("sticky");
    rmSync(sticky, { recursive: true, force: true });
    mkdirSync(sticky);
    chmodSync(sticky, 0o1777);
    chmodSync(`${planted}/jobs`, 0o755);
    chmodSync(planted, 0o755);
    stranger.does("cp -r home/state sticky/state", [], stranger.folder);
    await isRefused(`${sticky}/state`, id, /sticky\/state, which belongs to another user/);
    stranger.does('rm -r state && ln -s "$1" state', [state], sticky);
    await isRefused(
      `${sticky}/state`,
      id,
      /through the link .*sticky\/state, which belongs to anoth/,
    );
  });

  it("has no record believed that was put into root's own", async () => {
    const { state, id } = await madeByRoot();
    const record = `${state}/jobs/${id}.migration`;
    chownSync(record, 65534, 65534);
    for (const args of [
      ["resume", id],
      ["abort", id],
    ]) {
      const { status, stderr } = await blockhaul([...args, "--state-dir", state]);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(/\.migration: belongs to another user \(65534\)/),
      });
    }
    nothingHappened();
    chownSync(record, 0, 0);
    chmodSync(record, 0o664);
    const { stderr } = await blockhaul(["resume", id, "--state-dir", state]);
    expect(stderr).toMatch(/can be written to by others \(mode 0664\): chmod go-w /);
    nothingHappened();
  });

  it("has no journal believed, and no copy gone on with", async () => {
    const state = stranger.path("journals");
    rmSync(state, { recursive: true, force: true });
    const [from, to] = [stranger.path("disk.img"), stranger.path("copied.img")];
    const told = ["-q", "--state-dir", state];
    expect((await blockhaul(["copy", ...told, from, to])).status).toBe(0);
    const [journal = ""] = readdirSync(`${state}/jobs`).filter((one) => one.endsWith(".journal"));
    chownSync(`${state}/jobs/${journal}`, 65534, 65534);
    const id = path.basename(journal, ".journal");
    const resumed = await blockhaul(["resume", id, "--state-dir", state]);
    expect(resumed.status).toBe(1);
    expect(resumed.stderr).toMatch(/belongs to another user \(65534\)/);
    chmodSync(`${state}/jobs`, 0o777);
    for (const args of [
      ["resume", id],
      ["copy", from, to],
    ]) {
      const { status, stderr } = await blockhaul([...args, "--state-dir", state]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/jobs can be written to by others \(mode 0777\): chmod go-w/);
    }
    // Who does without one is not kept from copying.
    expect((await blockhaul(["copy", "--no-journal", ...told, from, to])).status).toBe(0);
  });

  it("has nothing undone by records of attachments", async () => {
    const state = path.join(stranger.home, "state");
    const record = {
      version: 1,
      id: "0123456789ab",
      ref: "iscsi://x/y/0",
      createdAt: new Date().toISOString(),
      bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      pid: 1,
      kept: false,
      steps: [],
    };
    stranger.does(
      'mkdir -p state/attachments; printf %s "$1" > state/attachments/0123456789ab.json',
      [JSON.stringify(record)],
    );
    for (const args of [["attachments"], ["cleanup"], ["detach", "0123456789ab"]]) {
      const { status, stderr } = await blockhaul(args, { env: { BLOCKHAUL_STATE_DIR: state } });
      expect({ args, status }).toEqual({ args, status: 1 });
      expect(stderr).toMatch(/home, which belongs to another user \(65534\)/);
    }
    expect(statSync(`${state}/attachments/0123456789ab.json`).isFile()).toBe(true);
  });
});
