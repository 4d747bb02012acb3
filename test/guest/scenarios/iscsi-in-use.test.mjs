// @guest memory=768 limit=1800
// Devices that somebody uses: none is removed because its LUN was resized or replaced, nor by a detach.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";

import { attachVolume, cleanUpAttachments, detachVolume, openVolume } from "blockhaul";

import { must, scratch } from "../../support/guest/exec.mjs";
import { attachLoop, detachLoop, startIscsid } from "../../support/guest/host.mjs";
import { backingFile, Lio, Tgt } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";

const mib = 1024 * 1024;
const iqn = "iqn.2024-01.org.blockhaul.test:in-use";

/** @type {Tgt} */
let tgt;
/** @type {Lio} */
let lio;

before(async () => {
  await startIscsid();
  tgt = await Tgt.start();
  lio = await Lio.start();
});
after(async () => {
  await tgt.stop();
  lio.stop();
});

/**
 * A program that has a device open until it is told to end.
 *
 * @param {string} device
 * @param {"<" | "<>"} how
 */
async function user(device, how) {
  const child = spawn("/bin/bash", ["-c", `exec 9${how}${device}; echo open; exec sleep infinity`]);
  const [said] = await once(child.stdout, "data");
  assert.equal(String(said), "open\n");
  return {
    pid: child.pid,
    async end() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** What a device is to the kernel: another one that gets the same name has another inode. */
const identityOf = (/** @type {string} */ device) => statSync(device).ino;

describe("a LUN that grew and shrank online", () => {
  const file = `${scratch}/resized`;
  const node = new PlainNode(iqn, "127.0.0.1:3270");
  const ref = `iscsi://${node.portal}/${iqn}/1`;
  let loop = "";

  before(async () => {
    loop = await attachLoop(backingFile(file, 8 * mib));
    const backstore = lio.addDevice({ name: "resized", device: loop, serial: "resized" });
    lio.addTarget({ iqn, luns: [{ lun: 1, backstore }] });
  });
  after(async () => {
    lio.stop();
    await detachLoop(loop);
  });

  /** @param {number} size */
  async function resize(size) {
    truncateSync(file, size);
    await must("losetup", ["--set-capacity", loop]);
  }

  async function sizeByInfo() {
    const volume = await openVolume(ref);
    await volume.close();
    return volume.size;
  }

  it("keeps the device of others, whether or not it is open, and has its new size", async () => {
    await node.create();
    await node.login();
    const device = await node.device(1);
    const was = identityOf(device);
    for (const how of /** @type {const} */ (["<>", "<"])) {
      const holder = await user(device, how);
      for (const size of [16 * mib, 12 * mib]) {
        await resize(size);
        assert.equal(await sizeByInfo(), size);
        assert.equal(identityOf(device), was);
      }
      await holder.end();
    }
    await resize(20 * mib);
    assert.equal(await sizeByInfo(), 20 * mib);
    assert.equal(identityOf(device), was);
    await node.logout();
    await node.remove();
  });

  it("keeps a device of ours", async () => {
    const { id, path } = await attachVolume(ref);
    const was = identityOf(path);
    await resize(24 * mib);
    assert.equal(await sizeByInfo(), 24 * mib);
    assert.equal(identityOf(path), was);
    await detachVolume(id);
  });
});

describe("a device whose LUN is another volume by now", () => {
  const other = `${iqn}-replaced`;
  const ref = `iscsi://127.0.0.1/${other}/1`;
  const [first, second] = [`${scratch}/first`, `${scratch}/second`];

  before(async () => {
    for (const file of [first, second]) writeFileSync(file, randomBytes(mib));
    await tgt.addTarget({ iqn: other, luns: [{ file: first, serial: "first" }] });
  });

  /** @param {string} file */
  async function become(file) {
    await tgt.removeLun(other, 1);
    await tgt.addLun(other, { lun: 1, file, serial: file === first ? "first" : "second" });
  }

  it("stays where it is not ours, and nothing is read", async () => {
    const node = new PlainNode(other, "127.0.0.1:3260");
    await node.create();
    await node.login();
    const device = await node.device(1);
    const was = identityOf(device);
    await become(second);
    await assert.rejects(openVolume(ref), {
      code: "ERR_WRONG_DEVICE",
      message: /is left of an earlier volume \(the LUN is second now\); blockhaul did not make it/,
    });
    assert.equal(identityOf(device), was);
    await node.logout();
    await node.remove();
    await become(first);
  });

  it("stays where it is ours and a process has it open, which is named", async () => {
    const { id, path } = await attachVolume(ref);
    const was = identityOf(path);
    await become(second);
    const holder = await user(path, "<");
    await assert.rejects(openVolume(ref), {
      code: "ERR_IN_USE",
      message: new RegExp(`left of an earlier volume, and .*process ${holder.pid} \\(sleep\\)`),
    });
    assert.equal(identityOf(path), was);
    await holder.end();
    for (const { error } of await cleanUpAttachments()) assert.equal(error, undefined);
    const volume = await openVolume(ref);
    const read = Buffer.alloc(mib);
    await volume.read(read, { position: 0 });
    await volume.close();
    assert.ok(read.equals(readFileSync(second)));
    await detachVolume(id);
    await become(first);
  });
});

describe("a detach", () => {
  const attached = `${iqn}-attached`;
  const ref = `iscsi://127.0.0.1/${attached}/1`;

  before(() =>
    tgt.addTarget({ iqn: attached, luns: [{ file: backingFile(`${scratch}/attached`, 4 * mib) }] }),
  );

  for (const [what, how] of /** @type {const} */ ([
    ["writer", "<>"],
    ["reader", "<"],
  ])) {
    it(`under a ${what} is refused, with its name, until it has ended`, async () => {
      const { id, path } = await attachVolume(ref);
      const was = identityOf(path);
      const holder = await user(path, how);
      await assert.rejects(detachVolume(id), {
        code: "ERR_IN_USE",
        message: new RegExp(`process ${holder.pid} \\(sleep\\) has it open`),
      });
      assert.equal(identityOf(path), was);
      await holder.end();
      await detachVolume(id);
      assert.throws(() => statSync(path), { code: "ENOENT" });
    });
  }
});
