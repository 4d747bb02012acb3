/** The control path of rbd on a real cluster: judged by Ceph's own tools. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import {
  backendStats,
  createSnapshot,
  createVolume,
  deleteSnapshot,
  deleteVolume,
  listSnapshots,
  listVolumes,
  openVolume,
  registerBackend,
  renameVolume,
  resizeVolume,
} from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { rbdDriver } from "../../src/drivers/rbd.js";
import { Holder } from "../support/mounted.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
let pool: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "control");
});
afterAll(async () => {
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

const code = (name: string, message: RegExp = /./) =>
  expect.objectContaining({ code: name, message: expect.stringMatching(message) });

/** A backend of this pool, or of a namespace of it. */
async function newBackend(settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
  count += 1;
  const { name, conf } = pool;
  const all = { driver: "rbd", pool: name, conf, ...settings };
  return (await registerBackend(`control-${count}`, all)).name;
}

async function newImage(size = 8 * MiB, ...options: readonly string[]): Promise<string> {
  count += 1;
  const image = `image-${count}`;
  await pool.rbd("create", "--size", `${size}B`, ...options, image);
  return image;
}

async function write(ref: string, position: number, length: number, byte = 0x5a): Promise<void> {
  await using volume = await openVolume(ref, { mode: "write" });
  await volume.write(Buffer.alloc(length, byte), { position });
}

const lines = (text: string) => text.split("\n").filter((line) => line !== "");
const imagesOf = async (...where: readonly string[]) => lines(await pool.rbd("ls", ...where));
const info = async (image: string) => JSON.parse(await pool.rbd("info", "--format", "json", image));

interface Snap {
  readonly name: string;
  readonly size: number;
}
const snapshotsOf = async (image: string): Promise<Snap[]> =>
  JSON.parse(await pool.rbd("snap", "ls", "--format", "json", image));

function exported(image: string): Buffer {
  const args = ["-c", pool.conf, "-p", pool.name, "export", "--no-progress", image, "-"];
  return execFileSync("rbd", args, { maxBuffer: 100 * MiB });
}

describe("the images of a place", () => {
  it("are listed by name and size, those of a namespace and of its pool apart", async () => {
    await pool.rbd("namespace", "create", "--namespace", "listed");
    const sizes = [3, 1, 2].map((size) => size * MiB);
    for (const [index, size] of sizes.entries()) {
      const args = ["--namespace", "listed", "--size", `${size}B`, `disk-${2 - index}`];
      await pool.rbd("create", ...args);
    }
    await pool.rbd("snap", "create", "--no-progress", "--namespace", "listed", "disk-0@a");
    const backend = await newBackend({ namespace: "listed" });
    expect(await listVolumes(backend)).toEqual([
      { name: "disk-0", size: 2 * MiB, ref: `${backend}:disk-0` },
      { name: "disk-1", size: MiB, ref: `${backend}:disk-1` },
      { name: "disk-2", size: 3 * MiB, ref: `${backend}:disk-2` },
    ]);
    const image = await newImage(5 * MiB);
    const names = (await listVolumes(await newBackend())).map(({ name }) => name);
    expect(names).toEqual((await imagesOf()).sort());
    expect(names).toContain(image);
    expect(names).not.toContain("disk-0");
  });

  it("are more than fit into librbd's first answer", async () => {
    await pool.rbd("namespace", "create", "--namespace", "many");
    const backend = await newBackend({ namespace: "many" });
    const names = Array.from({ length: 300 }, (_, index) => `n${String(index).padStart(3, "0")}`);
    for (let from = 0; from < names.length; from += 20) {
      const some = names.slice(from, from + 20);
      await Promise.all(some.map((name) => createVolume(`${backend}:${name}`, { size: MiB })));
    }
    expect((await listVolumes(backend)).map(({ name }) => name)).toEqual(names);
  });

  it("are none of a pool or a namespace that does not exist", async () => {
    await expect(listVolumes(await newBackend({ pool: "nowhere" }))).rejects.toEqual(
      code("ERR_NOT_FOUND", /pool "nowhere" does not exist/),
    );
    await expect(listVolumes(await newBackend({ namespace: "nowhere" }))).rejects.toEqual(
      code("ERR_NOT_FOUND", /namespace "nowhere" of pool .* does not exist/),
    );
  });

  it("are made there as the place says", async () => {
    const backend = await newBackend({
      objectSize: "1MiB",
      features: ["layering", "exclusive-lock"],
      stripeUnit: 65536,
      stripeCount: 4,
    });
    expect(await createVolume(`${backend}:made`, { size: 12 * MiB + 1 })).toBe(12 * MiB + 1);
    expect(await info("made")).toMatchObject({
      size: 12 * MiB + 1,
      object_size: MiB,
      stripe_unit: 65536,
      stripe_count: 4,
      features: expect.not.arrayContaining(["object-map"]),
    });
  });

  it("are opened at a snapshot, too", async () => {
    const [backend, image] = [await newBackend(), await newImage()];
    await createSnapshot(`${backend}:${image}`, { name: "then" });
    await write(`${backend}:${image}`, 0, 4096);
    await using volume = await openVolume(`${backend}:${image}@then`);
    const buffer = Buffer.alloc(4096, 1);
    await volume.read(buffer, { position: 0 });
    expect(buffer.equals(Buffer.alloc(4096))).toBe(true);
  });

  it("are seen by a user who may, and the refusal says where to look", async () => {
    const [keyring, id] = [workspace.path("keyring"), `control-${process.pid}`];
    const caps = ["mon", "profile rbd", "osd", "profile rbd pool=another"];
    const created = await pool.ceph("auth", "get-or-create", `client.${id}`, ...caps);
    writeFileSync(keyring, created);
    const backend = await newBackend({ id, keyring });
    await expect(listVolumes(backend)).rejects.toMatchObject({
      code: "ERR_PERMISSION",
      hint: `\`ceph auth get client.${id}\` shows what its capabilities allow`,
    });
  });
});

