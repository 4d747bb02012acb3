/** A target that is made larger than its source, and what a GPT needs then. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { planMigration } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { RbdPool } from "../support/rbd-pool.js";
import { refuses } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const plain = workspace.path("plain.img");
const partitioned = workspace.path("gpt.img");
let pool: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "larger");
  writeFileSync(plain, randomBytes(9 * MiB + 512));
  writeFileSync(partitioned, "");
  truncateSync(partitioned, 16 * MiB);
  execFileSync("sgdisk", ["--new=1", partitioned]);
});
afterAll(async () => {
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

const newName = (kind: string) => `${kind}-${++count}`;

describe("copy --create --size", () => {
  it("makes a larger file, and zeros behind the source's end", async () => {
    const target = workspace.path(newName("file"));
    const { status, stderr } = await blockhaul([
      ...["copy", "--create", "--size", "12MiB", "--verify"],
      ...[plain, target],
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(statSync(target).size).toBe(12 * MiB);
    const expected = Buffer.concat([readFileSync(plain), Buffer.alloc(3 * MiB - 512)]);
    expect(readFileSync(target).equals(expected)).toBe(true);
  });

  it("makes a larger image, and says what its GPT needs", async () => {
    const image = newName("image");
    const made = await blockhaul([
      ...["copy", "--create", "--size", "24MiB", partitioned],
      pool.ref(image),
    ]);
    expect(made.status).toBe(0);
    expect(made.stderr).toContain("note: the source has a GPT, whose backup will not be at");
    const exported = workspace.path(newName("exported"));
    const from = ["-c", pool.conf, "-p", pool.name];
    execFileSync("rbd", [...from, "export", "--no-progress", image, exported]);
    expect(statSync(exported).size).toBe(24 * MiB);
    execFileSync("cmp", ["--bytes", String(16 * MiB), partitioned, exported]);
    // The hint is right: afterwards nothing is wrong with it.
    execFileSync("sgdisk", ["-e", exported]);
    expect(spawnSync("sgdisk", ["-v", exported]).stdout.toString()).toMatch(/No problems found/);
  });

  it("is refused below the source's size, without --create, and in a dry run", async () => {
    const target = workspace.path(newName("never"));
    const small = ["copy", "--create", "--size", "9MiB", plain, target];
    for (const args of [small, [...small, "--dry-run"]]) {
      await refuses(args, {
        status: 4,
        code: "ERR_TARGET_TOO_SMALL",
        says: /--size is 9 MiB, less than the source's 9\.00 MiB \(9437696 bytes\)/,
      });
    }
    await refuses(["copy", "--size", "12MiB", plain, target], {
      status: 2,
      code: "ERR_INVALID_ARGUMENT",
      says: /--size is about a new target: it goes with --create/,
    });
    expect(existsSync(target)).toBe(false);
  });
});

/** By sgdisk alone. */
const problemsOf = (file: string) => spawnSync("sgdisk", ["-v", file]).stdout.toString();

function exported(image: string): string {
  const file = workspace.path(newName("exported"));
  const from = ["-c", pool.conf, "-p", pool.name];
  execFileSync("rbd", [...from, "export", "--no-progress", image, file]);
  return file;
}

