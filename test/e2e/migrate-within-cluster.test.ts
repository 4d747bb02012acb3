/** Migrations within one cluster, which Ceph does by itself unless it is told not to: judged by rbd. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { listingOf, MigrationSite } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { makeSparseFile } from "../support/sparse.js";

const MiB = 1024 ** 2;
const SIZE = 40 * MiB;
const SHORT = "rbd clone and flatten";

let pool: RbdPool;
let other: RbdPool;
let site: MigrationSite;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "within");
  other = await RbdPool.create(inject("cephConf"), "within-other");
  site = new MigrationSite({ vms: pool, archive: other });
});
afterAll(async () => {
  site?.[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
});

async function newImage(): Promise<string> {
  count += 1;
  const image = `disk-${count}`;
  const pieces = [0, 13, 31].map((at) => [at * MiB, MiB] as const);
  makeSparseFile(site.path(image), SIZE, pieces, new Random(image));
  await pool.rbd("import", "--no-progress", site.path(image), image);
  return image;
}

const ofImage = async (where: RbdPool, image: string) =>
  (await listingOf(where)).filter((text) => text.split(/[@.]/)[0] === image);

const infoOf = async (where: RbdPool, image: string) =>
  JSON.parse(await where.rbd("info", image, "--format", "json"));

/** The target as Ceph has it: whole, alone, and under its own name. */
async function expectWhole(where: RbdPool, image: string, digest: string): Promise<void> {
  expect(await site.exported(where, image)).toBe(digest);
  expect(await ofImage(where, image)).toEqual([image]);
  expect((await infoOf(where, image)).parent).toBeUndefined();
  expect(site.leftovers).toEqual([]);
}

const WAYS = [
  { to: "the same pool", flags: [], method: SHORT },
  { to: "another pool", flags: [], method: SHORT },
  { to: "the same pool", flags: ["--method", "copy"], method: "copy" },
  { to: "another pool", flags: ["--method", "copy"], method: "copy" },
] as const;

describe("an image", () => {
  it.each(WAYS)("goes to $to by $method, is compared, and says so", async (way) => {
    const image = await newImage();
    const before = await site.exported(pool, image);
    const isHere = way.to === "the same pool";
    const target = isHere ? `vms:${image}-moved` : "archive";
    const { status, events, stderr } = await site.told(`vms:${image}`, target, ...way.flags);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(events[0]).toMatchObject({ type: "plan", method: way.method, freeze: "snapshot" });
    expect(events.map(({ state }) => state)).toContain("verifying");
    // All of it was read back, whoever moved it.
    expect(events).toContainEqual(
      expect.objectContaining({ type: "progress", phase: "verify", state: "done", done: SIZE }),
    );
    expect(events.at(-1)).toMatchObject({
      ...{ type: "done", method: way.method, verified: true, sourceIs: "kept" },
    });
    const [where, name] = isHere ? [pool, `${image}-moved`] : [other, image];
    await expectWhole(where, name, before);
    expect(await ofImage(pool, image)).toEqual([image]);
    // What storage moves takes no more room than what it was made of.
    const { images } = JSON.parse(await where.rbd("du", name, "--format", "json"));
    expect(images[0].used_size).toBe(12 * MiB);
  });

  it("that has snapshots goes as it is now, and keeps them; one of them can go, too", async () => {
    const image = await newImage();
    await pool.rbd("snap", "create", "--no-progress", `${image}@then`);
    await pool.rbd("bench", "--io-type", "write", "--io-total", "1M", image);
    const [then, now] = [
      await site.exported(pool, `${image}@then`),
      await site.exported(pool, image),
    ];
    expect(then).not.toBe(now);
    const moved = await site.migrate(`vms:${image}`, "archive", "--rename");
    expect(moved.status, moved.stderr).toBe(0);
    expect(moved.stderr).toContain(`  by ${SHORT}, then read back and compared\n`);
    expect(moved.stdout).toMatch(new RegExp(`^ {2}40 MiB in .*, by ${SHORT}$`, "m"));
    const [, aside = ""] = /the source is set aside: vms:(.*)$/m.exec(moved.stdout) ?? [];
    expect(await ofImage(pool, image)).toEqual([aside, `${aside}@then`]);
    await expectWhole(other, image, now);
    const ofSnapshot = await site.migrate(`vms:${aside}@then`, "archive:then");
    expect(ofSnapshot.status, ofSnapshot.stderr).toBe(0);
    await expectWhole(other, "then", then);
    expect(await ofImage(pool, image)).toEqual([aside, `${aside}@then`]);
  });

  it.each([SHORT, "copy"])(
    "that is a clone goes by %s, with what it has of its parent",
    async (method) => {
      const parent = await newImage();
      await pool.rbd("snap", "create", "--no-progress", `${parent}@base`);
      await pool.rbd("snap", "protect", `${parent}@base`);
      const clone = `${parent}-clone`;
      await pool.rbd("clone", `${pool.name}/${parent}@base`, `${pool.name}/${clone}`);
      await pool.rbd("bench", "--io-type", "write", "--io-total", "1M", clone);
      const before = await site.exported(pool, clone);
      const flags = method === "copy" ? ["--method", "copy"] : [];
      const { status, events, stderr } = await site.told(`vms:${clone}`, "archive", ...flags);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(events.at(-1)).toMatchObject({ method, verified: true });
      await expectWhole(other, clone, before);
      expect((await infoOf(pool, clone)).parent).toMatchObject({ image: parent, snapshot: "base" });
      // Its parent can be let go of again: nothing of the migration holds it.
      await pool.rbd("rm", "--no-progress", clone);
      await pool.rbd("snap", "unprotect", `${parent}@base`);
    },
  );
});
