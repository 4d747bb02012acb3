/**
 * Migrations between files and a real cluster, killed here and there: judged by rbd and cmp. Each week half of the moments
 * is tried; BLOCKHAUL_CELLS=all tries all.
 */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { listMigrations, type MigrateOptions, type MigrationReport } from "blockhaul";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from "vitest";

import { chosenPart, itemsOf } from "../../scripts/lib/rotation.mjs";
import { rbdDriver } from "../../src/drivers/rbd.js";
import { writeSparse } from "../kills/migrations/sparse.mjs";
import { digestOf } from "../support/file-digest.mjs";
import { forgetDeadClients, watchersOf } from "../support/migration-site.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";
import type { Task } from "./fixtures/migrating.mjs";

const { snapshots, delete: removes, rename: renames } = rbdDriver.supports;
const canAll = snapshots && removes && renames;
const execute = promisify(execFile);
const program = fileURLToPath(new URL("fixtures/migrating.mjs", import.meta.url));
const workspace = new Workspace();
const folder = workspace.path("images");
const file = `${folder}/disk`;
let stateDirectory = "";
let pool: RbdPool;
let cases = 0;

type Ended = Partial<MigrationReport> & { killed?: boolean; code?: string; message?: string };

async function run(task: Omit<Task, "stateDirectory">): Promise<Ended> {
  const text = JSON.stringify({ ...task, stateDirectory });
  const env = { ...process.env, BLOCKHAUL_STATE_DIR: stateDirectory };
  const ended = await execute(process.execPath, [program, text], { env }).catch((error) => error);
  if (ended.signal === "SIGKILL") return { killed: true };
  return JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? "{}");
}

async function id(): Promise<string> {
  return (await listMigrations({ stateDirectory }))[0]?.id ?? "none";
}

async function images(): Promise<string[]> {
  return JSON.parse(await pool.rbd("ls", "--format", "json"));
}

/** All images with their snapshots and watchers. */
async function listing(): Promise<string> {
  const found: string[] = [];
  for (const image of (await images()).sort()) {
    const snapshots = JSON.parse(await pool.rbd("snap", "ls", image, "--format", "json"));
    found.push(image, ...snapshots.map(({ name }: { name: string }) => `${image}@${name}`));
    found.push(
      ...(await watchersOf(pool, image)).map(({ address }) => `${image} used by ${address}`),
    );
  }
  return found.join(" ");
}

async function bytesOf(image: string): Promise<string> {
  const copy = workspace.path("exported");
  rmSync(copy, { force: true });
  await pool.rbd("export", "--no-progress", image, copy);
  return digestOf(copy);
}

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "migrate");
});

afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

