// @guest memory=512 disks=192 limit=1500
// Logical volumes listed, resized, renamed, and copied within their thin pool; judged by lvs and cmp.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

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
  resolveRef,
} from "blockhaul";

import { exec, must, scratch } from "../../support/guest/exec.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const KiB = 1024;
const MiB = 1024 * KiB;
const extent = 64 * KiB;

/** @type {VolumeGroup} */
let group;
/** @type {import("blockhaul").Backend} */
let thin;

before(async () => {
  group = await VolumeGroup.create("vg-test", ["/dev/ubda"]);
  await must("vgchange", ["-s", "64k", group.name]);
  await group.addThinPool("pool", "64m");
  await group.addThinPool("other", "32m");
  thin = await registerBackend("thin", { driver: "lvm", vg: group.name, thin: "pool" });
  await registerBackend("thick", { driver: "lvm", vg: group.name });
});

after(async () => {
  await group.remove();
  assert.deepEqual((await leftovers()).dmDevices, []);
});

/**
 * @param {string} fields
 * @param {string} name
 */
async function field(fields, name) {
  const units = ["--noheadings", "--units", "b", "--nosuffix", "--binary"];
  return (await must("lvs", [...units, "-o", fields, `${group.name}/${name}`])).trim();
}

/**
 * Makes a volume by LVM alone, in one command: each takes its time here.
 *
 * @param {string} name
 * @param {number} size
 * @param {string} [pool] of a thin one
 */
async function make(name, size, pool) {
  if (pool === undefined) await group.addVolume(name, `${size}b`);
  else await group.addThinVolume(name, pool, `${size}b`);
}

/** @param {string[]} names */
async function drop(...names) {
  await must("lvremove", ["--yes", ...names.map((name) => `${group.name}/${name}`)]);
}

/** @param {string} name @param {Buffer} content */
function write(name, content) {
  const device = openSync(group.device(name), "r+");
  writeSync(device, content, 0, content.length, 0);
  fsyncSync(device);
  closeSync(device);
}

/**
 * Compares a volume's device with bytes, by a program that knows nothing of blockhaul.
 *
 * @param {string} name
 * @param {Buffer} content
 */
async function holds(name, content) {
  writeFileSync(`${scratch}/expected`, content);
  await must("cmp", ["-n", `${content.length}`, `${scratch}/expected`, group.device(name)]);
}

/** @param {string} name */
async function isThere(name) {
  return (await exec("lvs", [`${group.name}/${name}`])).status === 0;
}

/** @param {string} code @param {RegExp} [message] */
const failing = (code, message) => (/** @type {unknown} */ error) => {
  assert.equal(/** @type {{ code?: string }} */ (error).code, code, String(error));
  if (message !== undefined) assert.match(String(error), message);
  return true;
};

