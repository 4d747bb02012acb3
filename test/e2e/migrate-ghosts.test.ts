/** A client of a run that was killed, which the cluster shows for a while: nobody whom a resume has to stop for. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, inject, it, vi } from "vitest";

import { digestOf } from "../support/file-digest.mjs";
import { eventsOf, listingOf, MigrationSite, watchersOf } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { makeSparseFile } from "../support/sparse.js";

const MiB = 1024 ** 2;
let pool: RbdPool;
let site: MigrationSite;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "ghosts");
  site = new MigrationSite({ ceph: pool });
});
afterAll(async () => {
  site?.[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

/** Watches an image as a client does that has it open, until a line comes. */
async function watch(image: string): Promise<ChildProcessWithoutNullStreams> {
  const watching = spawn("rbd", ["-c", pool.conf, "watch", `${pool.name}/${image}`]);
  const isSeen = async () => expect(await watchersOf(pool, image)).toHaveLength(1);
  await vi.waitFor(isSeen, { timeout: 240_000 });
  return watching;
}

it.each([
  { flags: [], left: ["disk"] },
  { flags: ["--delete-source"], left: [] },
])("is waited for by a resume, to the end of a migration %j", async ({ flags, left }) => {
  const name = `disk${flags.length}`;
  const bytes = site.path(name);
  makeSparseFile(bytes, 16 * MiB, [[MiB, 8 * MiB]], new Random(name));
  await pool.rbd("import", "--no-progress", bytes, name);
  const running = site.start(
    ...["migrate", `ceph:${name}`, "images", "--json", "--bwlimit", "2MiB", ...flags],
  );
  await running.said(/"phase":"copy".*"state":"copying"/);
  running.process.kill("SIGKILL");
  const [id = ""] = eventsOf((await running.ended).stdout).flatMap((event) =>
    event.type === "begun" ? [event.id ?? ""] : [],
  );

  const ghost = await watch(name);
  const [watcher] = await watchersOf(pool, name);
  const resuming = site.start("resume", id, "--json", "--bwlimit", "0");
  await resuming.said(/has it open for writing; if that is the run that was killed/);
  ghost.stdin.end("\n");
  await once(ghost, "exit");
  const { status, stdout, stderr } = await resuming.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(watcher?.address.replace(/\/.*/, ""));
  expect(await digestOf(site.image(name))).toBe(await digestOf(bytes));
  expect(await listingOf(pool)).toEqual(left.map(() => name));
  if (left.length > 0) await pool.rbd("rm", "--no-progress", name);
  expect(site.leftovers).toEqual([]);
});
