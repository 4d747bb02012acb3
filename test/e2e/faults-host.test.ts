/** Faults that a host makes: file systems that are full, read-only or shut down, disks with errors, and limits. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, vi } from "vitest";

import { Faults, must } from "../support/faults.js";
import { LoopDevices, losetup } from "../support/loop.js";

const MiB = 1024 ** 2;
const faults = new Faults("host");
const { source, workspace } = faults;
const loops = new LoopDevices();
const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
afterAll(() => loops[Symbol.asyncDispose]());

let folders = 0;

function mountAt(...args: readonly string[]): string {
  const folder = workspace.path(`mount-${++folders}`);
  mkdirSync(folder);
  must("mount", ...args, folder);
  undo.push(() => must("umount", folder));
  return folder;
}

async function formatted(type: "ext4" | "xfs", size: number): Promise<[string, string]> {
  const device = await loops.attachNew(workspace.path(`disk-${++folders}`), size);
  undo.push(() => loops.detach(device));
  must(`mkfs.${type}`, "-q", device.path);
  return [mountAt(device.path), device.path];
}

describe.each(["uring", "threads"])("%s", (io) => {
  const env = { BLOCKHAUL_IO: io };
  const noSpace = { code: "ERR_NO_SPACE", side: "target" } as const;

  faults.it("ext4 is full; room is made", async () => {
    const [folder] = await formatted("ext4", 64 * MiB);
    const filler = path.join(folder, "filler");
    writeFileSync(filler, Buffer.alloc(42 * MiB, 1));
    const target = path.join(folder, "copy.img");
    const job = await faults.fails(source, target, noSpace, { env });
    rmSync(filler);
    await faults.resumes(job, { env });
    faults.same(target);
  });

  faults.it("tmpfs is full; it is made larger", async () => {
    const folder = mountAt("-t", "tmpfs", "-o", "size=12m", "tmpfs");
    const target = path.join(folder, "copy.img");
    const job = await faults.fails(source, target, noSpace, { env });
    must("mount", "-o", "remount,size=64m", folder);
    await faults.resumes(job, { env });
    faults.same(target);
  });

  faults.it("a device over a full file system; room is made", async () => {
    const folder = mountAt("-t", "tmpfs", "-o", "size=12m", "tmpfs");
    const device = await loops.attachNew(path.join(folder, "backing"), 24 * MiB);
    undo.push(() => loops.detach(device));
    const full = { code: ["ERR_NO_SPACE", "ERR_IO"], side: "target" } as const;
    const job = await faults.fails(source, device.path, full, { env });
    must("mount", "-o", "remount,size=64m", folder);
    await faults.resumes(job, { env });
    faults.same(device.path);
  });

  faults.it("the journal's file system is full; room is made", async () => {
    const folder = mountAt("-t", "tmpfs", "-o", "size=64k", "tmpfs");
    const target = faults.newPath();
    const filler = path.join(folder, "filler");
    must("sh", "-c", `dd if=/dev/zero of=${filler} bs=4096 status=none || true`);
    const copy = ["copy", "--json", "--state-dir", path.join(folder, "state"), source, target];
    const end = await faults.command(copy);
    expect(end).toMatchObject({ signal: null, status: 1 });
    expect(end.stdout).toMatch(/"code":"ERR_NO_SPACE"/);
    rmSync(filler);
    expect(await faults.command(copy)).toMatchObject({ status: 0 });
    faults.same(target);
  });

  for (const type of ["ext4", "xfs"] as const) {
    faults.it(
      `${type} is shut down in mid-copy, as after an error of its disk; it is mounted anew`,
      async () => {
        const [folder, device] = await formatted(type, 320 * MiB);
        const target = path.join(folder, "copy.img");
        const copy = await faults.begin(source, target, { env });
        must("xfs_io", "-x", "-c", "shutdown", folder);
        const job = await faults.failed(copy, {
          code: ["ERR_IO", "ERR_READ_ONLY"],
          side: "target",
        });
        must("umount", folder);
        must("mount", device, folder);
        await faults.resumes(job, { env });
        faults.same(target);
      },
    );
  }

  faults.it("a file may not be that large (RLIMIT_FSIZE)", async () => {
    const target = faults.newPath();
    const large = { code: "ERR_TOO_LARGE" };
    writeFileSync(target, "");
    truncateSync(target, 24 * MiB);
    const job = await faults.fails(source, target, large, {
      env,
      under: ["prlimit", `--fsize=${10 * MiB}`],
    });
    await faults.resumes(job, { env });
    faults.same(target);
  });

  faults.it("few descriptors are left: an error with a code, or the same bytes", async () => {
    const target = faults.newPath();
    const script = fileURLToPath(new URL("fixtures/few-descriptors.mjs", import.meta.url));
    const state = { BLOCKHAUL_STATE_DIR: faults.stateDirectory };
    const limited = ["--nofile=128", process.execPath, script, source, target];
    const said = execFileSync("prlimit", limited, {
      env: { ...process.env, ...env, ...state },
      encoding: "utf8",
    });
    const ends = said
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(ends.length).toBe(24);
    for (const { free, code } of ends) {
      if (code === "done") faults.same(`${target}-${free}`);
      else expect(code, said).toBe("ERR_RESOURCES");
    }
    expect(ends.at(0)?.code).toBe("ERR_RESOURCES");
    expect(ends.at(-1)?.code).toBe("done");
  });

  faults.it("locked memory is not to be had (RLIMIT_MEMLOCK)", async () => {
    const target = faults.newPath();
    await faults.succeeds(source, target, { env, under: ["prlimit", "--memlock=0"] });
    faults.same(target);
  });

  faults.it("memory for the buffers is not to be had (RLIMIT_AS)", async () => {
    const target = faults.newPath();
    const under = ["prlimit", `--as=${3 * 1024 * MiB}`];
    const flags = ["--memory", "4GiB", "--requests", "4096"];
    const end = await faults.command(["copy", "--json", ...flags, source, target], { env, under });
    expect(end, end.stderr).toMatchObject({ signal: null });
    if (end.status === 0) faults.same(target);
    else expect(end.stdout, end.stderr).toMatch(/"code":"ERR_RESOURCES"/);
  });
});

describe("system calls that fail, by strace", () => {
  const strace = (inject: string, ...more: readonly string[]) => [
    ...["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${inject.split(":")[0]}`],
    ...["-e", `inject=${inject}`, ...more],
  ];
  const uring = { BLOCKHAUL_IO: "uring" };
  const threads = { BLOCKHAUL_IO: "threads" };

  for (const [call, error, env] of [
    ["io_uring_enter", "EINTR", uring],
    ["io_uring_enter", "EAGAIN", uring],
    ["io_uring_enter", "EBUSY", uring],
    ["pread64", "EINTR", threads],
    ["pwrite64", "EINTR", threads],
    ["pread64", "EAGAIN", threads],
    ["pwrite64", "EAGAIN", threads],
  ] as const) {
    faults.it(`${call} says ${error} now and then`, async () => {
      const target = faults.newPath();
      // Of its volumes alone: Node reads its own files with the same call, and does not ask again.
      const paths = { pread64: ["-P", source], pwrite64: ["-P", target], io_uring_enter: [] };
      const under = strace(`${call}:error=${error}:when=5+7`, ...paths[call]);
      await faults.succeeds(source, target, { env, under, flags: ["--request-size", "256KiB"] });
      faults.same(target);
    });
  }

  faults.it("io_uring_setup is refused", async () => {
    const target = faults.newPath();
    const under = strace("io_uring_setup:error=EPERM");
    const done = await faults.succeeds(source, target, { under });
    expect(done.io).toBe("threads");
    faults.same(target);
  });

  for (const [call, error, code] of [
    ["fdatasync", "EIO", "ERR_IO"],
    ["fdatasync", "ENOSPC", "ERR_NO_SPACE"],
    ["pwrite64", "EIO", "ERR_IO"],
    ["pwrite64", "EDQUOT", "ERR_NO_SPACE"],
  ] as const) {
    faults.it(`${call} of the target says ${error}`, async () => {
      const target = faults.newPath();
      // strace counts the calls of each thread.
      const when = call === "pwrite64" ? 3 : 1;
      const under = strace(`${call}:error=${error}:when=${when}`, "-P", target);
      const flags = ["--requests", "2", "--request-size", "64KiB"];
      const job = await faults.fails(
        source,
        target,
        { code, side: "target" },
        { env: threads, under, flags },
      );
      await faults.resumes(job, { env: threads });
      faults.same(target);
    });
  }

  faults.it("pread64 of the source says EIO", async () => {
    const target = faults.newPath();
    const under = strace("pread64:error=EIO:when=3", "-P", source);
    const job = await faults.fails(
      source,
      target,
      { code: "ERR_IO", side: "source", says: /read at offset \d+/ },
      { env: threads, under, flags: ["--requests", "2", "--request-size", "64KiB"] },
    );
    await faults.resumes(job, { env: threads });
    faults.same(target);
  });
});

describe("a disk of nbdkit's, under a loop device", () => {
  let disks = 0;

  /** Its backing file, its device, and the file that makes it fail while it is there. */
  async function disk(content: string, filter?: string, ...settings: readonly string[]) {
    const socket = workspace.path(`nbd-${++disks}.sock`);
    const trouble = workspace.path(`trouble-${disks}`);
    const file = workspace.path(`nbd-${disks}.disk`);
    const filters = filter === undefined ? [] : [`--filter=${filter}`];
    const told = settings.map((setting) => setting.replace("TROUBLE", trouble));
    const server = start("nbdkit", "-f", "-U", socket, ...filters, "file", content, ...told);
    await vi.waitFor(() => expect(existsSync(socket)).toBe(true), 120_000);
    writeFileSync(file, "");
    start("nbdfuse", file, "--unix", socket);
    undo.push(() => must("fusermount3", "-u", "-z", file));
    await vi.waitFor(() => expect(must("stat", "-c", "%s", file).trim()).not.toBe("0"), 120_000);
    const device = must(...losetup("--direct-io=on", file)).trim();
    undo.push(() => must("losetup", "--detach", device));
    return { device, trouble, server };
  }

  function start(program: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(program, args, { stdio: "ignore" });
    undo.push(() => {
      child.kill("SIGCONT");
      child.kill("SIGTERM");
    });
    return child;
  }

  const failing = ["error", "error=EIO", "error-rate=100%", "error-file=TROUBLE"] as const;
  const image = () => {
    const file = faults.newPath();
    writeFileSync(file, "");
    truncateSync(file, 24 * MiB);
    return file;
  };

  faults.it("the source fails, and is well again", async () => {
    const { device, trouble } = await disk(source, ...failing);
    const target = faults.newPath();
    const copy = await faults.begin(device, target);
    writeFileSync(trouble, "");
    const job = await faults.failed(copy, { code: "ERR_IO", side: "source" });
    rmSync(trouble);
    await faults.resumes(job);
    faults.same(target);
  });

  faults.it("the target fails, and is well again", async () => {
    const backing = image();
    const { device, trouble } = await disk(backing, ...failing);
    const copy = await faults.begin(source, device);
    writeFileSync(trouble, "");
    const job = await faults.failed(copy, { code: "ERR_IO", side: "target" });
    rmSync(trouble);
    await faults.resumes(job);
    faults.same(backing);
  });

  faults.it("the target hangs: the copy ends in time, and goes on later", async () => {
    const backing = image();
    const { device, server } = await disk(backing);
    const copy = await faults.begin(source, device, { flags: ["--request-timeout", "1"] });
    server.kill("SIGSTOP");
    const job = await faults.failed(copy, { code: "ERR_TIMEOUT" });
    server.kill("SIGCONT");
    await sleep(200);
    await faults.resumes(job);
    faults.same(backing);
  });

  faults.it("the target is slow: the copy waits", async () => {
    const backing = image();
    const { device } = await disk(backing, "delay", "wdelay=50ms", "rdelay=20ms");
    await faults.succeeds(source, device, { flags: ["--request-timeout", "10", "--verify"] });
    faults.same(backing);
  });

  faults.it("the source fails now and then: a copy that is resumed often enough ends", async () => {
    const { device } = await disk(source, "error", "error=EIO", "error-pread-rate=0.3%");
    const target = faults.newPath();
    let end = await faults.command(["copy", "--json", device, target]);
    let runs = 1;
    for (; end.status !== 0 && runs < 60; runs++) {
      const { job, code } = JSON.parse(end.stdout.trimEnd().split("\n").at(-1) ?? "{}");
      expect(code, end.stdout).toBe("ERR_IO");
      end = await faults.command(["resume", "--json", String(job)]);
    }
    expect(end.status, end.stdout).toBe(0);
    faults.same(target);
  });
});