describe("a place", () => {
  it("makes thin volumes where it names a pool, and thick ones where they are asked for", async () => {
    await createVolume("thin:a", { size: MiB });
    await createVolume("thin:b", { size: MiB, provisioning: "thick" });
    await createVolume("thick:c", { size: MiB });
    await createVolume("thick:d", { size: MiB, provisioning: "thin", thinPool: "pool" });
    assert.equal(await field("pool_lv", "a"), "pool");
    assert.equal(await field("lv_layout", "b"), "linear");
    assert.equal(await field("lv_layout", "c"), "linear");
    assert.equal(await field("pool_lv", "d"), "pool");
    const unpooled = createVolume("thick:e", { size: MiB, provisioning: "thin" });
    await assert.rejects(unpooled, failing("ERR_INVALID_ARGUMENT", /thin pool/));
    const both = createVolume("thin:e", { size: MiB, provisioning: "thick", thinPool: "pool" });
    await assert.rejects(both, failing("ERR_INVALID_ARGUMENT", /thick/));
    assert.equal(await isThere("e"), false);
  });

  it("lists them, and neither pools nor snapshots", async () => {
    write("a", randomBytes(MiB / 2));
    const snapshots = [await createSnapshot("thin:a"), await createSnapshot("thick:c")];
    // In two pieces, which a report lists as two.
    await must("lvextend", ["-l", "+1", `${group.name}/b`]);
    const listed = await listVolumes("thin");
    assert.deepEqual(listed, [
      { name: "a", size: MiB, allocated: MiB / 2, ref: "thin:a" },
      { name: "b", size: MiB + extent, ref: "thin:b" },
      { name: "c", size: MiB, ref: "thin:c" },
      { name: "d", size: MiB, allocated: 0, ref: "thin:d" },
    ]);
    for (const snapshot of snapshots) await deleteSnapshot(snapshot);
  });

  it("knows the room of its pool, or of its group", async () => {
    const pool = await backendStats("thin");
    assert.equal(pool.capacity, 64 * MiB);
    assert.equal(pool.granularity, extent);
    write("d", randomBytes(MiB));
    const fuller = await backendStats("thin");
    // In hundredths of a percent.
    assert.ok(Math.abs(pool.free - fuller.free - MiB) < 64 * MiB * 0.0002, `${fuller.free}`);
    const sizes = await must("vgs", [
      ...["--noheadings", "--units", "b", "--nosuffix", "-o", "vg_size,vg_free", group.name],
    ]);
    const [capacity, free] = sizes.trim().split(/\s+/).map(Number);
    const room = `lvm ${group.name}`;
    assert.deepEqual(await backendStats("thick"), { capacity, free, granularity: extent, room });
    await registerBackend("none", { driver: "lvm", vg: "vg-none" });
    await registerBackend("no-pool", { driver: "lvm", vg: group.name, thin: "c" });
    await assert.rejects(backendStats("none"), failing("ERR_NOT_FOUND"));
    await assert.rejects(listVolumes("none"), failing("ERR_NOT_FOUND"));
    await assert.rejects(backendStats("no-pool"), failing("ERR_INVALID_ARGUMENT"));
  });

  it("is not named by what LVM takes for no name", async () => {
    for (const settings of [
      { vg: "-x" },
      { vg: "a/b" },
      { vg: "a", thin: "x_tdata" },
      { pool: "a" },
    ]) {
      const made = registerBackend("wrong", { driver: "lvm", ...settings });
      await assert.rejects(made, failing("ERR_INVALID_ARGUMENT"));
    }
    for (const name of ["-x", "a/b", "..", "snapshot1"]) {
      await assert.rejects(resolveRef(`thin:${name}`), failing("ERR_INVALID_REF"));
    }
  });

  after(async () => {
    await drop("a", "b", "c", "d");
  });
});

describe("a resize", () => {
  it("zeroes what a thick volume gets, also of an inactive one", async () => {
    await make("dirt", 16 * MiB);
    write("dirt", Buffer.alloc(16 * MiB, 0xee));
    await drop("dirt");
    await make("grows", MiB);
    await must("lvextend", ["-L", "8m", `${group.name}/grows`]);
    // What LVM alone gives: else this test shows nothing.
    assert.ok(contentOf("grows", MiB, 7 * MiB).includes(0xee), "old data is to be seen");
    await drop("grows");
    const content = randomBytes(MiB);
    await make("grows", MiB);
    write("grows", content);
    await resizeVolume("thick:grows", 4 * MiB + 1);
    assert.equal(await field("lv_size", "grows"), String(4 * MiB + extent));
    await must("lvchange", ["-an", `${group.name}/grows`]);
    await resizeVolume("thick:grows", 8 * MiB);
    assert.equal(await field("lv_active_locally", "grows"), "0");
    await must("lvchange", ["-ay", `${group.name}/grows`]);
    await holds("grows", Buffer.concat([content, Buffer.alloc(7 * MiB)]));
    await drop("grows");
  });

  it("makes thin volumes larger while they are open, and thick ones not", async () => {
    for (const pool of ["pool", undefined]) {
      await make("open", MiB, pool);
      const held = openSync(group.device("open"), "r");
      const resizing = resizeVolume("thick:open", 2 * MiB);
      if (pool === undefined) await assert.rejects(resizing, failing("ERR_IN_USE"));
      else await resizing;
      closeSync(held);
      assert.equal(await field("lv_size", "open"), String(pool === undefined ? MiB : 2 * MiB));
      await drop("open");
    }
  });

  it("is refused of less, without room, of snapshots and of what has them", async () => {
    await make("e", 2 * MiB);
    await assert.rejects(resizeVolume("thick:e", MiB), failing("ERR_INVALID_ARGUMENT"));
    await resizeVolume("thick:e", 2 * MiB - 1);
    await assert.rejects(resizeVolume("thick:e", 500 * MiB), failing("ERR_NO_SPACE"));
    await group.addSnapshot("of-e", "e", "1m");
    await assert.rejects(resizeVolume("thick:e", 3 * MiB), failing("ERR_IN_USE", /has snapshots/));
    await assert.rejects(resizeVolume("thick:of-e", 3 * MiB), failing("ERR_UNSUPPORTED"));
    await assert.rejects(resizeVolume("thick:pool", 99 * MiB), failing("ERR_NOT_A_VOLUME"));
    assert.equal(await field("lv_size", "e"), String(2 * MiB));
    await drop("of-e", "e");
  });
});

