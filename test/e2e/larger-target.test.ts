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

describe("a GPT whose backup will be in the wrong place", () => {
  it("is announced by a copy to a larger target, unless nobody wants to hear", async () => {
    const target = workspace.path(newName("larger"));
    writeFileSync(target, "");
    truncateSync(target, 20 * MiB);
    const args = ["copy", partitioned, target];
    const { status, stderr } = await blockhaul(args);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `note: the source has a GPT, whose backup will not be at the target's end: afterwards, run \`sgdisk -e\` on ${target}\n`,
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