describe("the room of a place", () => {
  interface Usage {
    readonly name: string;
    readonly stats: { readonly stored: number; readonly max_avail: number };
  }
  const usage = async (name: string) => {
    const { pools } = JSON.parse(await pool.ceph("df", "detail", "--format", "json"));
    return (pools as Usage[]).find((one) => one.name === name)?.stats;
  };

  it("is what the cluster can still take of it, or of its data pool", async () => {
    await using data = await RbdPool.create(pool.conf, "control-data");
    const found = await backendStats(await newBackend());
    const now = await usage(pool.name);
    expect(found.granularity).toBe(1);
    expect(found.free / (now?.max_avail ?? 0)).toBeCloseTo(1, 2);
    expect(found.capacity).toBeGreaterThanOrEqual(found.free);
    await pool.ceph("osd", "pool", "set-quota", data.name, "max_bytes", `${64 * MiB}`);
    expect(await backendStats(await newBackend({ dataPool: data.name }))).toEqual({
      capacity: 64 * MiB,
      free: 64 * MiB,
      granularity: 1,
      room: expect.stringContaining(data.name),
    });
    await expect(backendStats(await newBackend({ dataPool: "nowhere" }))).rejects.toEqual(
      code("ERR_NOT_FOUND", /pool "nowhere" does not exist/),
    );
  });
});

describe("an image is deleted", () => {
  it("for good, and once", async () => {
    const [image, other] = [await newImage(), await newImage()];
    await write(pool.ref(image), 0, MiB);
    await deleteVolume(pool.ref(image));
    expect(await imagesOf()).not.toContain(image);
    expect(await imagesOf()).toContain(other);
    await expect(deleteVolume(pool.ref(image))).rejects.toEqual(
      code("ERR_NOT_FOUND", new RegExp(`image "${image}" does not exist`)),
    );
  });

  it("not while it has snapshots, which are named", async () => {
    const image = await newImage();
    for (const name of ["first", "second"]) await createSnapshot(pool.ref(image), { name });
    await expect(deleteVolume(pool.ref(image))).rejects.toEqual(
      code("ERR_IN_USE", /it has snapshots, which would go with it: "first", "second"$/),
    );
    expect((await snapshotsOf(image)).map(({ name }) => name)).toEqual(["first", "second"]);
  });

  it("not while a clone needs a snapshot that was removed", async () => {
    const image = await newImage();
    await createSnapshot(pool.ref(image), { name: "base" });
    const clone = ["--rbd-default-clone-format", "2"];
    await pool.rbd("clone", ...clone, `${image}@base`, `${pool.name}/${image}-clone`);
    await deleteSnapshot(`${pool.ref(image).replace(":conf", "@base:conf")}`);
    expect(await listSnapshots(pool.ref(image))).toEqual([]);
    await expect(deleteVolume(pool.ref(image))).rejects.toEqual(
      code("ERR_IN_USE", /it has 1 snapshots that a clone, a group or a mirror still needs/),
    );
    await deleteVolume(pool.ref(`${image}-clone`));
    await deleteVolume(pool.ref(image));
  });

  it("not while another client has it open for writing, whose address is named", async () => {
    const image = await newImage();
    const holder = await Holder.ofVolume(pool.ref(image), "write");
    try {
      await expect(deleteVolume(pool.ref(image))).rejects.toEqual(
        code("ERR_IN_USE", /it is open for writing by client\.\d+ at 127\.0\.0\.1:\d+\/\d+$/),
      );
    } finally {
      await holder[Symbol.asyncDispose]();
    }
    expect(await imagesOf()).toContain(image);
  });

  it("not by the name of a snapshot", async () => {
    const image = await newImage();
    const snapshot = await createSnapshot(pool.ref(image));
    await expect(deleteVolume(snapshot)).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
    expect(await imagesOf()).toContain(image);
  });
});

