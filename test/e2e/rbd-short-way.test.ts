/** An image copied within its cluster by librbd alone, judged by Ceph's own tools; and two clusters, where that is no way. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { copyVolume, openVolume } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import type { CreateOptions, ShortWay, ShortWayOptions } from "../../src/driver.js";
import { rbdDriver } from "../../src/drivers/rbd.js";
import { RbdPool } from "../support/rbd-pool.js";
import { SecondCeph } from "../support/second-ceph.js";
import { StateDirectory } from "../support/state-directory.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 96 * MiB + 512;
const workspace = new Workspace();
const state = new StateDirectory();
const content = workspace.path("content");
let pool: RbdPool;
let other: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "short");
  other = await RbdPool.create(inject("cephConf"), "short-other");
  // 20 MiB that are full, then holes.
  writeFileSync(content, randomBytes(20 * MiB));
  truncateSync(content, SIZE);
});
afterAll(async () => {
  workspace[Symbol.dispose]();
  state[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
});

const newName = () => {
  count += 1;
  return `image-${count}`;
};

/** An image with the content, a snapshot "then" of it, and other bytes since. */
async function newSource(...options: readonly string[]): Promise<string> {
  const image = newName();
  await pool.rbd("import", "--no-progress", ...options, content, image);
  await pool.rbd("snap", "create", "--no-progress", `${image}@then`);
  await using volume = await openVolume(pool.ref(image), { mode: "write" });
  await volume.write(Buffer.alloc(3 * MiB, 7), { position: 50 * MiB });
  return image;
}

async function wayBetween(
  source: string,
  target: string,
  options: Partial<CreateOptions> = {},
): Promise<ShortWay | undefined> {
  const [from, to] = [source, target].map(rbdDriver.parseRef);
  return from && to && rbdDriver.shortWay?.(from, to, { size: SIZE, ...options });
}

async function go(source: string, target: string, options?: Partial<CreateOptions>) {
  const way = await wayBetween(source, target, options);
  let done = 0;
  const how: ShortWayOptions = {
    onProgress: (bytes) => {
      done = bytes;
    },
  };
  await way?.run(how);
  expect(done).toBe(SIZE);
}

function exportTo(where: RbdPool, spec: string): string {
  const file = workspace.path(`export-${spec}`);
  rmSync(file, { force: true });
  execFileSync("rbd", [
    ...["-c", where.conf, "-p", where.name],
    ...["export", "--no-progress", spec, file],
  ]);
  return file;
}

const info = async (where: RbdPool, image: string) =>
  JSON.parse(await where.rbd("info", "--format", "json", image));
const snapshotsOf = async (where: RbdPool, image: string) => {
  const all = await where.rbd("snap", "ls", "--all", "--format", "json", image);
  return (JSON.parse(all) as { name: string }[]).map(({ name }) => name);
};
const images = async (where: RbdPool) => (await where.rbd("ls")).split("\n");

