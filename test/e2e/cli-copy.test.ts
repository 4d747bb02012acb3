/** The command `copy` on files and devices: what it does, what it says, how it ends. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

import { blockhaul, RunningCommand } from "../support/command.js";
import { Holder } from "../support/mounted.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const digester = fileURLToPath(new URL("../support/volume_digest.py", import.meta.url));
const cmp = (a: string, b: string) => execFileSync("cmp", [a, b]);
const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

let count = 0;
const newPath = () => {
  count += 1;
  return workspace.path(`${count}.img`);
};

/** A sparse image with data at both ends and in the middle; its last byte alone is 7. */
function makeImage(size = 20 * MiB + 513): string {
  const image = newPath();
  writeFileSync(image, Buffer.alloc(100_000, "blockhaul"));
  truncateSync(image, size);
  execFileSync("sh", [
    "-c",
    `printf '\\007' | dd of=${image} bs=1 seek=${size - 1} conv=notrunc status=none`,
  ]);
  execFileSync("sh", [
    "-c",
    `head -c 3000000 /dev/urandom | dd of=${image} bs=4096 seek=2000 conv=notrunc status=none`,
  ]);
  return image;
}

describe("blockhaul copy", () => {
  it("makes a missing image file at the source's size, identical and as sparse", async () => {
    const [source, target] = [makeImage(), newPath()];
    const { status, stdout, stderr } = await blockhaul(["copy", source, target]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    cmp(source, target);
    expect(statSync(target).blocks).toBeLessThanOrEqual(statSync(source).blocks + 64);
    expect(stdout).toMatch(
      /^copied .+ to .+\n {2}20\.0 MiB in .+\/s\n {2}.+ moved.*zeros skipped\n/,
    );
  });

  it.each([[], ["--create"]])(
    "that refuses before its first byte leaves no target, so that it works the second time: %j",
    async (...flags) => {
      const [source, target] = [makeImage(), newPath()];
      {
        await using _ = await Holder.ofFile(source, "r+");
        const refused = await blockhaul(["copy", ...flags, source, target]);
        expect(refused.stderr).toContain("open for writing");
        expect(refused.status).toBe(4);
        expect(existsSync(target)).toBe(false);
      }
      expect((await blockhaul(["copy", ...flags, source, target])).status).toBe(0);
      cmp(source, target);
    },
  );

  it("overwrites all of an existing target, zeros too", async () => {
    const [source, target] = [makeImage(), newPath()];
    writeFileSync(target, Buffer.alloc(20 * MiB + 513, 0xff));
    expect((await blockhaul(["copy", source, target])).status).toBe(0);
    cmp(source, target);
  });

  it("prints the digest that a program without its code computes", async () => {
    const source = makeImage();
    for (const kind of ["xxh3", "sha256"]) {
      const { stdout } = await blockhaul(["copy", "--digest", kind, source, "null:"]);
      const expected = execFileSync("/usr/bin/python3", [digester, kind, source], {
        encoding: "utf8",
      });
      expect(stdout).toContain(`  ${expected.trim()}\n`);
    }
    const { stdout } = await blockhaul(["copy", "--digest", "none", source, "null:"]);
    expect(stdout).not.toMatch(/xxh3|sha256/);
  });

  it("with --json gives one object a line: plan, what guards found, progress, done", async () => {
    const source = makeImage();
    const { status, stdout, stderr } = await blockhaul(["copy", "--json", source, newPath()]);
    expect(status).toBe(0);
    expect(stderr).toBe("");
    const events = eventsOf(stdout);
    expect(events[0]).toMatchObject({ type: "plan", source, isNewTarget: true, dryRun: false });
    const guards = events.slice(1).findIndex(({ type }) => type !== "guard");
    // One of each guard, and one of each end that was locked.
    expect(guards).toBe(9);
    expect(events.slice(1, 10).every(({ state }) => state === "clear")).toBe(true);
    expect(events.slice(10, -1).every(({ type }) => type === "progress")).toBe(true);
    expect(events.at(-2)).toMatchObject({ state: "done", done: 20 * MiB + 513 });
    const done = events.at(-1);
    expect(done).toMatchObject({ type: "done", source, size: 20 * MiB + 513, method: "engine" });
    expect(done.written + done.zeroed + done.skipped).toBe(done.size);
  });

  it("with --json gives an error as an object, too", async () => {
    const { status, stdout, stderr } = await blockhaul(["copy", "--json", newPath(), "null:"]);
    expect(status).toBe(3);
    expect(eventsOf(stdout)).toEqual([
      expect.objectContaining({
        type: "error",
        code: "ERR_NOT_FOUND",
        side: "source",
        exitCode: 3,
      }),
    ]);
    expect(stderr).toMatch(/^blockhaul: source .*No such file/);
  });

  it("with --dry-run says what it would do, and does not", async () => {
    const [source, target] = [makeImage(), newPath()];
    const { status, stdout } = await blockhaul(["copy", "-n", source, target]);
    expect(status).toBe(0);
    expect(stdout).toContain(`to ${target}, a new volume`);
    expect(existsSync(target)).toBe(false);
    writeFileSync(target, Buffer.alloc(20 * MiB + 513, 1));
    await blockhaul(["copy", "--dry-run", source, target]);
    expect(readFileSync(target).every((byte) => byte === 1)).toBe(true);
    writeFileSync(target, "small");
    expect((await blockhaul(["copy", "--dry-run", source, target])).status).toBe(4);
  });

  it("with --create refuses a target that exists", async () => {
    const [source, target] = [makeImage(), newPath()];
    expect((await blockhaul(["copy", "--create", source, target])).status).toBe(0);
    for (const flags of [[], ["--dry-run"]]) {
      const { status, stderr } = await blockhaul(["copy", "--create", ...flags, source, target]);
      expect(stderr).toMatch(/hint: .*--create/);
      expect(status).toBe(4);
    }
  });

  it("takes its options from flags, then from the environment", async () => {
    const source = makeImage();
    const env = {
      BLOCKHAUL_REQUESTS: "3",
      BLOCKHAUL_REQUEST_SIZE: "128k",
      BLOCKHAUL_IO: "threads",
    };
    const { stdout } = await blockhaul(["copy", "--requests", "5", source, "null:"], { env });
    expect(stdout).toContain("threads: 5 requests of 128KiB");
  });

  it("reads all of the source with --no-extents", async () => {
    const source = makeImage();
    const readOf = async (...flags: string[]) => {
      const { stdout } = await blockhaul(["copy", "--json", ...flags, source, "null:"]);
      return eventsOf(stdout).at(-1).read;
    };
    expect(await readOf()).toBeLessThan(4 * MiB);
    expect(await readOf("--no-extents")).toBe(20 * MiB + 513);
  });

  it("keeps to --bwlimit", async () => {
    const { stdout } = await blockhaul([
      "copy",
      "--json",
      "--bwlimit",
      "16MiB",
      "pattern:16MiB",
      "null:",
    ]);
    const { seconds } = eventsOf(stdout).at(-1);
    expect(seconds).toBeGreaterThan(0.7);
    expect(seconds).toBeLessThan(2.5);
  });

  it("says nothing with -q, and more with -v", async () => {
    const source = makeImage();
    expect(await blockhaul(["copy", "-q", source, newPath()])).toMatchObject({
      stdout: "",
      stderr: "",
    });
    const { stderr } = await blockhaul(["copy", "-v", source, "null:"]);
    expect(stderr).toMatch(/^plan: 20\.0 MiB/);
    const failed = await blockhaul(["copy", "-v", newPath(), "null:"]);
    expect(failed.stderr).toMatch(/^code: ERR_NOT_FOUND \(ENOENT\)$/m);
  });

  it("draws a bar on a terminal, and replaces it by the summary", async () => {
    const copy = `${process.execPath} ${main} copy --bwlimit 32MiB pattern:32MiB null:`;
    const screen = execFileSync("script", ["-qec", `stty cols 90; ${copy}`, "/dev/null"], {
      encoding: "utf8",
      env: { ...process.env, TERM: "xterm", NO_COLOR: "1" },
    });
    const drawn = screen
      .replaceAll("\u001b[K", "")
      .replaceAll("\u001b[J", "")
      .split(/\r(?!\n)/);
    expect(drawn.length).toBeGreaterThan(3);
    expect(
      drawn.some((line) => /^ {1,2}\d+% \[=* *\] {2}\d+ MiB of 32 MiB {2}.*\/s {2}ETA/.test(line)),
    ).toBe(true);
    expect(Math.max(...drawn.slice(0, -1).map((line) => line.length))).toBeLessThan(90);
    expect(drawn.at(-1)).toMatch(/^copied pattern:32MiB to null:\r\n/);
    expect(screen).not.toContain("\u001b[32m");
  });
});

describe("blockhaul copy, stopped", () => {
  const slow = (target: string, ...flags: string[]) =>
    new RunningCommand([
      "copy",
      "--progress",
      "json",
      "--bwlimit",
      "8MiB",
      ...flags,
      "pattern:1GiB",
      target,
    ]);

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s drains, says how to go on, and exits with %i", async (signal, status) => {
    const target = newPath();
    const command = slow(target);
    await command.said(/"state":"copying"/);
    command.process.kill(signal);
    const ended = await command.ended;
    expect(ended).toMatchObject({ status, signal: null, stdout: "" });
    expect(ended.stderr).toMatch(/^blockhaul: stopped; the target .* is incomplete: .* of 1 GiB/m);
    expect(ended.stderr).toMatch(
      /are safe\nhint: `blockhaul resume [a-z0-9]{8}` goes on from there$/m,
    );
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  it("without a journal says that all has to be done again, and that --create has done its part", async () => {
    const command = slow(newPath(), "--create", "--no-journal");
    await command.said(/"state":"copying"/);
    command.process.kill("SIGINT");
    expect((await command.ended).stderr).toMatch(/^hint: the same command, without --create,/m);
  });

  it("by two signals ends at once", async () => {
    const command = slow(newPath());
    await command.said(/"state":"copying"/);
    // Both before the process can look at the first.
    command.process.kill("SIGSTOP");
    command.process.kill("SIGINT");
    command.process.kill("SIGTERM");
    command.process.kill("SIGCONT");
    const { status, signal } = await command.ended;
    expect(status).toBeNull();
    expect(["SIGINT", "SIGTERM"]).toContain(signal);
  });

  it("by SIGKILL leaves the source as it was", async () => {
    const source = makeImage();
    const before = readFileSync(source);
    const command = new RunningCommand(["copy", "--bwlimit", "1MiB", source, newPath()]);
    await sleep(500);
    command.process.kill("SIGKILL");
    expect((await command.ended).signal).toBe("SIGKILL");
    expect(readFileSync(source).equals(before)).toBe(true);
  });
});
