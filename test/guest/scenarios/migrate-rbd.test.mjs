// @guest memory=2048 disks=256 limit=1800
// `blockhaul migrate` of a file system with real files from LVM, thin and thick, to Ceph RBD and back, and of an image
// with its snapshots to thin LVM: judged by cmp, e2fsck, rbd and lvs.

import assert from "node:assert/strict";
import { after, afterEach, before, it } from "node:test";
import { fileURLToPath } from "node:url";

import { must, scratch } from "../../support/guest/exec.mjs";
import { loadModules } from "../../support/guest/host.mjs";
import { Images } from "../../support/guest/images.mjs";
import { backingFile } from "../../support/guest/iscsi-target.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";
import { configure, left, migrate, run } from "../../support/guest/migrating.mjs";

const MiB = 1024 * 1024;
const size = 16 * MiB;
const content = fileURLToPath(new URL("../../../dist/cli", import.meta.url));
const image = `${scratch}/image`;

/** @type {Images} */
let images;
/** @type {VolumeGroup} */
let group;
/** @type {Awaited<ReturnType<typeof left>>} */
let atFirst;

before(async () => {
  await loadModules("loop");
  await must("mkfs.ext4", ["-q", "-d", content, backingFile(image, size)]);
  images = await Images.start();
  group = await VolumeGroup.create("vg", ["/dev/ubda"]);
  await group.addThinPool("pool", "64m");
  // The pool's own device appears with its first volume, and stays.
  await group.addThinVolume("first", "pool", "1m");
  await group.removeVolume("first");
  configure({
    ceph: { driver: "rbd", pool: "rbd", conf: images.conf },
    thin: { driver: "lvm", vg: "vg", thin: "pool" },
    thick: { driver: "lvm", vg: "vg" },
  });
  atFirst = await left();
});

after(async () => {
  await group.remove();
  await images.stop();
});

afterEach(async () => {
  await images.clear();
});

/** @param {string} file or device */
async function assertIsWhole(file) {
  await must("cmp", ["-n", String(size), image, file]);
  await must("e2fsck", ["-fn", file]);
}

/**
 * @param {string} fields
 * @param {string} name
 */
async function field(fields, name) {
  return (await must("lvs", ["--noheadings", "-o", fields, `vg/${name}`])).trim();
}

/** @param {string} device */
async function fill(device) {
  const how = ["bs=64k", "oflag=direct", "conv=sparse", "status=none"];
  await must("dd", [`if=${image}`, `of=${device}`, ...how]);
}

it("from thin LVM, whose volume is removed, to RBD, and to thick LVM, which is said", async () => {
  await fill(await group.addThinVolume("disk", "pool", `${size}b`));
  const { sourceIs } = await migrate("--delete-source", "thin:disk", "ceph");
  assert.equal(sourceIs, "deleted");
  assert.deepEqual(await left(), atFirst);
  assert.deepEqual(await images.listing(), ["disk"]);
  await assertIsWhole(await images.export("disk"));
  const { id, notices } = await migrate("--rename", "ceph:disk", "thick");
  assert.match(notices.join("\n"), /the source is thin .* takes all of its space at once/);
  assert.equal(await field("lv_layout", "disk"), "linear");
  await assertIsWhole(group.device("disk"));
  assert.deepEqual(await images.listing(), [`disk.moved-${id}`]);
  await assertIsWhole(await images.export(`disk.moved-${id}`));
  await group.removeVolume("disk");
  assert.deepEqual(await left(), atFirst);
});

it("from thick LVM to RBD, and to thin LVM, where it takes what it holds", async () => {
  const device = await group.addVolume("disk", `${size}b`);
  await must("dd", [`if=${image}`, `of=${device}`, "bs=1M", "oflag=direct", "status=none"]);
  const { id } = await migrate("--rename", "thick:disk", "ceph");
  await assertIsWhole(group.device(`disk.moved-${id}`));
  await group.removeVolume(`disk.moved-${id}`);
  await migrate("--delete-source", "ceph:disk", "thin:back");
  await assertIsWhole(group.device("back"));
  assert.equal(await field("pool_lv", "back"), "pool");
  const percent = Number(await field("data_percent", "back"));
  assert.ok(percent > 0 && percent < 30, `${percent}`);
  assert.deepEqual(await images.listing(), []);
  await group.removeVolume("back");
  assert.deepEqual(await left(), atFirst);
});

it("from RBD to thin LVM with its snapshots, larger by what its extents add, which is said", async () => {
  const odd = size - MiB;
  await must("truncate", ["-s", String(odd), image]);
  await images.rbd("import", image, "old");
  for (const name of ["monday", "tuesday"]) {
    await images.rbd("snap", "create", `old@${name}`);
    const bench = ["--io-pattern", "rand", "--io-size", "64K", "--io-total", "256K"];
    await images.rbd("bench", "--io-type", "write", ...bench, "old");
  }
  await group.addVolume("tuesday", "4m");
  const taken = await run(["migrate", "--with-snapshots", "ceph:old", "thin:new"]);
  assert.match(taken.stderr, /vg\/tuesday exists already/);
  await group.removeVolume("tuesday");
  const report = await migrate("--with-snapshots", "ceph:old", "thin:new");
  assert.deepEqual(report.snapshots, ["monday", "tuesday"]);
  assert.equal(report.targetSize, size);
  assert.match(report.notices.join("\n"), /the target has 16 MiB, 1 MiB more than the source/);
  const states = Object.entries({ "old@monday": "monday", "old@tuesday": "tuesday", old: "new" });
  for (const [state, name] of states) {
    const exported = await images.export(state);
    await must("cmp", ["-n", String(odd), exported, group.device(name)]);
    if (name !== "new") assert.equal(await field("origin", name), "new");
  }
  assert.deepEqual(await images.listing(), ["old", "old@monday", "old@tuesday"]);
  const volumes = await left();
  assert.deepEqual(
    volumes.volumes.filter((one) => !atFirst.volumes.includes(one)),
    ["vg/monday", "vg/new", "vg/tuesday"],
  );
});