describe("the short way between two images of a cluster", () => {
  it("takes a snapshot's content to another pool, and to an image that stands alone", async () => {
    const [source, target] = [await newSource(), newName()];
    const way = await wayBetween(pool.ref(`${source}@then`), other.ref(target));
    expect(way?.method).toBe("rbd clone and flatten");
    expect(await images(other)).not.toContain(target);
    await go(pool.ref(`${source}@then`), other.ref(target));
    execFileSync("cmp", [content, exportTo(other, target)]);
    const made = await info(other, target);
    expect(made).toMatchObject({ size: SIZE });
    expect(made.parent).toBeUndefined();
    expect(made.op_features ?? []).not.toContain("clone-child");
    expect(await snapshotsOf(other, target)).toEqual([]);
    // The source's snapshot has no child left: it can be removed, and the image with it.
    await pool.rbd("snap", "rm", "--no-progress", `${source}@then`);
    expect(await snapshotsOf(pool, source)).toEqual([]);
    await pool.rbd("rm", "--no-progress", source);
    execFileSync("cmp", [content, exportTo(other, target)]);
  });

  it("takes what an image holds now, by a snapshot that is gone afterwards", async () => {
    const [source, target] = [await newSource(), newName()];
    await go(pool.ref(source), pool.ref(target));
    execFileSync("cmp", [exportTo(pool, source), exportTo(pool, target)]);
    expect(await snapshotsOf(pool, source)).toEqual(["then"]);
    expect(await snapshotsOf(pool, target)).toEqual([]);
    expect(state.files).toEqual([]);
  });

  it("takes all of an image that is a clone itself", async () => {
    const [base, source, target] = [await newSource(), newName(), newName()];
    const format = ["--rbd-default-clone-format", "2"];
    await pool.rbd("clone", ...format, `${base}@then`, `${pool.name}/${source}`);
    {
      await using volume = await openVolume(pool.ref(source), { mode: "write" });
      await volume.write(Buffer.alloc(MiB, 9), { position: 0 });
      await volume.zero(8 * MiB, 8 * MiB);
    }
    await go(pool.ref(source), other.ref(target));
    execFileSync("cmp", [exportTo(pool, source), exportTo(other, target)]);
    expect((await info(other, target)).parent).toBeUndefined();
  });

  it("keeps holes, and gives the image what is asked of it", async () => {
    const [source, target] = [await newSource(), newName()];
    const features = ["layering", "exclusive-lock"];
    const before = await other.allocated();
    await go(pool.ref(`${source}@then`), other.ref(target), { objectSize: MiB, features });
    const taken = (await other.allocated()) - before;
    expect(taken).toBeGreaterThanOrEqual(20 * MiB);
    expect(taken).toBeLessThan(22 * MiB);
    expect(await info(other, target)).toMatchObject({ object_size: MiB, features });
    execFileSync("cmp", [content, exportTo(other, target)]);
  });

  it("gives an image the layout of its source, where none is asked for, or its own", async () => {
    const layout = ["--object-size", "64K", "--stripe-unit", "16K", "--stripe-count", "3"];
    const [source, target, other] = [await newSource(...layout), newName(), newName()];
    await go(pool.ref(`${source}@then`), pool.ref(target));
    const striped = { object_size: 65536, stripe_unit: 16384, stripe_count: 3 };
    expect(await info(pool, target)).toMatchObject(striped);
    execFileSync("cmp", [content, exportTo(pool, target)]);
    await go(pool.ref(`${source}@then`), pool.ref(other), { objectSize: MiB });
    expect(await info(pool, other)).toMatchObject({ ...striped, object_size: MiB });
    execFileSync("cmp", [content, exportTo(pool, other)]);
  });

  it("overwrites nothing", async () => {
    const [source, target] = [await newSource(), newName()];
    const way = await wayBetween(pool.ref(`${source}@then`), pool.ref(target));
    await pool.rbd("create", "--size", "8M", target);
    const { id } = await info(pool, target);
    await expect(way?.run({})).rejects.toMatchObject({ code: "ERR_EXISTS" });
    expect(await info(pool, target)).toMatchObject({ id, size: 8 * MiB });
  });

  it.each(["then", undefined])(
    "stopped on its way, leaves nothing (snapshot: %s)",
    async (snap) => {
      const [source, target] = [await newSource(), newName()];
      const spec = snap === undefined ? source : `${source}@${snap}`;
      const before = AbortSignal.abort(new Error("enough"));
      const way = await wayBetween(pool.ref(spec), other.ref(target));
      await expect(way?.run({ signal: before })).rejects.toMatchObject({ code: "ERR_CANCELLED" });
      expect(await images(other)).not.toContain(target);
      // One object at a time: there is a middle to stop in.
      const slow = `${other.ref(target)}:rbd_concurrent_management_ops=1`;
      const stop = new AbortController();
      const slowWay = await wayBetween(pool.ref(spec), slow, { objectSize: 64 * 1024 });
      const run = slowWay?.run({
        signal: stop.signal,
        onProgress: (bytes) => {
          if (bytes > 0) stop.abort(new Error("enough"));
        },
      });
      await expect(run).rejects.toMatchObject({ code: "ERR_CANCELLED" });
      expect(stop.signal.aborted).toBe(true);
      expect(await images(other)).not.toContain(target);
      expect(await snapshotsOf(pool, source)).toEqual(["then"]);
      expect(state.files).toEqual([]);
    },
  );

  it("is none where a clone cannot be made, or would be another volume", async () => {
    const source = await newSource();
    const plain = newName();
    await pool.rbd("create", "--size", `${SIZE}B`, "--image-feature", "exclusive-lock", plain);
    const way = (from: string, options?: Partial<CreateOptions>) =>
      wayBetween(pool.ref(from), other.ref(newName()), options);
    expect(await way(source)).toBeDefined();
    expect(await way(plain)).toBeUndefined();
    expect(await way(source, { size: SIZE + 1 })).toBeUndefined();
    expect(await way(source, { provisioning: "thick" })).toBeUndefined();
    expect(await way(source, { features: ["exclusive-lock"] })).toBeUndefined();
    await expect(way("none")).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
  });

  it("is none for a client that may not see the source", async () => {
    const [keyring, id] = [workspace.path("keyring"), `short-${process.pid}`];
    const caps = ["mon", "profile rbd", "osd", `profile rbd pool=${other.name}`];
    writeFileSync(keyring, await other.ceph("auth", "get-or-create", `client.${id}`, ...caps));
    const target = `${other.ref(newName())}:id=${id}:keyring=${keyring}`;
    expect(await wayBetween(pool.ref(await newSource()), target)).toBeUndefined();
  });
});

describe("two clusters", () => {
  it("have no short way between them, though their images are called the same, and a long one", async () => {
    await using second = await SecondCeph.start();
    const there = await RbdPool.create(second.conf, "short");
    const [source, target] = [await newSource(), newName()];
    await there.rbd("create", "--size", `${SIZE}B`, source);
    expect(await wayBetween(pool.ref(source), there.ref(target))).toBeUndefined();
    const from = await openVolume(pool.ref(`${source}@then`));
    const create = { size: SIZE, exclusive: true };
    const to = await openVolume(there.ref(target), { mode: "write", create });
    await copyVolume(from, to);
    await Promise.all([from.close(), to.close()]);
    execFileSync("cmp", [content, exportTo(there, target)]);
  });
});