beforeEach(async () => {
  cases += 1;
  stateDirectory = workspace.path(`state-${cases}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await forgetDeadClients(pool);
  for (const image of await images()) {
    await pool.rbd("snap", "purge", "--no-progress", image);
    await pool.rbd("rm", "--no-progress", image);
  }
});

const OPTIONS: MigrateOptions = { rename: true, deleteSource: true };
const part = chosenPart("kills on Ceph", { all: process.env.BLOCKHAUL_CELLS === "all" });
const thisWeek = (moments: readonly string[]) => itemsOf(moments, part);
/** Slow enough to be met half-way. */
const slowly = (killAt: string) =>
  killAt.startsWith("progress") ? { bandwidthLimit: 4 * 1024 ** 2 } : {};

describe.runIf(canAll)("a file to an image", () => {
  const MOMENTS = ["event creating", "progress copy", "event verifying", "after renameVolume"];

  async function killed(killAt: string): Promise<string> {
    writeSparse(file, 0);
    const before = await digestOf(file);
    const target = pool.ref("disk");
    const options = { ...OPTIONS, ...slowly(killAt), deleteSource: false };
    expect(await run({ action: "migrate", source: file, target, options, killAt })).toEqual({
      killed: true,
    });
    return before;
  }

  it.each(thisWeek(MOMENTS))("is resumed after a kill at %s", async (killAt) => {
    const before = await killed(killAt);
    // Once, the cluster is let show the dead client for as long as it does.
    if (killAt !== "progress copy") await forgetDeadClients(pool);
    expect(await run({ action: "resume", id: await id() })).toMatchObject({ state: "done" });
    expect(await bytesOf("disk")).toBe(before);
    expect(await listing()).toBe("disk");
    expect(readdirSync(folder)).toEqual([`disk.moved-${await id()}`]);
    expect(await digestOf(`${file}.moved-${await id()}`)).toBe(before);
  });

  it.each(thisWeek(MOMENTS))("is aborted after a kill at %s", async (killAt) => {
    const before = await killed(killAt);
    await forgetDeadClients(pool);
    expect(await run({ action: "abort", id: await id() })).toMatchObject({ state: "aborted" });
    expect(await listing()).toBe("");
    expect(readdirSync(folder)).toEqual(["disk"]);
    expect(await digestOf(file)).toBe(before);
  });
});

describe.runIf(canAll)("an image to a file", () => {
  const MOMENTS = [
    "after createSnapshot",
    "progress copy",
    "after renameVolume",
    "after deleteSnapshot",
    "before deleteVolume",
    "after deleteVolume",
  ];

  async function killed(killAt: string): Promise<string> {
    writeSparse(workspace.path("bytes"), 0);
    await pool.rbd("import", "--no-progress", workspace.path("bytes"), "disk");
    const source = pool.ref("disk");
    const options = { ...OPTIONS, ...slowly(killAt) };
    const task = { source, target: `${folder}/disk`, options, killAt };
    expect(await run({ action: "migrate", ...task })).toEqual({ killed: true });
    return digestOf(workspace.path("bytes"));
  }

  it.each(thisWeek(MOMENTS))("is resumed after a kill at %s", async (killAt) => {
    const before = await killed(killAt);
    await forgetDeadClients(pool);
    expect(await run({ action: "resume", id: await id() })).toMatchObject({
      state: "done",
      sourceIs: "deleted",
    });
    expect(await listing()).toBe("");
    expect(readdirSync(folder)).toEqual(["disk"]);
    expect(await digestOf(file)).toBe(before);
  });

  it.each(thisWeek(MOMENTS.filter((moment) => !moment.includes("deleteVolume"))))(
    "is aborted after a kill at %s",
    async (killAt) => {
      const before = await killed(killAt);
      await forgetDeadClients(pool);
      expect(await run({ action: "abort", id: await id() })).toMatchObject({ state: "aborted" });
      expect(await listing()).toBe("disk");
      expect(await bytesOf("disk")).toBe(before);
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

describe.runIf(canAll)("an image with snapshots to an image", () => {
  const MOMENTS = ["after createSnapshot", "event verifying", "after deleteSnapshot"];
  const options = { deleteSource: true, withSnapshots: true };

  async function killed(killAt: string): Promise<string[]> {
    const bytes: string[] = [];
    const image = workspace.path("bytes");
    rmSync(image, { force: true });
    writeSparse(image, 0);
    await pool.rbd("import", "--no-progress", image, "disk");
    for (const [round, name] of ["monday", "tuesday"].entries()) {
      await pool.rbd("snap", "create", "--no-progress", `disk@${name}`);
      bytes.push(await digestOf(image));
      writeSparse(image, 2 + round);
      await pool.rbd("bench", "--io-type", "write", "--io-total", "1M", "disk");
      bytes[bytes.length - 1] = await bytesOf(`disk@${name}`);
    }
    bytes.push(await bytesOf("disk"));
    const task = { source: pool.ref("disk"), target: pool.ref("moved"), options, killAt };
    expect(await run({ action: "migrate", ...task })).toEqual({ killed: true });
    await forgetDeadClients(pool);
    return bytes;
  }

  it.each(thisWeek(MOMENTS))("is resumed after a kill at %s", async (killAt) => {
    const bytes = await killed(killAt);
    expect(await run({ action: "resume", id: await id() })).toMatchObject({ state: "done" });
    expect(await listing()).toBe("moved moved@monday moved@tuesday");
    const found = [];
    for (const one of ["moved@monday", "moved@tuesday", "moved"]) found.push(await bytesOf(one));
    expect(found).toEqual(bytes);
  });

  it.each(MOMENTS.slice(0, 2))("is aborted after a kill at %s", async (killAt) => {
    const bytes = await killed(killAt);
    expect(await run({ action: "abort", id: await id() })).toMatchObject({ state: "aborted" });
    expect(await listing()).toBe("disk disk@monday disk@tuesday");
    const found = [];
    for (const one of ["disk@monday", "disk@tuesday", "disk"]) found.push(await bytesOf(one));
    expect(found).toEqual(bytes);
  });
});

it("is refused while somebody has the image open, naming where from", async () => {
  writeSparse(file, 0);
  await pool.rbd("import", "--no-progress", file, "busy");
  const watching = spawn("rbd", ["-c", pool.conf, "watch", `${pool.name}/busy`]);
  try {
    const address = await vi.waitFor(
      async () => {
        const [watcher] = await watchersOf(pool, "busy");
        expect(watcher).toBeDefined();
        return watcher?.address.replace(/\/.*/, "");
      },
      { timeout: 240_000 },
    );
    const source = pool.ref("busy");
    const ended = await run({ action: "migrate", source, target: `${folder}/busy` });
    expect(ended.code).toBe("ERR_LIVE_SOURCE");
    expect(ended.message).toContain(address);
    expect(readdirSync(folder)).toEqual(["disk"]);
    expect(await id()).toBe("none");
  } finally {
    watching.kill("SIGKILL");
  }
});