describe("an image is renamed", () => {
  it("with its bytes and snapshots, and stays the same volume", async () => {
    const image = await newImage();
    await write(pool.ref(image), 12_345, 1000);
    await createSnapshot(pool.ref(image), { name: "kept" });
    const { id } = await info(image);
    const before = exported(image);
    const renamed = await renameVolume(pool.ref(image), `${image}.blockhaul-1`);
    expect(rbdDriver.parseRef(renamed)).toEqual(
      rbdDriver.parseRef(pool.ref(`${image}.blockhaul-1`)),
    );
    expect(await imagesOf()).not.toContain(image);
    expect((await info(`${image}.blockhaul-1`)).id).toBe(id);
    expect(exported(`${image}.blockhaul-1`).equals(before)).toBe(true);
    expect(await snapshotsOf(`${image}.blockhaul-1`)).toHaveLength(1);
  });

  it("to no name that another has, or that Ceph's tools could not say", async () => {
    const [image, other] = [await newImage(), await newImage()];
    const { id } = await info(other);
    await expect(renameVolume(pool.ref(image), other)).rejects.toEqual(
      code("ERR_EXISTS", new RegExp(`"${other}" exists already`)),
    );
    expect((await info(other)).id).toBe(id);
    for (const name of ["", "a/b", "a@b"]) {
      await expect(renameVolume(pool.ref(image), name)).rejects.toEqual(code("ERR_INVALID_REF"));
    }
    await expect(renameVolume(pool.ref("none"), "some")).rejects.toEqual(code("ERR_NOT_FOUND"));
  });
});

describe("an image is made larger", () => {
  it("with zeros behind what it held, and never smaller", async () => {
    const image = await newImage(8 * MiB);
    await write(pool.ref(image), 0, 8 * MiB);
    await resizeVolume(pool.ref(image), 9 * MiB + 5);
    const held = Buffer.concat([Buffer.alloc(8 * MiB, 0x5a), Buffer.alloc(MiB + 5)]);
    expect(exported(image).equals(held)).toBe(true);
    await expect(resizeVolume(pool.ref(image), 8 * MiB)).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /it has 9437189 bytes, and what lies behind 8388608 would/),
    );
    await resizeVolume(pool.ref(image), 9 * MiB + 5);
    expect((await info(image)).size).toBe(9 * MiB + 5);
    await expect(resizeVolume(pool.ref("none"), MiB)).rejects.toEqual(code("ERR_NOT_FOUND"));
  });
});

describe("snapshots", () => {
  it("are taken by name or by one that nobody has, and listed from the oldest on", async () => {
    const image = await newImage(8 * MiB);
    const named = await createSnapshot(pool.ref(image), { name: "z first" });
    await resizeVolume(pool.ref(image), 16 * MiB);
    const unnamed = await createSnapshot(pool.ref(image));
    await createSnapshot(pool.ref(image), { name: "a last" });
    const listed = await listSnapshots(pool.ref(image));
    expect(listed.map(({ name, size }) => ({ name, size }))).toEqual([
      { name: "z first", size: 8 * MiB },
      { name: expect.stringMatching(/^blockhaul-snap-[0-9a-f]{12}$/), size: 16 * MiB },
      { name: "a last", size: 16 * MiB },
    ]);
    expect(listed.slice(0, 2).map(({ ref }) => ref)).toEqual([named, unnamed]);
    expect((await snapshotsOf(image)).map(({ name }) => name)).toEqual(
      listed.map(({ name }) => name),
    );
    await expect(createSnapshot(pool.ref(image), { name: "a last" })).rejects.toEqual(
      code("ERR_EXISTS", /snapshot "a last" exists already/),
    );
    await deleteSnapshot(named);
    await expect(deleteSnapshot(named)).rejects.toEqual(code("ERR_NOT_FOUND", /"z first" does/));
    expect(await snapshotsOf(image)).toHaveLength(2);
  });

  it("are taken while another client has the image open, and holds its lock", async () => {
    const image = await newImage();
    await using _ = await Holder.ofVolume(pool.ref(image), "write");
    await createSnapshot(pool.ref(image), { name: "beside" });
    expect(await snapshotsOf(image)).toMatchObject([{ name: "beside" }]);
  });

  it("are no images, and images no snapshots", async () => {
    const image = await newImage();
    const snapshot = await createSnapshot(pool.ref(image));
    await expect(deleteSnapshot(pool.ref(image))).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
    await expect(createSnapshot(snapshot)).rejects.toEqual(code("ERR_UNSUPPORTED"));
    for (const name of ["", "a/b", "a@b"]) {
      await expect(createSnapshot(pool.ref(image), { name })).rejects.toEqual(
        code("ERR_INVALID_ARGUMENT"),
      );
    }
    await expect(createSnapshot(pool.ref("none"))).rejects.toEqual(code("ERR_NOT_FOUND"));
    expect(await snapshotsOf(image)).toHaveLength(1);
  });

  it("that are protected stay, and the reason is said", async () => {
    const image = await newImage();
    const snapshot = await createSnapshot(pool.ref(image), { name: "base" });
    await pool.rbd("snap", "protect", `${image}@base`);
    await expect(deleteSnapshot(snapshot)).rejects.toEqual(
      code("ERR_IN_USE", /snapshot "base" is protected/),
    );
    expect(await snapshotsOf(image)).toHaveLength(1);
  });
});

