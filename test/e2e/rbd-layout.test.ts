/** What a new image has of its source beside bytes, whichever way it was made, as Ceph's own tool shows it. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { truncateSync, writeFileSync } from "node:fs";
import { copyVolume, migrateVolume, openVolume } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { RbdPool } from "../support/rbd-pool.js";
import { StateDirectory } from "../support/state-directory.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 20 * MiB;
const workspace = new Workspace();
const state = new StateDirectory();
const content = workspace.path("content");
let pool: RbdPool;
let other: RbdPool;
let data: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "layout");
  other = await RbdPool.create(inject("cephConf"), "layout-other");
  data = await RbdPool.create(inject("cephConf"), "layout-data");
  writeFileSync(content, randomBytes(3 * MiB));
  truncateSync(content, SIZE);
});
afterAll(async () => {
  workspace[Symbol.dispose]();
  state[Symbol.dispose]();
  for (const each of [pool, other, data]) await each?.[Symbol.asyncDispose]();
});

/** Arguments: configuration, pool, image, names; each name's value is the name, forty times. */
const SET_META = `
import rados, rbd, sys
with rados.Rados(conffile=sys.argv[1]) as cluster, cluster.open_ioctx(sys.argv[2]) as pool:
    with rbd.Image(pool, sys.argv[3]) as image:
        for name in sys.argv[4:]:
            image.metadata_set(name, name * 40)
`;

const newName = () => {
  count += 1;
  return `image-${count}`;
};

/** An image unlike those that the cluster makes by itself, in each respect. */
async function newSource(...further: readonly string[]): Promise<string> {
  const image = newName();
  await pool.rbd(
    ...["import", "--no-progress", "--object-size", "1M"],
    ...["--stripe-unit", "64K", "--stripe-count", "4"],
    ...["--image-feature", "layering,striping,exclusive-lock"],
    ...further,
    ...[content, image],
  );
  await pool.rbd("image-meta", "set", image, "owner", "Müller & sons");
  await pool.rbd("image-meta", "set", image, "conf_rbd_readahead_max_bytes", "0");
  return image;
}

async function layoutOf(where: RbdPool, image: string) {
  const info = JSON.parse(await where.rbd("info", "--format", "json", image));
  const { object_size, stripe_unit, stripe_count, features, data_pool } = info;
  const meta = JSON.parse(await where.rbd("image-meta", "list", "--format", "json", image));
  return { object_size, stripe_unit, stripe_count, features: features.sort(), data_pool, meta };
}

async function expectAlike(source: string, where: RbdPool, image: string) {
  expect(await layoutOf(where, image)).toEqual(await layoutOf(pool, source));
  const exported = workspace.path(`${image}.export`);
  const from = ["-c", where.conf, "-p", where.name];
  execFileSync("rbd", [...from, "export", "--no-progress", image, exported]);
  execFileSync("cmp", [content, exported]);
}

describe("a new image that is made from another", () => {
  it("is laid out as that one after copy --create, in its pool and in another", async () => {
    const source = await newSource();
    for (const where of [pool, other]) {
      const target = newName();
      const args = ["copy", "--create", pool.ref(source), where.ref(target)];
      expect(await blockhaul(args)).toMatchObject({ status: 0, stderr: "" });
      await expectAlike(source, where, target);
    }
  });

  it.each(["copy", "auto"] as const)("is laid out so by a migration, method %s", async (method) => {
    const source = await newSource();
    const target = newName();
    const report = await migrateVolume(pool.ref(source), other.ref(target), {
      stateDirectory: state.folder,
      ...(method === "copy" ? { method } : {}),
    });
    expect(report.method).toBe(method === "copy" ? "copy" : "rbd clone and flatten");
    expect(report.notices.filter((text) => text.includes("not kept"))).toEqual([]);
    await expectAlike(source, other, target);
  });

  it("keeps a data pool within its pool, and says so where another pool was named", async () => {
    const source = await newSource("--data-pool", data.name);
    const [near, far] = [newName(), newName()];
    const there = await blockhaul(["copy", "--create", pool.ref(source), pool.ref(near)]);
    expect(there).toMatchObject({ status: 0, stderr: "" });
    await expectAlike(source, pool, near);
    const away = await blockhaul(["copy", "--create", pool.ref(source), other.ref(far)]);
    expect(away.status).toBe(0);
    expect(away.stderr).toContain(`not kept of the source: the data pool ${data.name}`);
    expect((await layoutOf(other, far)).data_pool).toBeUndefined();
    const report = await migrateVolume(pool.ref(source), other.ref(newName()), {
      stateDirectory: state.folder,
    });
    expect(report.method).toBe("rbd clone and flatten");
    expect(report.notices.join()).toContain(`the data pool ${data.name}`);
  });

  it("is as it was told, and like the source in all else", async () => {
    const source = await newSource();
    const target = newName();
    const told = ["--object-size", "2MiB", "--features", "layering,striping"];
    const args = ["copy", "--create", ...told, pool.ref(source), pool.ref(target)];
    expect((await blockhaul(args)).status).toBe(0);
    const layout = await layoutOf(pool, target);
    const wanted = { object_size: 2 * MiB, stripe_unit: 64 * 1024, stripe_count: 4 };
    expect(layout).toMatchObject({ ...wanted, features: ["layering", "striping"] });
    expect(layout.meta).toEqual((await layoutOf(pool, source)).meta);
  });

  it("says which stripes do not fit into the object size that it was told", async () => {
    const source = await newSource();
    const target = newName();
    const args = ["copy", "--create", "--object-size", "16KiB", pool.ref(source), pool.ref(target)];
    const { status, stderr } = await blockhaul(args);
    expect(status).toBe(0);
    expect(stderr).toContain("not kept of the source: the stripes of 64 KiB over 4 objects");
  });

  it("takes over as many names and values as there are", async () => {
    const source = newName();
    await pool.rbd("create", "--size", "1M", source);
    await using image = await openVolume(pool.ref(source));
    // More than are asked for at once, and more bytes than there is memory for at first.
    const names = Array.from({ length: 70 }, (_, index) => `key-${1000 + index}`);
    // By one client: of several at once, Debian's rbd aborts now and then.
    execFileSync("/usr/bin/python3", ["-c", SET_META, pool.conf, pool.name, source, ...names]);
    const target = newName();
    const create = { size: image.size, like: pool.ref(source) };
    await using made = await openVolume(pool.ref(target), { mode: "write", create });
    await copyVolume(image, made, { journal: false });
    const { meta } = await layoutOf(pool, target);
    expect(Object.keys(meta)).toHaveLength(70);
    expect(meta).toEqual((await layoutOf(pool, source)).meta);
  });
});
