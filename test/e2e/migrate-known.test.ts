/** What a cluster would refuse of a migration is found in its plan: with real users, groups, mirrors and migrations. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import {
  cleanUpAttachments,
  listMigrations,
  type MigrateOptions,
  migrateVolume,
  planMigration,
} from "blockhaul";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";

import { rbdSnapshotStep } from "../../src/drivers/rbd-steps.js";
import { writeSparse } from "../kills/migrations/sparse.mjs";
import { digestOf } from "../support/file-digest.mjs";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const workspace = new Workspace();
const folder = workspace.path("images");
const bytes = workspace.path("bytes");
const stateDirectory = workspace.path("state");
let pool: RbdPool;
let count = 0;
let image = "";

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "known");
  mkdirSync(folder);
  writeSparse(bytes, 0);
});

afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

beforeEach(async () => {
  count += 1;
  image = `disk-${count}`;
  await pool.rbd("import", "--no-progress", bytes, image);
});

async function problemsOf(options: MigrateOptions, source = pool.ref(image)): Promise<string[]> {
  const { problems } = await planMigration(source, `${folder}/${image}`, options);
  return problems.map(({ side, code, message }) => `${side} ${code} ${message}`);
}

describe("a user who may only read", () => {
  async function readOnly(): Promise<string> {
    const id = `reader-${process.pid}`;
    const caps = ["mon", "profile rbd-read-only", "osd", `profile rbd-read-only pool=${pool.name}`];
    const keyring = workspace.path("keyring");
    writeFileSync(keyring, await pool.ceph("auth", "get-or-create", `client.${id}`, ...caps));
    return `${pool.ref(image)}:id=${id}:keyring=${keyring}`;
  }

  it("is refused a snapshot in the plan, and moves an image without one", async () => {
    const source = await readOnly();
    expect(await problemsOf({}, source)).toEqual([
      expect.stringMatching(/^source ERR_(PERMISSION|READ_ONLY) /),
    ]);
    const target = `${folder}/${image}`;
    const refused = migrateVolume(source, target, { stateDirectory });
    await expect(refused).rejects.toMatchObject({ side: "source" });
    expect(readdirSync(folder)).toEqual([]);
    expect(await listMigrations({ stateDirectory })).toEqual([]);
    await migrateVolume(source, target, { stateDirectory, freeze: "none" });
    expect(await digestOf(target)).toBe(await digestOf(bytes));
  });

  it("is refused a removal, too", async () => {
    const problems = await problemsOf({ freeze: "none", deleteSource: true }, await readOnly());
    expect(problems).toEqual([expect.stringMatching(/^source ERR_(PERMISSION|READ_ONLY) /)]);
  });

  it("leaves an attachment that can be cleaned", async () => {
    const snapshot = `${image}@blockhaul-snap-0123456789ab`;
    const ref = (await readOnly()).replace(image, snapshot);
    // Recorded, and never made: it may not be.
    await rbdSnapshotStep.undo({ ref });
    await cleanUpAttachments();
  });
});

it("an image in a group is not removed, and is copied all the same", async () => {
  const group = `${pool.name}/together`;
  await pool.rbd("group", "create", group);
  await pool.rbd("group", "image", "add", group, `${pool.name}/${image}`);
  expect(await problemsOf({ deleteSource: true })).toEqual([
    expect.stringMatching(/^source ERR_IN_USE .*group "?together"?/),
  ]);
  expect(await problemsOf({})).toEqual([]);
  await pool.rbd("group", "image", "rm", group, `${pool.name}/${image}`);
  await pool.rbd("group", "rm", group);
});

it("an image whose snapshot is in the trash for a clone is not removed", async () => {
  await pool.rbd("snap", "create", "--no-progress", `${image}@base`);
  await pool.rbd("clone", "--rbd-default-clone-format", "2", `${image}@base`, `${image}-clone`);
  await pool.rbd("snap", "rm", "--no-progress", `${image}@base`);
  expect(await problemsOf({ deleteSource: true })).toEqual([
    expect.stringMatching(/^source ERR_IN_USE .*1 snapshots that a clone/),
  ]);
  expect(await problemsOf({})).toEqual([]);
});

it("an image that a migration of Ceph's own is moving is not removed", async () => {
  const moved = `${image}-moved`;
  await pool.rbd("migration", "prepare", `${pool.name}/${image}`, `${pool.name}/${moved}`);
  expect(await problemsOf({ deleteSource: true }, pool.ref(moved))).toContainEqual(
    expect.stringMatching(/^source ERR_IN_USE .*rbd migration/),
  );
  await pool.rbd("migration", "abort", "--no-progress", `${pool.name}/${moved}`);
});

it("a mirrored image that is not primary is not frozen by a snapshot", async () => {
  await pool.rbd("mirror", "pool", "enable", "image");
  await pool.rbd("mirror", "image", "enable", image, "snapshot");
  await pool.rbd("mirror", "image", "demote", image);
  expect(await problemsOf({})).toEqual([
    expect.stringMatching(/^source ERR_READ_ONLY .*not primary/),
  ]);
  await pool.rbd("mirror", "image", "promote", image);
  await pool.rbd("mirror", "image", "disable", image);
  await pool.rbd("mirror", "pool", "disable");
});
