/** Images that go from one cluster to another by `blockhaul migrate`, with all their snapshots: judged by rbd. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";

import { listingOf, MigrationSite } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { SecondCeph } from "../support/second-ceph.js";
import { makeSparseFile } from "../support/sparse.js";

const MiB = 1024 ** 2;
const SIZE = 48 * MiB;

let here: RbdPool;
let second: SecondCeph;
let there: RbdPool;
let site: MigrationSite;

beforeAll(async () => {
  second = await SecondCeph.start();
  here = await RbdPool.create(inject("cephConf"), "from");
  there = await RbdPool.create(second.conf, "to");
  site = new MigrationSite({ here, there });
});
afterAll(async () => {
  site?.[Symbol.dispose]();
  await here?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
});

/** Writes into an image by rbd alone. */
function write(image: string, at: number, bytes: Buffer): void {
  const diff = site.path("changes");
  // What `rbd export-diff` makes: docs/dev/rbd-diff of Ceph.
  const header = Buffer.from("rbd diff v1\n");
  const record = Buffer.alloc(17);
  record.write("w");
  record.writeBigUInt64LE(BigInt(at), 1);
  record.writeBigUInt64LE(BigInt(bytes.length), 9);
  writeFileSync(diff, Buffer.concat([header, record, bytes, Buffer.from("e")]));
  execFileSync("rbd", [
    ...["-c", here.conf, "-p", here.name, "import-diff", "--no-progress"],
    ...[diff, image],
  ]);
}

/** An image with three states: data at the start, more of it, and a part of that overwritten with zeros. */
async function makeImage(image: string): Promise<void> {
  const random = new Random(image);
  makeSparseFile(site.path(image), SIZE, [[0, MiB]], random);
  await here.rbd("import", "--no-progress", site.path(image), image);
  await here.rbd("snap", "create", "--no-progress", `${image}@monday`);
  write(image, 17 * MiB + 4096, random.bytes(2 * MiB));
  await here.rbd("snap", "create", "--no-progress", `${image}@tuesday`);
  write(image, 512 * 1024, Buffer.alloc(MiB / 4));
  write(image, SIZE - 512, random.bytes(512));
}

const digestsIn = async (pool: RbdPool, image: string, ...snapshots: readonly string[]) => {
  const digests = [];
  for (const snapshot of ["", ...snapshots.map((name) => `@${name}`)]) {
    digests.push(await site.exported(pool, `${image}${snapshot}`));
  }
  return digests;
};

it("without its snapshots, an image is there as it is now, and stays here with them", async () => {
  await makeImage("plain");
  const [before] = await digestsIn(here, "plain");
  const { status, events, stderr } = await site.told("here:plain", "there");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(events.at(-1)).toMatchObject({ method: "copy", verified: true, snapshots: [] });
  expect(await digestsIn(there, "plain")).toEqual([before]);
  expect(await listingOf(there)).toEqual(["plain"]);
  expect(await listingOf(here)).toEqual(["plain", "plain@monday", "plain@tuesday"]);
  expect(site.leftovers).toEqual([]);
  // Of the same name and size, but another image by now: it is not written over.
  expect((await site.migrate("here:plain", "there")).status).toBe(4);
});

it("with its snapshots, each has the same content there, and the source may go", async () => {
  await makeImage("history");
  const names = ["monday", "tuesday"];
  const before = await digestsIn(here, "history", ...names);
  expect(new Set(before).size).toBe(3);
  const args = ["here:history", "there:moved", "--with-snapshots", "--delete-source"];
  const { status, events, stderr } = await site.told(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(events.at(-1)).toMatchObject({
    ...{ method: "copy", verified: true, snapshots: names, sourceIs: "deleted" },
  });
  expect(await digestsIn(there, "moved", ...names)).toEqual(before);
  expect((await listingOf(there)).filter((text) => text.startsWith("moved"))).toEqual([
    ...["moved", "moved@monday", "moved@tuesday"],
  ]);
  expect(await listingOf(here)).not.toContain("history");
  expect(site.leftovers).toEqual([]);
  // Not each state in whole: what did not change between two is shared there, too.
  const { images } = JSON.parse(await there.rbd("du", "moved", "--format", "json"));
  const used = images.map(({ used_size }: { used_size: number }) => used_size / MiB);
  expect(
    used.every((size: number) => size <= 12),
    `${used}`,
  ).toBe(true);
});
