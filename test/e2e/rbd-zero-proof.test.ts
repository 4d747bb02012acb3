/** A new image is proven to be zero: unless, between its open and the copy, another client wrote to it. */
import { truncateSync, writeFileSync } from "node:fs";
import { copyVolume, openVolume } from "blockhaul";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Oracle } from "../support/oracle.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 96 * MiB + 513;
const DATA = 1 * MiB;

const workspace = new Workspace();
const source = workspace.path("source");
let pool: RbdPool;
let oracle: Oracle;

beforeAll(async () => {
  writeFileSync(source, Buffer.alloc(DATA, 7));
  truncateSync(source, SIZE);
  pool = await RbdPool.create(inject("cephConf"), "zero-proof");
  oracle = new Oracle({ conf: pool.conf, pool: pool.name });
});

afterAll(async () => {
  await oracle?.[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

/** Images with an object map, and without. */
const kinds: [string, readonly string[]][] = [
  ["an object map", ["layering", "exclusive-lock", "object-map", "fast-diff"]],
  ["an exclusive lock alone", ["layering", "exclusive-lock"]],
  ["no lock", ["layering"]],
];

async function openNew(image: string, features: readonly string[]) {
  const create = { size: SIZE, features };
  const target = await openVolume(pool.ref(image), { mode: "write", create });
  expect(target.info.zeroState).toBe("proven-zero");
  return target;
}

test.each(kinds)("with %s: zeros are left out where nobody wrote", async (_, features) => {
  const image = `untouched-${features.length}`;
  await using from = await openVolume(source);
  await using target = await openNew(image, features);
  const report = await copyVolume(from, target);
  expect(report).toMatchObject({ written: DATA, zeroed: 0, skipped: SIZE - DATA });
  expect(await oracle.compare({ image }, source, SIZE)).toBeNull();
});

test.each(kinds)("with %s: what another client wrote is no zero", async (_, features) => {
  const image = `written-${features.length}`;
  await using from = await openVolume(source);
  await using target = await openNew(image, features);
  await oracle.change(image, ["write", 50 * MiB + 1, 5000, 1]);
  const report = await copyVolume(from, target);
  expect(report).toMatchObject({ written: DATA, zeroed: SIZE - DATA, skipped: 0 });
  expect(await oracle.compare({ image }, source, SIZE)).toBeNull();
});
