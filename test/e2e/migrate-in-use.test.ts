/** A volume that somebody uses is not migrated, and the refusal names who: by the command, and by its dry run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, expect, inject, it, vi } from "vitest";

import { LoopDevices } from "../support/loop.js";
import { listingOf, MigrationSite, watchersOf } from "../support/migration-site.js";
import { Holder, Mounted, run } from "../support/mounted.js";
import { RbdPool } from "../support/rbd-pool.js";

const MiB = 1024 ** 2;
let pool: RbdPool;
let site: MigrationSite;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "in-use");
  await pool.rbd("create", "--size", "8M", "vm");
});
afterAll(() => pool?.[Symbol.asyncDispose]());
beforeEach(() => {
  site = new MigrationSite({ ceph: pool });
  return () => site[Symbol.dispose]();
});

/** All four ways to ask: for people and for programs, really and as a dry run. */
async function expectRefused(source: string, target: string, says: RegExp): Promise<void> {
  for (const flags of [[], ["--dry-run"]]) {
    const people = await site.migrate(source, target, ...flags);
    expect(people.status, people.stderr).toBe(4);
    expect(people.stderr).toMatch(
      new RegExp(`^blockhaul: source ${source}: .*${says.source}`, "m"),
    );
    const { status, events } = await site.told(source, target, ...flags);
    expect(status).toBe(4);
    const problem = { code: "ERR_LIVE_SOURCE", message: expect.stringMatching(says) };
    expect(events[0]).toMatchObject({ type: "plan", problems: [problem] });
    expect(events.at(-1)).toMatchObject({ type: "error", exitCode: 4, ...problem });
    expect(events).toHaveLength(2);
  }
  expect((await site.blockhaul("jobs", "--json")).stdout).toBe("");
  expect(site.stored).toEqual([]);
}

it("names the client, with its address, that has an image open", async () => {
  const watching = spawn("rbd", ["-c", pool.conf, "watch", `${pool.name}/vm`]);
  try {
    const watcher = await vi.waitFor(
      async () => {
        const [found] = await watchersOf(pool, "vm");
        expect(found).toBeDefined();
        return found;
      },
      { timeout: 240_000 },
    );
    const client = `client\\.${watcher?.client} at ${watcher?.address.replaceAll(".", "\\.")}`;
    await expectRefused("ceph:vm", "store", new RegExp(`${client} has it open for writing`));
  } finally {
    watching.stdin.end("\n");
    await once(watching, "exit");
  }
  expect(await listingOf(pool)).toEqual(["vm"]);
  expect((await site.migrate("ceph:vm", "store")).status, "once it is closed").toBe(0);
});

it("names the mount point of an image file that is mounted through a loop device", async () => {
  await using loops = new LoopDevices();
  const { path } = await loops.attachNew(site.image("fs"), 32 * MiB);
  run("mkfs.ext4", "-q", path);
  {
    using _ = new Mounted(path, site.path("mount point"));
    const says = /is mounted on \S*\/mount point/;
    await expectRefused("images:fs", "store", says);
    await expectRefused(path, "store:fs", says);
  }
  expect(await listingOf(pool)).toEqual(["vm"]);
});

it("names the process that has an image file open for writing", async () => {
  run("truncate", "--size", "8M", site.image("disk"));
  {
    await using writer = await Holder.ofFile(site.image("disk"), "r+");
    const says = new RegExp(`process ${writer.pid} \\(\\S+\\) has it open for writing`);
    await expectRefused("images:disk", "ceph", says);
  }
  expect(await listingOf(pool)).toEqual(["vm"]);
  await using _ = await Holder.ofFile(site.image("disk"), "r");
  expect((await site.migrate("images:disk", "ceph")).status, "to one that only reads").toBe(0);
});
