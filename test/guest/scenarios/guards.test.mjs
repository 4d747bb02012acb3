// @guest memory=768 disks=96,96 limit=1200 modules=raid1
// What a copy refuses of LVM, md, dm-crypt, LIO and several paths to a LUN, all of them real.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";

import { checkGuards, copyVolume, openVolume } from "blockhaul";

import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import {
  formatAndMount,
  loadModules,
  startIscsid,
  startMultipathd,
  stopMultipathd,
  udevSettle,
  unmount,
} from "../../support/guest/host.mjs";
import { Lio } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const mib = 1024 * 1024;
const folder = `${scratch}/mounted`;
/** @type {import("blockhaul").GuardName[]} */
const everything = ["mounted", "held", "root-disk", "watched", "signature", "live-source"];

/**
 * @template T
 * @param {string} sourceRef
 * @param {string} targetRef
 * @param {(source: import("blockhaul").Volume, target: import("blockhaul").Volume) => Promise<T>} action
 */
async function between(sourceRef, targetRef, action) {
  const source = await openVolume(sourceRef);
  try {
    const target = await openVolume(targetRef, { mode: "write", shared: true });
    try {
      return await action(source, target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/**
 * What each guard says of a copy: "clear", or what it refuses.
 *
 * @param {string} sourceRef
 * @param {string} targetRef
 */
function findings(sourceRef, targetRef) {
  return between(sourceRef, targetRef, async (source, target) => {
    const found = (await checkGuards(source, target)).map(({ guard, state, found }) => [
      guard,
      state === "clear" ? state : found,
    ]);
    return /** @type {Record<import("blockhaul").GuardFinding["guard"], string>} */ (
      Object.fromEntries(found)
    );
  });
}

/** @param {string} targetRef */
const ofTarget = (targetRef) => findings("zero:1MiB", targetRef);

/** @param {string} sourceRef */
const ofSource = async (sourceRef) => (await findings(sourceRef, "null:"))["live-source"];

/**
 * @param {string} sourceRef
 * @param {string} targetRef
 * @param {import("blockhaul").GuardName[]} [allow]
 */
function copy(sourceRef, targetRef, allow = []) {
  return between(sourceRef, targetRef, (source, target) => copyVolume(source, target, { allow }));
}

/** @param {...string} devices of which nothing is to be left */
async function wipe(...devices) {
  for (const device of devices) {
    await must("dd", [
      "if=/dev/zero",
      `of=${device}`,
      "bs=1M",
      "status=none",
      "oflag=direct",
    ]).catch(
      () => {}, // it ends where the device does
    );
  }
  await udevSettle();
}

/** @param {RegExp} message */
const sameVolume = (message) => ({ code: "ERR_SAME_VOLUME", message });

describe("LVM", () => {
  /** @type {VolumeGroup} */
  let group;
  /** @type {string} */
  let volume;

  before(async () => {
    await wipe("/dev/ubda");
    group = await VolumeGroup.create("group", ["/dev/ubda"]);
    volume = await group.addVolume("a-b", "32m");
  });
  after(() => group.remove());

  it("holds its disks", async () => {
    const found = await ofTarget("/dev/ubda");
    assert.match(found.held, /^it is held by the LVM volume group-a--b \(dm-\d+\)$/);
    assert.match(found.signature, /LVM2_member/);
    assert.equal(found.mounted, "clear");
    await assert.rejects(openVolume("/dev/ubda", { mode: "write" }), {
      code: "ERR_IN_USE",
      message: /held by the LVM volume group-a--b/,
      hint: /--allow-held/,
    });
  });

  it("passes on what is mounted", async () => {
    await formatAndMount(volume, folder);
    const disk = await ofTarget("/dev/ubda");
    assert.match(disk.mounted, new RegExp(`^dm-\\d+ is mounted on ${folder}$`));
    const found = await ofTarget("lvm:group/a-b");
    assert.match(found.mounted, new RegExp(`^it is mounted on ${folder}$`));
    assert.match(found.signature, /ext4/);
    assert.equal(found.held, "clear");
    assert.match(await ofSource("lvm:group/a-b"), /^it is mounted on /);
    await assert.rejects(openVolume("lvm:group/a-b", { mode: "write" }), {
      code: "ERR_IN_USE",
      message: /is mounted on/,
    });
    await unmount(folder);
    assert.equal(await ofSource("lvm:group/a-b"), "clear");
    await copy("zero:1MiB", "lvm:group/a-b", ["signature"]);
  });

  it("lets a snapshot of a mounted volume be copied", async () => {
    await formatAndMount(volume, folder);
    const snapshot = await group.addSnapshot("before", "a-b", "16m");
    assert.equal(await ofSource(snapshot), "clear");
    await copy(snapshot, "null:");
    await group.removeVolume("before");
    await unmount(folder);
  });

  it("never takes a volume and its disk for two", async () => {
    await assert.rejects(copy(volume, "/dev/ubda", everything), sameVolume(/lies on/));
    await must("dd", ["if=/dev/zero", `of=${volume}`, "bs=1M", "count=32", "oflag=direct"]);
    const small = await group.addVolume("small", "8m");
    await assert.rejects(copy(small, "/dev/ubda", everything), sameVolume(/lies on/));
    await copy(small, volume);
    await group.removeVolume("small");
  });

  it("is seen on a disk whose volumes are not active", async () => {
    await must("vgchange", ["-an", "group"]);
    const found = await ofTarget("/dev/ubda");
    assert.equal(found.held, "clear");
    assert.match(found.signature, /LVM2_member \(RAID or volume manager's member\)/);
    await must("vgchange", ["-ay", "group"]);
  });
});

describe("md", () => {
  const disks = ["/dev/ubda", "/dev/ubdb"];
  const array = "/dev/md7";
  const create = ["--create", array, "--run", "--level=1", "--raid-devices=2", "--assume-clean"];

  before(() => {
    // Else udev puts an array together again as soon as it is stopped.
    writeFileSync("/etc/mdadm/mdadm.conf", "AUTO -all\n");
  });
  after(async () => {
    await exec("mdadm", ["--stop", array]);
    await wipe(...disks);
  });

  for (const metadata of ["1.2", "1.0", "0.90"]) {
    it(`with metadata ${metadata} holds its disks, and is seen on them afterwards`, async () => {
      await wipe(...disks);
      await must("mdadm", [...create, `--metadata=${metadata}`, ...disks]);
      const found = await ofTarget("/dev/ubdb");
      assert.match(found.held, /^it is held by the md array md7$/);
      await formatAndMount(array, folder);
      assert.match((await ofTarget("/dev/ubda")).mounted, /^md7 is mounted on /);
      assert.match(await ofSource("/dev/ubda"), /md7/);
      await unmount(folder);
      await assert.rejects(copy(array, "/dev/ubdb", everything), sameVolume(/lies on/));
      await must("mdadm", ["--stop", array]);
      const stopped = await ofTarget("/dev/ubdb");
      assert.equal(stopped.held, "clear");
      assert.match(stopped.signature, /linux_raid_member/);
    });
  }
});

describe("dm-crypt", () => {
  const key = Buffer.alloc(64, "key");
  const options = ["--batch-mode", "--type=plain", "--cipher=aes-xts-plain64", "--key-size=256"];

  it("holds its disk", async (test) => {
    await loadModules("dm-crypt");
    await wipe("/dev/ubda");
    const opened = await exec(
      "cryptsetup",
      [...options, "--key-file=-", "open", "/dev/ubda", "secret"],
      {
        input: key,
      },
    );
    if (opened.status !== 0) return test.skip(`this kernel has no such cipher: ${opened.stderr}`);
    const found = await ofTarget("/dev/ubda");
    assert.match(found.held, /^it is held by the encrypted device secret \(dm-\d+\)$/);
    assert.equal(found.signature, "clear");
    await must("cryptsetup", ["close", "secret"]);
    assert.equal((await ofTarget("/dev/ubda")).held, "clear");
  });
});

describe("a LUN", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:guards";
  const portals = ["127.0.0.1:3270", "127.0.0.2:3270"];
  const nodes = portals.map((portal) => new PlainNode(iqn, portal));
  const file = `${scratch}/lun`;
  /** @type {Lio} */
  let lio;
  /** @type {string[]} */
  let legs;

  before(async () => {
    await startIscsid();
    lio = await Lio.start();
    const backstore = lio.addFile({
      name: "lun",
      file,
      size: 64 * mib,
      serial: "blockhaul-guards",
    });
    const device = lio.addDevice({ name: "disk", device: "/dev/ubdb" });
    lio.addTarget({ iqn, portals, luns: [{ backstore }, { backstore: device }] });
    for (const node of nodes) {
      await node.create();
      await node.login();
    }
    legs = await Promise.all(nodes.map((node) => node.device(0)));
  });
  after(async () => {
    for (const node of nodes) await node.logout();
    lio.stop();
  });

  it("that LIO offers is held on the host that offers it, as a file and as a device", async () => {
    assert.match((await ofTarget(file)).held, /by this host's iSCSI target as fileio_\d+\/lun$/);
    assert.match((await ofTarget("/dev/ubdb")).held, /iSCSI target as iblock_\d+\/disk/);
  });

  it("is mounted by whatever path it is reached", async () => {
    const [one = "", other = ""] = legs;
    assert.notEqual(one, other);
    await formatAndMount(one, folder);
    const found = await ofTarget(other);
    assert.match(found.mounted, new RegExp(`^${path.basename(one)} is mounted on ${folder}$`));
    assert.match(await ofSource(other), /is mounted on/);
    await unmount(folder);
    assert.equal((await ofTarget(other)).mounted, "clear");
    await assert.rejects(copy(one, other, everything), sameVolume(/same volume/));
  });

  it("is held by the map over its paths, and is the same volume as that", async () => {
    const multipathd = await startMultipathd();
    const map = await until("a map with two paths", async () => {
      const shown = await exec("multipathd", ["show", "maps", "raw", "format", "%n %N"]);
      return /^(\S+) 2$/m.exec(shown.stdout)?.[1];
    });
    const [one = ""] = legs;
    assert.match((await ofTarget(one)).held, /^it is held by the multipath map /);
    const found = await ofTarget(`/dev/mapper/${map}`);
    assert.deepEqual([found.held, found.mounted], ["clear", "clear"]);
    await assert.rejects(copy(`/dev/mapper/${map}`, one, everything), sameVolume(/same volume/));
    await stopMultipathd(multipathd);
  });
});

it("takes no disk of the guest for the one of its root", async () => {
  assert.match(readFileSync("/proc/self/mountinfo", "utf8"), / \/ \/ .* - overlay /);
  await wipe("/dev/ubda");
  const found = await ofTarget("/dev/ubda");
  assert.deepEqual(new Set(Object.values(found)), new Set(["clear"]));
});
