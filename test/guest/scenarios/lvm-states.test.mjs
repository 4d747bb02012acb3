// @guest memory=768 limit=1800 disks=64
// States of groups and volumes in which LVM does not use them: each is said in LVM's words.

import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { deleteVolume, openVolume } from "blockhaul";

import { exec, must, scratch } from "../../support/guest/exec.mjs";
import { attachLoop, detachLoop, udevSettle } from "../../support/guest/host.mjs";
import { backingFile } from "../../support/guest/iscsi-target.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const MiB = 1024 * 1024;
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const configuration = "/etc/lvm/lvmlocal.conf";

/** Groups of one disk each, that can be taken away: by the file behind it. */
async function groupOnLoop(/** @type {string} */ name, disks = 1) {
  const files = Array.from({ length: disks }, (_, index) =>
    backingFile(`${scratch}/${name}-${index}`, 32 * MiB),
  );
  const loops = [];
  for (const file of files) loops.push(await attachLoop(file));
  return { group: await VolumeGroup.create(name, loops), files, loops };
}

/** @param {string} name of a group, by which there is one */
async function uuidOf(name) {
  const columns = ["--noheadings", "-o", "vg_uuid", "-S", `vg_name=${name}`];
  return (await must("vgs", columns)).trim();
}

/**
 * @param {string} ref
 * @param {string} code
 * @param {RegExp} message
 */
async function assertRefused(ref, code, message) {
  await assert.rejects(openVolume(ref), { code, message });
}

/** What the list of a backend says of a group. */
async function listOf(/** @type {string} */ vg) {
  const file = `${scratch}/blockhaul.yaml`;
  writeFileSync(file, `backends:\n  here: { driver: lvm, vg: ${vg} }\n`);
  return exec(process.execPath, [blockhaul, "list", "here:", "--json"], {
    env: { BLOCKHAUL_CONFIG: file },
  });
}

describe("two groups of one name", () => {
  /** @type {string[]} */
  let loops = [];
  /** @type {string[]} */
  const uuids = [];

  before(async () => {
    const one = await groupOnLoop("twin");
    await one.group.addVolume("a", "4m");
    writeFileSync("/dev/twin/a", "first");
    await must("vgchange", ["-an", "twin"]);
    uuids.push(await uuidOf("twin"));
    const [first = ""] = one.loops;
    await detachLoop(first);
    const other = await groupOnLoop("twin-b");
    await other.group.addVolume("a", "4m");
    writeFileSync("/dev/twin-b/a", "other");
    await must("vgchange", ["-an", "twin-b"]);
    await must("vgrename", ["twin-b", "twin"]);
    uuids.push(await uuidOf("twin"));
    loops = [await attachLoop(one.files[0] ?? ""), ...other.loops];
    // A host activates what comes to it. Of two volumes of one name only one can be active.
    await udevSettle();
    await must("vgchange", ["-an", "--select", "vg_name=twin"]);
  });
  after(async () => {
    for (const uuid of uuids)
      await must("vgremove", ["--yes", "-ff", "--select", `vg_uuid=${uuid}`]);
    for (const loop of loops) await detachLoop(loop);
  });

  it("are refused by it, with their UUIDs", async () => {
    const both = /2 volume groups are called twin: \w{6}-[\w-]+, \w{6}-[\w-]+$/;
    await assertRefused("lvm:twin/a", "ERR_INVALID_REF", both);
    await assert.rejects(openVolume("lvm:twin/new", { mode: "write", create: { size: MiB } }), {
      code: "ERR_INVALID_REF",
      message: both,
    });
    const { status, stdout, stderr } = await listOf("twin");
    assert.notEqual(status, 0, stdout);
    assert.match(stderr, /2 volume groups are called twin/);
  });

  it("are told apart by their UUIDs", async () => {
    for (const [index, word] of ["first", "other"].entries()) {
      const volume = await openVolume(`lvm:${uuids[index]}/a`);
      const read = Buffer.alloc(5);
      await volume.read(read, { position: 0 });
      await volume.close();
      assert.equal(String(read), word);
    }
    const active = await must("lvs", ["--noheadings", "-o", "lv_name", "-S", "lv_active=active"]);
    assert.equal(active.trim(), "");
    assert.equal((await listOf(uuids[1] ?? "")).status, 0);
  });
});