describe("a rename", () => {
  it("gives a volume another name, and leaves what has it", async () => {
    const content = randomBytes(MiB);
    await make("from", MiB, "pool");
    write("from", content);
    const uuid = await field("lv_uuid", "from");
    await assert.rejects(renameVolume("thin:from", "pool"), failing("ERR_EXISTS"));
    await assert.rejects(renameVolume("thin:from", "--yes"), failing("ERR_INVALID_ARGUMENT"));
    await assert.rejects(renameVolume("thin:nope", "to"), failing("ERR_NOT_FOUND"));
    await assert.rejects(renameVolume("thin:pool", "to"), failing("ERR_NOT_A_VOLUME"));
    assert.equal(await renameVolume("thin:from", "from"), "thin:from");
    assert.equal(await renameVolume("thin:from", "to-1"), "thin:to-1");
    assert.equal(await isThere("from"), false);
    assert.equal(await field("lv_uuid", "to-1"), uuid);
    await holds("to-1", content);
    await drop("to-1");
  });

  it("waits until a volume that was activated to be opened is closed", async () => {
    await make("idle", MiB);
    await must("lvchange", ["-an", `${group.name}/idle`]);
    const volume = await openVolume("thick:idle");
    await assert.rejects(renameVolume("thick:idle", "busy"), failing("ERR_IN_USE"));
    await volume.close();
    assert.equal(await field("lv_active_locally", "idle"), "0");
    await renameVolume("thick:idle", "busy");
    await drop("busy");
  });
});

describe("snapshots", () => {
  it("of a thin volume are listed, the oldest first, without those of others", async () => {
    for (const name of ["a", "b"]) await make(name, MiB, "pool");
    // Within a second or two, and against the order of their names.
    for (const name of ["s3", "s2", "s1"]) await group.addSnapshot(name, "a");
    await group.addSnapshot("of-b", "b");
    await group.addSnapshot("of-s2", "s2");
    assert.deepEqual(
      (await listSnapshots("lvm:vg-test/a")).map(({ name, ref, size }) => [name, ref, size]),
      ["s3", "s2", "s1"].map((name) => [name, `lvm:vg-test/${name}`, MiB]),
    );
    await assert.rejects(listSnapshots("thin:nope"), failing("ERR_NOT_FOUND"));
    await drop("of-s2", "of-b", "s1", "s2", "s3", "a", "b");
  });
});

