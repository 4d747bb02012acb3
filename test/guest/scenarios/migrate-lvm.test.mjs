// @guest memory=512 disks=256 limit=1800
// `blockhaul migrate` between thin and thick logical volumes of one group: judged by cmp and lvs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";

import { exec, must, scratch } from "../../support/guest/exec.mjs";
import { unmount } from "../../support/guest/host.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";
import { configure, folder, left, migrate, run } from "../../support/guest/migrating.mjs";

const MiB = 1024 * 1024;
const size = 16 * MiB;
const extent = 4 * MiB;
const image = `${folder}/images/image`;

/** @type {VolumeGroup} */
let group;

before(async () => {
  group = await VolumeGroup.create("vg", ["/dev/ubda"]);
  await group.addThinPool("pool", "64m");
  mkdirSync(`${folder}/images`);
  configure({
    thin: { driver: "lvm", vg: "vg", thin: "pool" },
    thick: { driver: "lvm", vg: "vg" },
    files: { driver: "file", directory: `${folder}/images` },
  });
  // Data in the middle, holes before and behind.
  await must("truncate", ["-s", String(size), image]);
  const to = [`of=${image}`, "bs=1M", "seek=5", "count=3", "conv=notrunc"];
  await must("dd", ["if=/dev/urandom", ...to]);
});

after(async () => {
  await group.remove();
  assert.deepEqual((await left()).dmDevices, []);
});

/** @param {string} fields @param {string} name */
async function field(fields, name) {
  const units = ["--noheadings", "--units", "b", "--nosuffix", "--binary"];
  return (await must("lvs", [...units, "-o", fields, `vg/${name}`])).trim();
}

/** The volumes that a user sees, by name, and whether each is active. */
async function volumes() {
  const shown = ["--noheadings", "--binary", "--separator", " ", "-o", "lv_name,lv_active_locally"];
  const out = await must("lvs", [...shown, "-S", "lv_layout!=pool", "vg"]);
  return out
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .sort();
}

/** A volume that holds the image, made by LVM and dd alone. @param {string} name @param {string} [pool] */
async function make(name, pool) {
  const device =
    pool === undefined
      ? await group.addVolume(name, `${size}b`)
      : await group.addThinVolume(name, pool, `${size}b`);
  const sparse = pool === undefined ? [] : ["conv=sparse"];
  await must("dd", [
    `if=${image}`,
    `of=${device}`,
    "bs=1M",
    "oflag=direct",
    ...sparse,
    "status=none",
  ]);
}

/** @param {string} name */
async function assertHolds(name) {
  await must("cmp", ["-n", String(size), image, group.device(name)]);
}

beforeEach(async () => {
  const names = (await volumes()).map((line) => `vg/${line.split(" ")[0]}`);
  if (names.length > 0) await must("lvremove", ["--yes", ...names]);
});

describe("a thin volume", () => {
  it("goes the short way within its pool, and is copied where that is asked for; thin either way", async () => {
    await make("a", "pool");
    const used = await field("data_percent", "pool");
    const short = await migrate("thin:a", "thin:b");
    assert.equal(short.method, "thin snapshot");
    assert.equal(short.sourceIs, "kept");
    assert.equal(await field("data_percent", "pool"), used);
    await must("lvchange", ["-an", "vg/a"]);
    const copied = await migrate("thin:a", "thin:c", "--method", "copy");
    assert.equal(copied.method, "copy");
    assert.deepEqual(await volumes(), ["a 0", "b 1", "c 1"]);
    await must("lvchange", ["-ay", "vg/a"]);
    assert.equal(await field("data_percent", "c"), await field("data_percent", "a"));
    for (const name of ["a", "b", "c"]) await assertHolds(name);
  });

  it("becomes thick, which is said, and thin again, each in place of the one before", async () => {
    await make("disk", "pool");
    const { notices, sourceIs } = await migrate("--delete-source", "thin:disk", "thick:thick");
    assert.match(notices.join("\n"), /the source is thin .* takes all of its space at once/);
    assert.equal(sourceIs, "deleted");
    assert.deepEqual(await volumes(), ["thick 1"]);
    assert.equal(await field("lv_layout", "thick"), "linear");
    await assertHolds("thick");
    const back = await migrate("--delete-source", "thick:thick", "thin:disk");
    assert.doesNotMatch(back.notices.join("\n"), /takes all of its space/);
    assert.deepEqual(await volumes(), ["disk 1"]);
    assert.equal(await field("pool_lv", "disk"), "pool");
    assert.ok(
      Number(await field("data_percent", "disk")) < 30,
      await field("data_percent", "disk"),
    );
    await assertHolds("disk");
  });
});

describe("a thick volume", () => {
  it("is set aside, and its name is the target's", async () => {
    await make("disk");
    await must("lvchange", ["-an", "vg/disk"]);
    const { id, setAside } = await migrate("--rename", "thick:disk", "thick");
    assert.equal(setAside, `thick:disk.moved-${id}`);
    assert.deepEqual(await volumes(), ["disk 1", `disk.moved-${id} 0`]);
    await must("lvchange", ["-ay", `vg/disk.moved-${id}`]);
    for (const name of ["disk", `disk.moved-${id}`]) await assertHolds(name);
  });

  it("is claimed where there is no room for a snapshot of it, which is said", async () => {
    await make("disk");
    await must("lvchange", ["-an", "vg/disk"]);
    await must("lvcreate", ["--yes", "-l", "100%FREE", "-n", "filler", "vg"]);
    const { id, notices } = await migrate("--rename", "thick:disk", "files");
    assert.match(
      notices.join("\n"),
      /no snapshot could be taken .*: the source is claimed instead/,
    );
    assert.deepEqual(await volumes(), [`disk.moved-${id} 0`, "filler 1"]);
    await must("cmp", [image, `${folder}/images/disk`]);
  });

  it("is larger than the source where extents make it so, which is said", async () => {
    const odd = `${folder}/images/odd`;
    await must("cp", [image, odd]);
    await must("truncate", ["-s", "+1000", odd]);
    const { notices, targetSize } = await migrate("files:odd", "thick", "--provisioning", "thick");
    rmSync(odd);
    assert.equal(targetSize, size + extent);
    assert.match(notices.join("\n"), /the target has .*more than the source/);
    assert.equal(await field("lv_size", "odd"), String(size + extent));
    await assertHolds("odd");
  });
});

describe("a volume that is in use", () => {
  /** @param {string} name @param {RegExp} found */
  async function assertRefused(name, found) {
    const before = await left();
    const { status, last, stderr } = await run(["migrate", `thick:${name}`, "files:copy"]);
    assert.equal(status, 4, stderr);
    assert.match(`${JSON.stringify(last)}${stderr}`, found);
    assert.deepEqual(await left(), before);
  }

  it("is refused, and the mount point is named", async () => {
    await make("fs");
    const mounted = `${scratch}/mounted`;
    await must("mkfs.ext4", ["-q", "-F", group.device("fs")]);
    mkdirSync(mounted);
    await must("mount", [group.device("fs"), mounted]);
    await assertRefused("fs", new RegExp(`mounted on ${mounted}`));
    await unmount(mounted);
  });

  it("is refused, and the process is named", async () => {
    await make("busy");
    const holder = spawn("sleep", ["600"], { stdio: ["ignore", "ignore", "ignore"] });
    holder.kill();
    const writing = spawn("sh", ["-c", `exec sleep 600 3<>${group.device("busy")}`]);
    await exec("sleep", ["0.5"]);
    await assertRefused("busy", new RegExp(`process ${writing.pid} \\(sleep\\)`));
    writing.kill("SIGKILL");
  });
});
