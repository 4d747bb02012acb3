// @guest memory=1024 disks=256 limit=1800
// The conformance suite over a logical volume that each open exports through LIO and attaches through iscsiadm.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { resolveRef } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";

import { exec, must, scratch } from "../../support/guest/exec.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const state = `${scratch}/state`;
Object.assign(process.env, { BLOCKHAUL_STATE_DIR: state });

/** @type {VolumeGroup} */
let group;
/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;

before(async () => {
  iscsid = await startIscsid();
  group = await VolumeGroup.create("vg", ["/dev/ubda"]);
  await must("vgchange", ["-s", "64k", "vg"]);
});

after(async () => {
  await group.remove();
  const left = await leftovers({ attachments: `${state}/attachments` });
  for (const [what, names] of Object.entries(left)) assert.deepEqual(names, [], what);
  await iscsid.stop();
});

let count = 0;

function fresh() {
  count += 1;
  const name = `volume-${count}`;
  const remove = async () => {
    await exec("lvremove", ["-y", `vg/${name}`]);
  };
  return { name, ref: `lvm:vg/${name}?export=iscsi`, remove };
}

const { driver } = await resolveRef("lvm:vg/lv");
testDriver({
  test: { describe, it },
  driver,
  label: "lvm, exported",
  sizeUnit: 64 * 1024,
  async provide(size) {
    const { name, ...volume } = fresh();
    await must("lvcreate", ["-y", "-Wn", "-L", `${size}b`, "-n", name, "vg"]);
    return volume;
  },
  absent: fresh,
  malformedRefs: ["lvm:vg/a?export=nbd", "lvm:vg/a?target=lio"],
});