describe("the short way", () => {
  const content = randomBytes(8 * MiB);

  /** @param {string} source @param {string} target @param {Record<string, unknown>} [more] */
  async function wayBetween(source, target, more = {}) {
    const [from, to] = [await resolveRef(source), await resolveRef(target)];
    const options = { size: 8 * MiB, ...thin.createOptions(undefined), ...more };
    return from.driver.shortWay?.(from.location, to.location, options);
  }

  beforeEach(async () => {
    await make("source", 8 * MiB, "pool");
    write("source", content);
  });

  afterEach(async () => {
    const shown = ["--noheadings", "-o", "lv_name", "-S", "lv_role=public"];
    const names = await must("lvs", [...shown, group.name]);
    const left = names.split(/\s+/).filter((name) => name !== "");
    if (left.length > 0) await drop(...left);
  });

  it("makes a thin volume of a thin one, which takes no space and is a volume on its own", async () => {
    const way = await wayBetween("thin:source", "thin:copy");
    assert.equal(way?.method, "thin snapshot");
    assert.equal(await isThere("copy"), false);
    const before = await field("data_percent", "pool");
    await way?.run({});
    assert.equal(await field("data_percent", "pool"), before);
    await holds("copy", content);
    // LVM takes it for a snapshot until its origin is gone; else the mark would be for nothing.
    assert.match(await field("lv_role", "copy"), /snapshot/);

    await assert.rejects(deleteSnapshot("thin:copy"), failing("ERR_INVALID_ARGUMENT"));
    assert.deepEqual(await listSnapshots("thin:source"), []);
    const names = (await listVolumes("thin")).map(({ name }) => name);
    assert.deepEqual(names, ["copy", "source"]);

    write("copy", Buffer.alloc(MiB, 0x11));
    await holds("source", content);
    await renameVolume("thin:copy", "kept");
    await group.addSnapshot("of-kept", "kept");
    assert.deepEqual(
      (await listSnapshots("thin:kept")).map(({ name }) => name),
      ["of-kept"],
    );
    await deleteSnapshot("thin:of-kept");

    await deleteVolume("thin:source");
    await assert.rejects(deleteSnapshot("thin:kept"), failing("ERR_INVALID_ARGUMENT"));
    await holds("kept", Buffer.concat([Buffer.alloc(MiB, 0x11), content.subarray(MiB)]));
    await resizeVolume("thin:kept", 9 * MiB);
  });

  it("goes from a snapshot, too, and outlives it", async () => {
    const snapshot = await createSnapshot("thin:source", { name: "frozen" });
    write("source", Buffer.alloc(MiB, 0x22));
    await (await wayBetween(snapshot, "thin:copy"))?.run({});
    await deleteSnapshot(snapshot);
    await holds("copy", content);
  });

  it("is none to other pools, to thick ones, nor of another size", async () => {
    await make("plain", 8 * MiB);
    for (const more of [
      { thinPool: "other" },
      { thinPool: undefined },
      { provisioning: "thick" },
      { size: 9 * MiB },
    ]) {
      assert.equal(await wayBetween("thin:source", "thin:copy", more), undefined);
    }
    assert.equal(await wayBetween("thick:plain", "thin:copy"), undefined);
    assert.equal(await wayBetween("thin:nope", "thin:copy"), undefined);
    assert.equal(await wayBetween("thin:source", "lvm:vg-other/copy"), undefined);
  });

  it("overwrites nothing, and leaves nothing when it is stopped or its source is another", async () => {
    const way = await wayBetween("thin:source", "thin:copy");
    const stop = new AbortController();
    const stopped = way?.run({ signal: stop.signal });
    stop.abort(new Error("enough"));
    await assert.rejects(stopped ?? Promise.resolve(), failing("ERR_CANCELLED"));
    assert.equal(await isThere("copy"), false);

    await make("copy", MiB, "pool");
    write("copy", content.subarray(0, MiB));
    await assert.rejects(way?.run({}) ?? Promise.resolve(), failing("ERR_EXISTS"));
    await holds("copy", content.subarray(0, MiB));

    await drop("copy", "source");
    await make("source", 8 * MiB, "pool");
    await assert.rejects(way?.run({}) ?? Promise.resolve(), failing("ERR_NOT_FOUND"));
    assert.equal(await isThere("copy"), false);
  });
});

describe("an exclusive open", () => {
  it("is refused while somebody else has claimed the volume, who is named, and claims it", async () => {
    await make("fs", 8 * MiB);
    const device = group.device("fs");
    await must("mkfs.ext4", ["-q", device]);
    await must("mkdir", ["-p", `${scratch}/mnt`]);
    await must("mount", [device, `${scratch}/mnt`]);
    for (const ref of ["thick:fs", `block:${device}`]) {
      const open = openVolume(ref, { exclusive: true });
      await assert.rejects(open, failing("ERR_IN_USE", /mounted on .*\/mnt/));
      await (await openVolume(ref)).close();
    }
    await must("umount", [`${scratch}/mnt`]);
    for (const ref of ["thick:fs", `block:${device}`]) {
      const volume = await openVolume(ref, { exclusive: true });
      const mounting = await exec("mount", [device, `${scratch}/mnt`]);
      await volume.close();
      assert.notEqual(mounting.status, 0, "nobody mounts it meanwhile");
    }
    await drop("fs");
  });
});

/**
 * @param {string} name
 * @param {number} position
 * @param {number} length
 */
function contentOf(name, position, length) {
  const bytes = Buffer.alloc(length);
  const device = openSync(group.device(name), "r");
  readSync(device, bytes, 0, length, position);
  closeSync(device);
  return bytes;
}
