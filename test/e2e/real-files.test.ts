/** A disk with real files in it, on its way through every kind of storage, as its own tools and Ceph's see it. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { blockhaul } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { Random, testSeed } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const execute = promisify(execFile);

const MiB = 1024 ** 2;
const SIZE = 96 * MiB;

const workspace = new Workspace();
const loops = new LoopDevices();
const files = workspace.path("files");
const disk = workspace.path("disk.img");
let pool: RbdPool;
let diskSum: string;

beforeAll(async () => {
  console.log(`BLOCKHAUL_TEST_SEED=${testSeed} repeats this run's choices`);
  makeFiles();
  writeFileSync(disk, "");
  truncateSync(disk, SIZE);
  await execute("mkfs.ext4", ["-q", "-d", files, disk]);
  diskSum = await sha256sum(disk);
  pool = await RbdPool.create(inject("cephConf"), "real-files");
});

afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

/** Small, large, empty and sparse ones, in folders. */
function makeFiles() {
  const random = new Random("files");
  for (let folder = 0; folder < 8; folder++) {
    const place = path.join(files, `folder-${folder}`);
    mkdirSync(place, { recursive: true });
    for (let file = 0; file < 24; file++) {
      const length = random.pick([
        0,
        random.below(600),
        random.below(90_000),
        random.below(2 * MiB),
      ]);
      writeFileSync(path.join(place, `file-${file}`), random.bytes(length));
    }
  }
  const sparse = path.join(files, "sparse");
  writeFileSync(sparse, random.bytes(70_000));
  truncateSync(sparse, 24 * MiB);
}

async function sha256sum(file: string): Promise<string> {
  return (await execute("sha256sum", [file])).stdout.slice(0, 64);
}

async function copy(...args: readonly string[]): Promise<Record<string, unknown>> {
  const ended = await blockhaul(["copy", "--json", ...args]);
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** What a file system's own tools say of it: it is clean, and every file in it is what it was. */
async function judgeFileSystem(image: string) {
  await execute("e2fsck", ["-f", "-n", image]);
  const dump = workspace.path(`dump-${path.basename(image)}`);
  mkdirSync(dump);
  await execute("debugfs", ["-R", `rdump / ${dump}`, image]);
  const names = readdirSync(files, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(path.join(files, name)).isFile(),
  );
  expect(names.length).toBe(8 * 24 + 1);
  const sum = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
  const changed = names.filter(
    (name) => sum(path.join(files, name)) !== sum(path.join(dump, name)),
  );
  expect(changed).toEqual([]);
}

test("from file to device to RBD and back to a file", async () => {
  const device = await loops.attachNew(workspace.path("device"), SIZE, { sectorSize: 4096 });
  const back = workspace.path("back.img");
  const digests = [
    (await copy(disk, device.path)).digest,
    (await copy("--create", device.path, pool.ref("disk"))).digest,
    (await copy(pool.ref("disk"), back)).digest,
  ];
  expect(new Set(digests).size).toBe(1);
  await execute("cmp", [disk, device.path]);
  await execute("cmp", [disk, back]);
  await judgeFileSystem(back);
  expect(statSync(back).blocks).toBeLessThanOrEqual(statSync(disk).blocks + 64);
});

test("an image that it made is read by rbd and qemu-img", async () => {
  const image = "made-here";
  await copy("--create", "--object-size", "1MiB", disk, pool.ref(image));
  const exported = workspace.path("exported");
  await pool.rbd("export", "--no-progress", image, exported);
  expect(await sha256sum(exported)).toBe(diskSum);

  const qemu = `rbd:${pool.name}/${image}:conf=${pool.conf}`;
  const compared = await execute("qemu-img", ["compare", "-f", "raw", "-F", "raw", disk, qemu]);
  expect(compared.stdout).toContain("Images are identical");
});

test("images that rbd and qemu-img made are read by it", async () => {
  await pool.rbd("import", "--no-progress", disk, "by-rbd");
  await pool.rbd("snap", "create", "--no-progress", "by-rbd@s");
  await pool.rbd("bench", "--io-type", "write", "--io-total", "8M", "by-rbd");
  const fromSnapshot = workspace.path("from-snapshot.img");
  await copy(pool.ref("by-rbd@s"), fromSnapshot);
  expect(await sha256sum(fromSnapshot)).toBe(diskSum);

  const qemu = `rbd:${pool.name}/by-qemu:conf=${pool.conf}`;
  await execute("qemu-img", ["convert", "-f", "raw", "-O", "raw", disk, qemu]);
  const fromQemu = workspace.path("from-qemu.img");
  await copy(pool.ref("by-qemu"), fromQemu);
  // QEMU keeps the size in whole sectors.
  expect(await sha256sum(fromQemu)).toBe(diskSum);
});

test("an incremental export of what it wrote holds it all", async () => {
  const image = "differential";
  await pool.rbd("import", "--no-progress", disk, image);
  await pool.rbd("snap", "create", "--no-progress", `${image}@before`);
  const other = workspace.path("other.img");
  writeFileSync(other, new Random("other").bytes(SIZE / 4));
  truncateSync(other, SIZE);
  // Nearly everything changes, and most of it to zeros.
  await copy("--allow-signature", other, pool.ref(image));
  const difference = workspace.path("difference");
  await pool.rbd("export-diff", "--no-progress", "--from-snap", "before", image, difference);
  await pool.rbd("import", "--no-progress", disk, "replica");
  await pool.rbd("snap", "create", "--no-progress", "replica@before");
  await pool.rbd("import-diff", "--no-progress", difference, "replica");
  const replica = workspace.path("replica.img");
  await pool.rbd("export", "--no-progress", "replica", replica);
  expect(await sha256sum(replica)).toBe(await sha256sum(other));
});

test("a file system copied onto an old one leaves nothing of it", async () => {
  const old = await loops.attachNew(workspace.path("old-device"), SIZE);
  writeFileSync(old.path, Buffer.alloc(SIZE, 0xa5));
  await copy(disk, old.path);
  await execute("cmp", [disk, old.backing]);
  await execute("e2fsck", ["-f", "-n", old.path]);
});

test("the source is as it was", async () => {
  expect(await sha256sum(disk)).toBe(diskSum);
});