describe("what has changed since a snapshot", () => {
  interface Diff {
    readonly offset: number;
    readonly length: number;
    readonly exists: boolean | string;
  }

  /** Each block of 4 KiB that an extent touches, with what is there. */
  function blocksOf(extents: readonly { offset: number; length: number; kind: string }[]) {
    const blocks = new Map<number, string>();
    for (const { offset, length, kind } of extents) {
      const last = Math.floor((offset + length - 1) / 4096);
      for (let block = Math.floor(offset / 4096); block <= last; block += 1) {
        blocks.set(block, kind);
      }
    }
    return blocks;
  }

  async function compareWithTool(image: string, from: string, to?: string) {
    const spec = to === undefined ? image : `${image}@${to}`;
    const args = ["diff", "--from-snap", from, "--format", "json", spec];
    const told: Diff[] = JSON.parse(await pool.rbd(...args));
    const location = rbdDriver.parseRef(pool.ref(spec));
    const found = (await rbdDriver.changedExtents?.(location, from)) ?? [];
    const expected = told.map(({ exists, ...range }) => ({
      ...range,
      kind: String(exists) === "true" ? "data" : "hole",
    }));
    expect(blocksOf(found)).toEqual(blocksOf(expected));
    for (const [index, { offset }] of found.entries()) {
      const before = found[index - 1];
      expect(offset).toBeGreaterThanOrEqual((before?.offset ?? 0) + (before?.length ?? 0));
    }
    return found;
  }

  it.each([
    ["as usual", []],
    ["in stripes", ["--object-size", "64K", "--stripe-unit", "16K", "--stripe-count", "3"]],
    ["without an object map", ["--image-feature", "layering"]],
  ])("is what rbd's own tool says, of an image %s", async (_, options) => {
    const image = await newImage(40 * MiB + 512, ...options);
    const ref = pool.ref(image);
    await write(ref, 0, 9 * MiB);
    await createSnapshot(ref, { name: "one" });
    expect(await compareWithTool(image, "one")).toEqual([]);
    await write(ref, 1_000_000, 100_000, 1);
    await write(ref, 40 * MiB, 512, 2);
    {
      await using volume = await openVolume(ref, { mode: "write" });
      await volume.zero(4 * MiB, 4 * MiB);
    }
    await createSnapshot(ref, { name: "two" });
    await write(ref, 20 * MiB, 1, 3);
    const between = await compareWithTool(image, "one", "two");
    expect(between.map(({ kind }) => kind)).toContain("hole");
    expect(await compareWithTool(image, "two")).not.toEqual([]);
    await compareWithTool(image, "one");
  });

  it("is not believed of an object map that is wrong", async () => {
    const image = await newImage();
    await createSnapshot(pool.ref(image), { name: "one" });
    await write(pool.ref(image), 0, 4096);
    const { id } = await info(image);
    // The map of an image without objects.
    const map = `rbd_object_map.${id}`;
    const file = workspace.path("map");
    await pool.rbd("create", "--size", "8M", "empty");
    const empty = (await info("empty")).id;
    const rados = (...args: string[]) =>
      execFileSync("rados", ["-c", pool.conf, "-p", pool.name, ...args]);
    rados("get", `rbd_object_map.${empty}`, file);
    rados("put", map, file);
    const location = rbdDriver.parseRef(pool.ref(image));
    expect(await rbdDriver.changedExtents?.(location, "one")).toMatchObject([{ offset: 0 }]);
  });

  it("is asked of a snapshot that is there, and earlier", async () => {
    const image = await newImage();
    for (const name of ["one", "two"]) await createSnapshot(pool.ref(image), { name });
    const at = (spec: string) => rbdDriver.parseRef(pool.ref(spec));
    await expect(rbdDriver.changedExtents?.(at(image), "none")).rejects.toEqual(
      code("ERR_NOT_FOUND", /snapshot "none" does not exist/),
    );
    await expect(rbdDriver.changedExtents?.(at(`${image}@one`), "two")).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /"two" is not the earlier one/),
    );
  });
});
