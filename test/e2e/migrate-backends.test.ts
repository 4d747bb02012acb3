/** A volume that goes from a folder to a cluster and back by `blockhaul migrate`: judged by rbd, cmp and stat. */
import { statSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";

import { digestOf } from "../support/file-digest.mjs";
import { listingOf, MigrationSite } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { makeSparseFile } from "../support/sparse.js";

const MiB = 1024 ** 2;
const SIZE = 96 * MiB + 512;
/** In six of the image's objects, one of them at its end; none is full. */
const PIECES = [0, 9, 21, 40, 66, 95].map((at) => [at * MiB, 256 * 1024] as const);
const DATA = PIECES.length * 256 * 1024;
/** What file systems and pools take beside the data. */
const SLACK = 512 * 1024;

let pool: RbdPool;
let site: MigrationSite;
let before: string;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "backends");
});
afterAll(async () => {
  await pool?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  site = new MigrationSite({ ceph: pool });
  return async () => {
    site[Symbol.dispose]();
    for (const image of await images()) await pool.rbd("rm", "--no-progress", image);
  };
});

async function images(): Promise<string[]> {
  return JSON.parse(await pool.rbd("ls", "--format", "json"));
}

/** Bytes that a file takes of its file system. */
const taken = (file: string) => statSync(file).blocks * 512;

const FATES = [
  { flags: [], sourceIs: "kept" },
  { flags: ["--rename"], sourceIs: "set aside" },
  { flags: ["--delete-source"], sourceIs: "deleted" },
] as const;

/** What is where the source was, by its fate. */
function remains(sourceIs: string, id: string): string[] {
  if (sourceIs === "deleted") return [];
  return [sourceIs === "kept" ? "disk" : `disk.moved-${id}`];
}

describe("a file that is moved to a cluster", () => {
  it.each(FATES)(
    "is there whole and thin, and here it is $sourceIs",
    async ({ flags, sourceIs }) => {
      makeSparseFile(site.image("disk"), SIZE, PIECES, new Random(`to ${sourceIs}`));
      before = await digestOf(site.image("disk"));
      const empty = await pool.allocated();

      const { status, events, stderr } = await site.told("images:disk", "ceph", ...flags);
      const done = events.at(-1);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(done).toMatchObject({ type: "done", verified: true, method: "copy", sourceIs });

      expect(await site.exported(pool, "disk")).toBe(before);
      expect(await listingOf(pool)).toEqual(["disk"]);
      expect((await pool.allocated()) - empty).toBeLessThan(DATA + SLACK);
      const left = remains(sourceIs, done?.id ?? "");
      expect(site.files).toEqual(left);
      for (const name of left) expect(await digestOf(site.image(name))).toBe(before);
      expect(site.leftovers).toEqual([]);
    },
  );
});

describe("an image that is moved to a folder", () => {
  it.each(FATES)(
    "is here whole and thin, and there it is $sourceIs",
    async ({ flags, sourceIs }) => {
      makeSparseFile(site.path("bytes"), SIZE, PIECES, new Random(`from ${sourceIs}`));
      before = await digestOf(site.path("bytes"));
      await pool.rbd("import", "--no-progress", site.path("bytes"), "disk");

      const { status, events, stderr } = await site.told("ceph:disk", "images", ...flags);
      const done = events.at(-1);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(done).toMatchObject({ type: "done", verified: true, method: "copy", sourceIs });

      expect(site.files).toEqual(["disk"]);
      expect(await digestOf(site.image("disk"))).toBe(before);
      expect(taken(site.image("disk"))).toBeLessThan(DATA + SLACK);
      const left = remains(sourceIs, done?.id ?? "");
      expect(await listingOf(pool)).toEqual(left);
      for (const image of left) expect(await site.exported(pool, image)).toBe(before);
      expect(site.leftovers).toEqual([]);
    },
  );
});

it("tells people what it will do, what it does, and what came of it", async () => {
  makeSparseFile(site.image("disk"), SIZE, PIECES, new Random("told"));
  const { status, stdout, stderr } = await site.migrate("images:disk", "ceph:renamed");
  expect(status).toBe(0);
  expect(stderr).toMatch(/^plan: images:disk to ceph:renamed, 96\.0 MiB$/m);
  expect(stderr).toMatch(/^ {2}copied, about 1\.5\d* MiB, then read back and compared$/m);
  expect(stderr).toMatch(/^creating\nfreezing\ncopying\nverifying\nhanding-over\n/m);
  expect(stdout).toMatch(/^migrated images:disk to ceph:renamed$/m);
  expect(stdout).toMatch(
    /^ {2}verified: read back and compared, the target holds what was read of the source$/m,
  );
  expect(stdout).toMatch(/^ {2}the source is kept$/m);
  expect(await images()).toEqual(["renamed"]);
});
