// @guest memory=1024 disks=256 limit=1200
// The test bed itself, with the real tools alone: what other scenarios build on works.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { copyVolume, openVolume } from "blockhaul";

import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import {
  formatAndMount,
  initiatorName,
  startIscsid,
  startMultipathd,
  stopMultipathd,
  unmount,
} from "../../support/guest/host.mjs";
import { backingFile, Lio, Tgt } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const mib = 1024 * 1024;
const size = 4 * mib;
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const data = `${scratch}/data`;

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {import("../../support/guest/leftovers.mjs").Leftovers} */
let atFirst;

before(async () => {
  writeFileSync(data, randomBytes(size));
  iscsid = await startIscsid();
  atFirst = await leftovers();
});

after(async () => {
  await iscsid.stop();
});

/** @param {string} device */
async function writeData(device) {
  await must("dd", [`if=${data}`, `of=${device}`, "bs=1M", "oflag=direct", "status=none"]);
}

/** @param {string} other */
async function assertSame(other) {
  await must("cmp", ["-n", String(size), data, other]);
}

describe("tgt", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:tgt";
  const chap = { user: "reader", password: "a-long-password" };
  const file = `${scratch}/tgt-lun`;
  const target = new PlainNode(iqn, "127.0.0.1:3260");
  /** @type {Tgt} */
  let tgt;

  before(async () => {
    tgt = await Tgt.start();
    await tgt.addTarget({ iqn, luns: [{ file: backingFile(file, 64 * mib) }], chap });
    await target.create({
      "node.session.auth.authmethod": "CHAP",
      "node.session.auth.username": chap.user,
    });
  });
  after(() => tgt.stop());

  it("refuses a wrong password", async () => {
    await target.set("node.session.auth.password", "another-password");
    assert.equal((await target.tryLogin()).status, 24);
  });

  it("lets the right one in", async () => {
    await target.set("node.session.auth.password", chap.password);
    await target.login();
    assert.equal(await tgt.sessions(iqn), 1);
  });

  it("stores what is written", async () => {
    await writeData(await target.device());
    await assertSame(file);
  });

  it("takes a copy by the command", async () => {
    const device = await target.device();
    writeFileSync(data, randomBytes(size));
    await must(process.execPath, [blockhaul, "copy", data, device]);
    await assertSame(file);
  });

  it("comes back after it was killed", async () => {
    await tgt.kill();
    await tgt.restart();
    await until("the session is back", async () => (await tgt.sessions(iqn)) === 1);
    await writeData(await target.device());
    await assertSame(file);
  });

  it("is left without a trace", async () => {
    await target.logout();
    await target.remove();
    await tgt.removeTarget(iqn);
    assert.deepEqual(await leftovers(), atFirst);
  });
});

describe("LIO", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:lio";
  const chap = {
    user: "me",
    password: "my-password-12",
    mutualUser: "you",
    mutualPassword: "your-password",
  };
  const file = `${scratch}/lio-lun`;
  const target = new PlainNode(iqn, "127.0.0.1:3270");
  /** @type {Lio} */
  let lio;

  before(async () => {
    lio = await Lio.start();
    const disk = lio.addFile({ name: "disk", file, size: 64 * mib, blockSize: 4096 });
    const device = lio.addDevice({ name: "ubd", device: "/dev/ubda" });
    const luns = [{ backstore: disk }, { backstore: device }];
    lio.addTarget({ iqn, luns, initiator: initiatorName, chap });
  });
  after(() => lio.stop());

  it("lets in who knows both passwords", async () => {
    await target.create({
      "node.session.auth.authmethod": "CHAP",
      "node.session.auth.username": chap.user,
      "node.session.auth.password": chap.password,
      "node.session.auth.username_in": chap.mutualUser,
    });
    await target.set("node.session.auth.password_in", "not-the-password");
    assert.equal((await target.tryLogin()).status, 19); // the initiator refuses, not the target
    await target.set("node.session.auth.password_in", chap.mutualPassword);
    await target.login();
  });

  it("stores what is written, in blocks of 4096", async () => {
    const device = await target.device(0);
    assert.equal((await must("blockdev", ["--getss", device])).trim(), "4096");
    await writeData(device);
    await assertSame(file);
  });

  it("passes on a device", async () => {
    await writeData(await target.device(1));
    await assertSame("/dev/ubda");
  });

  it("is left without a trace", async () => {
    await target.logout();
    await target.remove();
    lio.stop();
    assert.deepEqual(await leftovers(), atFirst);
  });
});

describe("multipathd", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:paths";
  const portals = ["127.0.0.1:3260", "127.0.0.2:3260"];
  const paths = portals.map((portal) => new PlainNode(iqn, portal));
  const file = `${scratch}/multipath-lun`;

  it("joins two portals and loses one without an error", async () => {
    const multipathd = await startMultipathd();
    const tgt = await Tgt.start({ portals });
    const luns = [{ file: backingFile(file, 64 * mib), serial: "12345", scsiId: "blockhaul-test" }];
    await tgt.addTarget({ iqn, luns });
    for (const path of paths) {
      await path.create();
      await path.login();
    }
    const map = await until("a map with two paths", async () => {
      const shown = await exec("multipathd", ["show", "maps", "raw", "format", "%n %N"]);
      return /^(\S+) 2$/m.exec(shown.stdout)?.[1];
    });
    const [first] = paths;
    const lost = (await first?.device())?.replace("/dev/", "");
    writeFileSync(`/sys/block/${lost}/device/state`, "offline\n");
    await writeData(`/dev/mapper/${map}`);
    await assertSame(file);

    await stopMultipathd(multipathd);
    for (const path of paths) {
      await path.logout();
      await path.remove();
    }
    await tgt.stop();
    const { wwids, ...others } = await leftovers();
    assert.deepEqual({ ...others, wwids: [] }, atFirst);
    assert.equal(wwids.length, 1); // multipathd remembers what it has seen, by design
  });
});

describe("LVM", () => {
  it("makes volumes, thin ones, and snapshots", async () => {
    const group = await VolumeGroup.create("group", ["/dev/ubda"]);
    const plain = await group.addVolume("plain", "32m");
    await group.addThinPool("pool", "64m");
    const thin = await group.addThinVolume("thin", "pool", "1g");
    for (const volume of [plain, thin]) await writeData(volume);
    const snapshot = await group.addSnapshot("before", "plain", "32m");
    await must("dd", ["if=/dev/zero", `of=${plain}`, "bs=1M", "count=4", "oflag=direct"]);
    await assertSame(thin);
    await assertSame(snapshot);
    assert.deepEqual(
      (await leftovers()).volumes.filter((name) => !name.includes("[")),
      ["group/before", "group/plain", "group/pool", "group/thin"],
    );
    await group.remove();
    assert.deepEqual((await leftovers()).dmDevices, []);
  });
});

describe("a formatted disk", () => {
  it("holds files that are opened past the cache", async () => {
    const folder = `${scratch}/disk`;
    await formatAndMount("/dev/ubda", folder);
    await copy(data, `${folder}/copy`);
    await assertSame(`${folder}/copy`);
    await unmount(folder);
  });
});

/**
 * @param {string} from
 * @param {string} to
 */
async function copy(from, to) {
  const source = await openVolume(from);
  const target = await openVolume(to, { mode: "write", create: { size: source.size } });
  await copyVolume(source, target);
  await target.close();
  await source.close();
}
