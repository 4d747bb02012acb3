/** A source that is to be removed with its snapshots, one of which clones need: refused before anything is removed. */
import { afterAll, beforeAll, beforeEach, expect, inject, it } from "vitest";

import { listingOf, MigrationSite } from "../support/migration-site.js";
import { run } from "../support/mounted.js";
import { RbdPool } from "../support/rbd-pool.js";

const FLAGS = ["--with-snapshots", "--delete-source"];
let pool: RbdPool;
let other: RbdPool;
let site: MigrationSite;
let image: string;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "held");
  other = await RbdPool.create(inject("cephConf"), "held-other");
  site = new MigrationSite({ vms: pool, archive: other });
});
afterAll(async () => {
  site?.[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  count += 1;
  image = `disk-${count}`;
  await pool.rbd("create", "--size", "8M", image);
  await pool.rbd("snap", "create", "--no-progress", `${image}@then`);
});

const spec = (name: string) => `${pool.name}/${name}`;

it.each([
  { format: "1", says: /its snapshot then cannot be removed with it: it is protected/ },
  { format: "2", says: /its snapshot then cannot be removed with it: clones depend on snapshots/ },
])("is refused in the plan for clones of format $format, and goes without", async (clone) => {
  const needs = clone.format === "1";
  if (needs) await pool.rbd("snap", "protect", `${image}@then`);
  const format = ["--rbd-default-clone-format", clone.format];
  await pool.rbd("clone", ...format, spec(`${image}@then`), spec(`${image}-clone`));
  const before = await listingOf(pool);
  for (const flags of [FLAGS, [...FLAGS, "--dry-run"]]) {
    const { status, stderr } = await site.migrate(`vms:${image}`, "archive", ...flags);
    expect(status).toBe(4);
    expect(stderr).toMatch(clone.says);
  }
  expect(await listingOf(pool)).toEqual(before);
  expect(await listingOf(other)).not.toContain(image);
  // One that stays may have them.
  const kept = await site.migrate(`vms:${image}`, "archive", "--with-snapshots", "--dry-run");
  expect(kept.status, kept.stderr).toBe(0);

  await pool.rbd("flatten", "--no-progress", `${image}-clone`);
  if (needs) await pool.rbd("snap", "unprotect", `${image}@then`);
  const done = await site.migrate(`vms:${image}`, "archive", ...FLAGS);
  expect(done.status, done.stderr).toBe(0);
  expect(await listingOf(pool)).not.toContain(image);
  expect(await listingOf(other)).toContain(`${image}@then`);
});

it("is refused in the hand-over where one is needed by then, and can be taken back", async () => {
  const rbd = run("sh", "-c", "command -v rbd").trim();
  const hook = [rbd, "-c", pool.conf, "-p", pool.name, "snap", "protect", `${image}@then`];
  const before = await listingOf(pool);
  const { status, events } = await site.told(
    ...[`vms:${image}`, "archive:late", ...FLAGS, "--before-handover", JSON.stringify(hook)],
  );
  expect(status).toBe(4);
  const failed = events.at(-1);
  expect(failed).toMatchObject({ type: "error", code: "ERR_IN_USE" });
  expect(failed?.message).toMatch(/its snapshot then cannot be removed with it/);
  const id = events.find(({ type }) => type === "begun")?.id ?? "";
  const aborted = await site.blockhaul("abort", id);
  expect(aborted.status, aborted.stderr).toBe(0);
  expect(await listingOf(pool)).toEqual(before);
  expect(await listingOf(other)).not.toContain("late");
  expect(site.leftovers).toEqual([]);
});