describe("a group", () => {
  it("is named by its UUID, too: made, opened and removed there", async () => {
    const { group, loops } = await groupOnLoop("named");
    const ref = `lvm:${await uuidOf("named")}/a`;
    const volume = await openVolume(ref, { mode: "write", create: { size: 4 * MiB } });
    await volume.close();
    assert.equal((await openAndClose("lvm:named/a")).size, 4 * MiB);
    await deleteVolume(ref);
    await assertRefused(ref, "ERR_NOT_FOUND", /has no volume a/);
    await group.remove();
    for (const loop of loops) await detachLoop(loop);
  });

  it("that is exported is said to be", async () => {
    const { group, loops } = await groupOnLoop("gone");
    await group.addVolume("a", "4m");
    await must("vgchange", ["-an", "gone"]);
    await must("vgexport", ["gone"]);
    await assertRefused("lvm:gone/a", "ERR_UNSUPPORTED", /the volume group gone is exported$/);
    const { status, stderr } = await listOf("gone");
    assert.notEqual(status, 0);
    assert.match(stderr, /gone is exported/);
    await must("vgimport", ["gone"]);
    await openAndClose("lvm:gone/a");
    await group.remove();
    for (const loop of loops) await detachLoop(loop);
  });

  it("that is another host's is said to be", async () => {
    const { group, loops } = await groupOnLoop("theirs");
    await group.addVolume("a", "4m");
    await must("vgchange", ["-an", "theirs"]);
    const asOther = ["--config", 'local/extra_system_ids=["other"]'];
    await must("vgchange", ["-y", "--systemid", "other", ...asOther, "theirs"]);
    await assertRefused("lvm:theirs/a", "ERR_IN_USE", /is foreign, with the system ID other$/);
    const { status, stderr } = await listOf("theirs");
    assert.notEqual(status, 0);
    assert.match(stderr, /is foreign/);
    await must("wipefs", ["--all", "--quiet", ...loops]);
    for (const loop of loops) await detachLoop(loop);
  });

  it("that lacks a disk opens what is whole, and says what is not", async () => {
    const { loops, files } = await groupOnLoop("part", 2);
    const [first = "", second = ""] = loops;
    await must("lvcreate", ["-y", "-Wn", "-L", "4m", "-n", "whole", "part", first]);
    await must("lvcreate", ["-y", "-Wn", "-L", "4m", "-n", "lost", "part", second]);
    await must("vgchange", ["-an", "part"]);
    await detachLoop(second);
    await openAndClose("lvm:part/whole");
    await assertRefused("lvm:part/lost", "ERR_IO", /Refusing activation of partial LV part\/lost/);
    await assert.rejects(openVolume("lvm:part/new", { mode: "write", create: { size: MiB } }), {
      code: "ERR_IO",
      message: /Cannot change VG part while PVs are missing/,
    });
    const back = await attachLoop(files[1] ?? "");
    await must("vgremove", ["--yes", "-ff", "part"]);
    for (const loop of [first, back]) await detachLoop(loop);
  });
});

describe("a volume", () => {
  /** @type {VolumeGroup} */
  let group;
  const plain = () => readFileSync(configuration, "utf8");

  before(async () => {
    group = await VolumeGroup.create("vg-test", ["/dev/ubda"]);
  });
  after(() => group.remove());

  it("that is a snapshot which ran full is said to be invalid", async () => {
    const origin = await group.addVolume("origin", "8m");
    await group.addSnapshot("full", "origin", "4m");
    await must("dd", ["if=/dev/urandom", `of=${origin}`, "bs=1M", "count=8", "oflag=direct"]);
    await assertRefused("lvm:vg-test/full", "ERR_IO", /snapshot vg-test\/full is invalid/);
    await must("lvchange", ["--yes", "-an", "vg-test/origin"]);
    await assertRefused("lvm:vg-test/full", "ERR_IO", /is invalid|activate/);
    await group.removeVolume("full");
    await group.removeVolume("origin");
  });

  it("that LVM's configuration forbids to activate is said to be", async () => {
    await group.addVolume("kept", "4m");
    await must("lvchange", ["-an", "vg-test/kept"]);
    const before = plain();
    appendFileSync(configuration, 'activation { volume_list = [ "nothing" ] }\n');
    try {
      await assertRefused(
        "lvm:vg-test/kept",
        "ERR_UNSUPPORTED",
        /does not activate vg-test\/kept: it is not active locally/,
      );
      await assert.rejects(
        openVolume("lvm:vg-test/new", { mode: "write", create: { size: MiB } }),
        { message: /not active locally \(volume_list activation filter\?\)/ },
      );
    } finally {
      writeFileSync(configuration, before);
    }
    await openAndClose("lvm:vg-test/kept");
    await group.removeVolume("kept");
  });
});

/** @param {string} ref */
async function openAndClose(ref) {
  const volume = await openVolume(ref);
  await volume.close();
  return volume;
}
