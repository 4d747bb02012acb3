// @guest memory=768 limit=1800
// Which LUN a number means, on tgt, which uses flat addressing from 256 on, and on LIO, which just counts.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";

import { attachVolume, detachVolume, openVolume } from "blockhaul";

import { scratch, until } from "../../support/guest/exec.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { Lio, Tgt } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";

const size = 1024 * 1024;
const attachments = "/var/lib/blockhaul/attachments";
/** 44 and 0 are what 300 and 256 are to a target that takes the last byte only; 556 is not there. */
const numbers = [1, 44, 255, 256, 300];

/** @type {Tgt} */
let tgt;
/** @type {Lio} */
let lio;

before(async () => {
  await startIscsid();
  tgt = await Tgt.start();
  lio = await Lio.start();
});

async function made() {
  const { targets: _, ...rest } = await leftovers({ attachments });
  return rest;
}

/** @param {string} file */
function randomFile(file) {
  writeFileSync(file, randomBytes(size));
  return file;
}

/**
 * Reads and writes a volume, and looks at what its file and those of all others have then.
 *
 * @param {string} ref
 * @param {string} own
 * @param {readonly string[]} all
 */
async function assertIsOnly(ref, own, all) {
  const volume = await openVolume(ref, { mode: "write" });
  try {
    const expected = new Map(all.map((file) => [file, readFileSync(file)]));
    const read = Buffer.alloc(size);
    await volume.read(read, { position: 0 });
    assert.ok(read.equals(expected.get(own) ?? Buffer.alloc(0)), `${ref} reads as another`);
    const written = randomBytes(4096);
    await volume.write(written, { position: 8192 });
    await volume.sync();
    written.copy(expected.get(own) ?? Buffer.alloc(size), 8192);
    for (const [file, bytes] of expected) {
      assert.ok(readFileSync(file).equals(bytes), `${file} after a write to ${ref}`);
    }
  } finally {
    await volume.close();
  }
}

/** @type {readonly { name: string, portal: string, zero: boolean, add(iqn: string, luns: Map<number, string>): Promise<void> }[]} */
const targets = [
  {
    name: "tgt",
    portal: "127.0.0.1:3260",
    zero: true,
    add: async (iqn, luns) => {
      await tgt.addTarget({ iqn });
      for (const [lun, file] of luns) await tgt.addLun(iqn, { lun, file });
    },
  },
  ...[true, false].map((zero) => ({
    name: zero ? "LIO" : "LIO without a LUN 0",
    portal: zero ? "127.0.0.1:3270" : "127.0.0.1:3271",
    zero,
    add: async (/** @type {string} */ iqn, /** @type {Map<number, string>} */ files) => {
      const all = zero ? new Map([[0, randomFile(`${scratch}/zero`)], ...files]) : files;
      const luns = [...all].map(([lun, file]) => {
        const name = `${zero ? "with" : "without"}-${lun}`;
        return { lun, backstore: lio.addFile({ name, file, size, serial: name }) };
      });
      lio.addTarget({ iqn, portals: [zero ? "127.0.0.1:3270" : "127.0.0.1:3271"], luns });
    },
  })),
];

for (const { name, portal, zero, add } of targets) {
  describe(name, () => {
    const iqn = `iqn.2024-01.org.blockhaul.test:luns-${name.toLowerCase().replaceAll(" ", "-")}`;
    const ref = (/** @type {number} */ lun) => `iscsi://${portal}/${iqn}/${lun}`;
    const files = new Map(
      numbers.map((lun) => [lun, `${scratch}/${name.replaceAll(" ", "-")}-${lun}`]),
    );
    /** @type {Awaited<ReturnType<typeof made>>} */
    let atFirst;

    before(async () => {
      for (const file of files.values()) randomFile(file);
      await add(iqn, files);
      atFirst = await made();
    });

    for (const [lun, file] of files) {
      it(`reads and writes LUN ${lun}, and no other`, async () => {
        await assertIsOnly(ref(lun), file, [...files.values()]);
        assert.deepEqual(await made(), atFirst);
      });
    }

    it("has each of them in one session at once", async () => {
      const ids = [];
      for (const lun of numbers.toReversed()) ids.push((await attachVolume(ref(lun))).id);
      for (const [lun, file] of files) await assertIsOnly(ref(lun), file, [...files.values()]);
      for (const id of ids) await detachVolume(id);
      assert.deepEqual(await made(), atFirst);
    });

    for (const lun of [3, 299, 556, 16_383]) {
      it(`refuses LUN ${lun}${zero ? ", and says which it has" : ""}`, async () => {
        // Without a device there is nothing to ask it through.
        const others = zero ? "; it reports the LUNs 0, 1, 44, 255, 256 and 300" : ", and none .*";
        await assert.rejects(openVolume(ref(lun)), {
          code: "ERR_NOT_FOUND",
          message: new RegExp(`no disk at LUN ${lun}${others}$`),
        });
        assert.deepEqual(await made(), atFirst);
      });
    }

    it("is not taken in by a device that others made at a wrong address", async () => {
      const node = new PlainNode(iqn, portal);
      await node.create({ "node.session.scan": "manual" });
      await node.login();
      const host = readdirSync("/sys/class/iscsi_host")[0];
      // For tgt it is LUN 44, and for LIO what it says: an address of the form that the target does not use.
      writeFileSync(`/sys/class/scsi_host/${host}/scan`, `0 0 ${name === "tgt" ? 300 : 0x412c}`);
      await assertIsOnly(ref(300), files.get(300) ?? "", [...files.values()]);
      await node.logout();
      await node.remove();
      await until("the session is gone", async () => {
        return JSON.stringify(await made()) === JSON.stringify(atFirst);
      });
    });
  });
}

describe("LIO's LUN 16684", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:luns-far";

  it("is not taken for LUN 300, whose flat address it has", async () => {
    const file = randomFile(`${scratch}/far`);
    const backstore = lio.addFile({ name: "far", file, size, serial: "far" });
    lio.addTarget({ iqn, portals: ["127.0.0.1:3272"], luns: [{ lun: 0x412c, backstore }] });
    const atFirst = await made();
    await assert.rejects(openVolume(`iscsi://127.0.0.1:3272/${iqn}/300`), {
      code: "ERR_NOT_FOUND",
      message: /no disk at LUN 300; it reports LUN 16684 only$/,
    });
    assert.deepEqual(await made(), atFirst);
  });
});

after(async () => {
  await tgt.stop();
  lio.stop();
});