describe("copy --fix-gpt", () => {
  it("moves the backup to the end of a larger file and of a larger image, in silence", async () => {
    const [file, image] = [workspace.path(newName("file")), newName("image")];
    for (const target of [file, pool.ref(image)]) {
      const { status, stdout, stderr } = await blockhaul([
        ...["copy", "--create", "--size", "24MiB", "--verify", "--fix-gpt"],
        ...[partitioned, target],
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain("the backup of its GPT was moved to its end");
    }
    for (const made of [file, exported(image)]) {
      expect(statSync(made).size).toBe(24 * MiB);
      expect(problemsOf(made)).toMatch(/No problems found\. 1\d{4} free sectors/);
      // All but the table is as it was copied.
      execFileSync("cmp", ["-i", "1024", "-n", String(15 * MiB), partitioned, made]);
    }
    const again = await blockhaul(["copy", "--json", "--fix-gpt", file, workspace.path("same")]);
    expect(JSON.parse(again.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      type: "done",
      gptBackup: "in place",
    });
  });

  it("says what has no GPT, and what a manifest would not describe", async () => {
    const target = workspace.path(newName("file"));
    const { stdout } = await blockhaul(["copy", "--fix-gpt", plain, target]);
    expect(stdout).toContain("it has no GPT");
    const manifest = workspace.path("manifest");
    await refuses(["copy", "--fix-gpt", "--manifest", manifest, plain, target], {
      status: 2,
      code: "ERR_INVALID_ARGUMENT",
      says: /--fix-gpt changes the target/,
    });
  });

  it("leaves a damaged GPT, and one whose last partition is in the way, as they are", async () => {
    const damaged = workspace.path("damaged.img");
    const full = workspace.path("full.img");
    for (const file of [damaged, full]) {
      writeFileSync(file, "");
      truncateSync(file, 16 * MiB);
      execFileSync("sgdisk", ["--new=1", file]);
    }
    const bytes = readFileSync(damaged);
    bytes.writeUInt8(bytes.readUInt8(1024 + 60) ^ 1, 1024 + 60);
    writeFileSync(damaged, bytes);
    // As if it had been copied to what ends within the table's backup.
    truncateSync(full, 16 * MiB - 4096);
    for (const [file, says] of [
      [damaged, /entries are damaged/],
      [full, /a partition where its GPT's backup would lie/],
    ] as const) {
      const before = readFileSync(file);
      const target = workspace.path(newName("file"));
      await refuses(["copy", "--fix-gpt", "--allow-signature", file, target], {
        status: 2,
        code: "ERR_UNSUPPORTED",
        says,
      });
      expect(readFileSync(target).equals(before)).toBe(true);
    }
  });
});

describe("migrate --size", () => {
  it("makes a larger target, with zeros at the end, and moves a GPT's backup", async () => {
    const image = newName("moved");
    const { status, stderr } = await blockhaul([
      ...["migrate", "--size", "24MiB", "--fix-gpt", partitioned, pool.ref(image)],
      ...["--state-dir", workspace.path("state")],
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringMatching(/note:/) });
    const made = exported(image);
    expect(statSync(made).size).toBe(24 * MiB);
    expect(problemsOf(made)).toMatch(/No problems found/);
    execFileSync("cmp", ["-i", "1024", "-n", String(15 * MiB), partitioned, made]);
  });

  it("goes on as it was begun: resume takes no option of copies", async () => {
    const target = workspace.path(newName("file"));
    const state = ["--state-dir", workspace.path("state")];
    const begun = await blockhaul([
      ...["migrate", "--before-handover", "/bin/false", ...state],
      ...[plain, target],
    ]);
    expect(begun.status).not.toBe(0);
    const id = /blockhaul resume ([\w-]+)/.exec(begun.stderr)?.[1] ?? "";
    for (const flag of ["--fix-gpt", "--fast", "--repair", "--salvage"]) {
      const { status, stderr } = await blockhaul(["resume", id, flag, ...state]);
      expect({ flag, status }).toEqual({ flag, status: 2 });
      expect(stderr).toContain(`${flag} is about a copy`);
    }
    expect(existsSync(target)).toBe(false);
    const ended = await blockhaul(["abort", id, ...state]);
    expect(ended.status).toBe(0);
  });

  it("is refused below the source's size, in the plan", async () => {
    const target = workspace.path(newName("never"));
    const { problems } = await planMigration(plain, target, { size: 9 * MiB });
    expect(problems).toMatchObject([
      {
        code: "ERR_TARGET_TOO_SMALL",
        message: expect.stringMatching(/is to have 9 MiB, less than the source's 9\.00 MiB/),
      },
    ]);
    expect(existsSync(target)).toBe(false);
  });
});

describe("a GPT whose backup will be in the wrong place", () => {
  it("is announced by a copy to a larger target, unless nobody wants to hear", async () => {
    const target = workspace.path(newName("larger"));
    writeFileSync(target, "");
    truncateSync(target, 20 * MiB);
    const args = ["copy", partitioned, target];
    const { status, stderr } = await blockhaul(args);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `note: the source has a GPT, whose backup will not be at the target's end: --fix-gpt moves it there, or afterwards \`sgdisk -e\` on ${target}\n`,
    });
    const quiet = await blockhaul(["copy", "-q", "--allow-signature", partitioned, target]);
    expect(quiet).toMatchObject({ status: 0, stderr: "" });
  });

  it("is not announced where the sizes are equal", async () => {
    const target = workspace.path(newName("equal"));
    expect(await blockhaul(["copy", partitioned, target])).toMatchObject({ stderr: "" });
    const plan = await planMigration(partitioned, workspace.path(newName("moved")));
    expect(plan.notices.join()).not.toContain("GPT");
  });
});
