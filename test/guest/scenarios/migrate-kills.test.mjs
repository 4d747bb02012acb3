// @guest memory=2048 disks=256 limit=1800
// `blockhaul migrate` from LVM and iSCSI to Ceph RBD, killed in each of its states, and then resumed, or aborted: judged
// by cmp, rbd and lvs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";

import { must, scratch } from "../../support/guest/exec.mjs";
import { loadModules, startIscsid } from "../../support/guest/host.mjs";
import { Images } from "../../support/guest/images.mjs";
import { backingFile, Tgt } from "../../support/guest/iscsi-target.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";
import { configure, left, run, state } from "../../support/guest/migrating.mjs";

const MiB = 1024 * 1024;
const size = 16 * MiB;
const iqn = "iqn.2024-01.org.blockhaul.test:kills";
const image = `${scratch}/image`;
const lunFile = `${scratch}/lun`;

/** @type {Tgt} */
let tgt;
/** @type {Images} */
let images;
/** @type {VolumeGroup} */
let group;
/** @type {Awaited<ReturnType<typeof left>>} */
let atFirst;

before(async () => {
  await startIscsid();
  await loadModules("loop");
  tgt = await Tgt.start();
  await tgt.addTarget({ iqn });
  images = await Images.start();
  group = await VolumeGroup.create("vg", ["/dev/ubda"]);
  await must("dd", ["if=/dev/urandom", `of=${image}`, "bs=1M", "count=16", "status=none"]);
  await must("cp", [image, backingFile(lunFile, size)]);
  await tgt.addLun(iqn, { file: lunFile });
  const device = await group.addVolume("disk", `${size}b`);
  await must("dd", [`if=${image}`, `of=${device}`, "bs=1M", "oflag=direct", "status=none"]);
  await must("lvchange", ["-an", "vg/disk"]);
  configure({
    san1: { driver: "iscsi", portals: ["127.0.0.1"], iqn },
    ceph: { driver: "rbd", pool: "rbd", conf: images.conf },
    vg: { driver: "lvm", vg: "vg" },
  });
  atFirst = await left();
});

after(async () => {
  await group.remove();
  await images.stop();
  await tgt.stop();
});

afterEach(async () => {
  await images.clear();
});

async function assertSourceIsWhole() {
  await must("cmp", [image, lunFile]);
  await must("lvchange", ["-ay", "vg/disk"]);
  await must("cmp", [image, group.device("disk")]);
  await must("lvchange", ["-an", "vg/disk"]);
}

/**
 * Where each is killed, and what is done then: in each state, at its beginning or amid what it does to this host.
 *
 * @type {Readonly<Record<string, readonly (readonly [string, "resume" | "abort"])[]>>}
 */
const KILLS = {
  "vg:disk": [
    ["creating", "resume"],
    ["freezing!lvcreate", "abort"],
    ["copying+1000", "resume"],
    ["verifying", "abort"],
    ["handing-over:5", "resume"],
  ],
  "san1:1": [
    ["creating:1", "abort"],
    ["freezing:8", "resume"],
    ["copying+1000", "abort"],
    ["verifying", "resume"],
    ["handing-over:3", "abort"],
  ],
};

for (const [source, kills] of Object.entries(KILLS)) {
  describe(`from ${source} to RBD`, () => {
    for (const [dieAt, then] of kills) {
      it(`killed at ${dieAt}, ${then}`, async () => {
        const slowly = dieAt.startsWith("copying") ? ["--bwlimit", "4MiB"] : [];
        const killed = await run(["migrate", ...slowly, source, "ceph:moved"], { dieAt });
        assert.equal(killed.status, null, JSON.stringify(killed.last));
        const { id } = killed.lines.find(({ type }) => type === "begun");
        const record = readFileSync(`${state}/jobs/${id}.migration`, "utf8");
        assert.equal(JSON.parse(record).state, /^[a-z-]+/.exec(dieAt)?.[0]);
        await images.forgetDeadClients();
        const ended = await run([then, id]);
        assert.equal(ended.status, 0, `${JSON.stringify(ended.last)}\n${ended.stderr}`);
        assert.deepEqual(await left(), atFirst);
        await assertSourceIsWhole();
        assert.deepEqual(await images.listing(), then === "resume" ? ["moved"] : []);
        if (then === "resume") await must("cmp", [image, await images.export("moved")]);
      });
    }
  });
}
