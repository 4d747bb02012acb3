// @guest memory=768 limit=1800
// A LUN that several portals lead to: through multipathd's map, with a path that goes away, and without multipathd.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";

import { attachVolume, copyVolume, detachVolume, openVolume, resolveRef } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";

import { must, scratch, until } from "../../support/guest/exec.mjs";
import { startIscsid, startMultipathd, stopMultipathd } from "../../support/guest/host.mjs";
import { backingFile, Tgt } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { LunPool } from "../../support/guest/lun-pool.mjs";

const mib = 1024 * 1024;
const size = 32 * mib;
const iqn = "iqn.2024-01.org.blockhaul.test:paths";
const portals = ["127.0.0.1:3260", "127.0.0.2:3260"];
const file = `${scratch}/lun`;
const attachments = "/var/lib/blockhaul/attachments";

/** @type {Tgt} */
let tgt;
let count = 0;
/** @type {Awaited<ReturnType<typeof made>>} */
let atFirst;

/** @param {number} lun */
const refOf = (lun) => `iscsi://127.0.0.1,127.0.0.2/${iqn}/${lun}`;
const { driver } = await resolveRef(refOf(1));

/** What blockhaul makes on a host. multipathd remembers the WWIDs that it has seen, by design. */
async function made() {
  const { targets: _, wwids: __, ...rest } = await leftovers({ attachments });
  return rest;
}

/** @param {number} bytes */
async function newLun(bytes) {
  count += 1;
  const backing = backingFile(`${scratch}/lun-${count}`, bytes);
  return tgt.addLun(iqn, { file: backing, serial: `lun${count}`, scsiId: `blockhaul-${count}` });
}

/**
 * @param {string} ref
 * @param {import("blockhaul").CopyOptions} [options]
 */
async function writePattern(ref, options) {
  const [source, target] = [
    await openVolume(`pattern:${size}:${++count}`),
    await openVolume(ref, { mode: "write" }),
  ];
  try {
    return await copyVolume(source, target, options);
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

/** @param {number} seed */
async function assertHasPattern(seed) {
  const expected = `${scratch}/expected`;
  const [source, target] = [
    await openVolume(`pattern:${size}:${seed}`),
    await openVolume(expected, { mode: "write", create: { size } }),
  ];
  await copyVolume(source, target);
  await Promise.all([source.close(), target.close()]);
  await must("cmp", [expected, file]);
}

/** @param {string} device "dm-0" */
function pathsOf(device) {
  return readdirSync(`/sys/class/block/${device}/slaves`);
}

function mapsNow() {
  return readdirSync("/sys/class/block").filter((name) => name.startsWith("dm-"));
}

/**
 * @param {() => void} action once a quarter of a copy is done
 * @returns {import("blockhaul").CopyOptions}
 */
function inTheMiddle(action) {
  let isDone = false;
  return {
    bandwidthLimit: 8 * mib,
    progressIntervalMs: 100,
    onProgress: ({ done }) => {
      if (isDone || done < size / 4) return;
      isDone = true;
      action();
    },
  };
}

before(async () => {
  await startIscsid();
  tgt = await Tgt.start({ portals: [...portals, "127.0.0.3:3260"] });
  const scsiId = "blockhaul-first";
  await tgt.addTarget({ iqn, luns: [{ file: backingFile(file, size), serial: "first", scsiId }] });
  atFirst = await made();
});

describe("without multipathd", () => {
  it("two portals are one volume", async () => {
    const { id, path, paths, failures } = await attachVolume(refOf(1));
    assert.match(path, /^\/dev\/sd[a-z]+$/);
    assert.deepEqual([paths, failures], [2, []]);
    assert.equal((await made()).sessions.length, 2);
    await writePattern(refOf(1));
    await assertHasPattern(count);
    await detachVolume(id);
    assert.deepEqual(await made(), atFirst);
  });

  it("a portal that is closed, and one without an address, are told of", async () => {
    const ref = `iscsi://127.0.0.9,nowhere.invalid,127.0.0.2/${iqn}/1`;
    const { id, paths, failures } = await attachVolume(ref);
    assert.equal(paths, 1);
    assert.deepEqual(
      failures.map(({ code }) => code),
      ["ERR_UNREACHABLE", "ERR_UNREACHABLE"],
    );
    await detachVolume(id);
    assert.deepEqual(await made(), atFirst);
  });

  it("portals that lead to different volumes are refused", async () => {
    const other = await Tgt.start({ portals: ["127.0.0.4:3260"], controlPort: 1 });
    const backing = backingFile(`${scratch}/other`, size);
    await other.addTarget({ iqn, luns: [{ file: backing, serial: "other", scsiId: "other" }] });
    await assert.rejects(openVolume(`iscsi://127.0.0.1,127.0.0.4/${iqn}/1`), {
      code: "ERR_WRONG_DEVICE",
      message: /is another volume/,
    });
    assert.deepEqual(await made(), atFirst);
    await other.stop();
  });
});

describe("with multipathd", () => {
  /** @type {import("../../support/guest/exec.mjs").Daemon} */
  let multipathd;
  const luns = new LunPool(async (bytes) => refOf(await newLun(bytes)));

  before(async () => {
    multipathd = await startMultipathd();
  });

  testDriver({
    test: { describe, it },
    driver,
    label: "iscsi, a multipath map",
    sizeUnit: 512,
    provide: (bytes) => luns.take(bytes),
    malformedRefs: [],
  });

  it("is left without a trace by all of that", async () => {
    assert.deepEqual(await made(), atFirst);
  });

  it("opens the map over both paths, and takes all of it down", async () => {
    const { id, path, paths, failures, identity } = await attachVolume(refOf(1));
    assert.match(path, /^\/dev\/mapper\//);
    assert.deepEqual([paths, failures, identity.size], [2, [], size]);
    assert.equal(mapsNow().flatMap(pathsOf).length, 2);
    await detachVolume(id);
    assert.deepEqual(await made(), atFirst);
  });

  it("takes what is written through the path that is left when one is lost", async () => {
    let lost = "";
    await writePattern(
      refOf(1),
      inTheMiddle(() => {
        lost = mapsNow().flatMap(pathsOf)[0] ?? "none";
        writeFileSync(`/sys/class/block/${lost}/device/state`, "offline\n");
      }),
    );
    assert.match(lost, /^sd[a-z]+$/);
    await assertHasPattern(count);
    assert.deepEqual(await made(), atFirst);
  });

  it("outlives the machine behind one portal, and is taken down without it", async () => {
    const other = await Tgt.start({ portals: ["127.0.0.4:3260"], controlPort: 1 });
    await other.addTarget({ iqn, luns: [{ file, serial: "first", scsiId: "blockhaul-first" }] });
    let killed = false;
    await writePattern(
      `iscsi://127.0.0.4,127.0.0.2/${iqn}/1`,
      inTheMiddle(() => {
        killed = true;
        other.kill();
      }),
    );
    assert.equal(killed, true);
    await assertHasPattern(count);
    assert.deepEqual(await made(), atFirst);
  });

  it("opens one path as a map, and says why the other is missing", async () => {
    const { id, path, paths, failures } = await attachVolume(
      `iscsi://127.0.0.9,127.0.0.2/${iqn}/1`,
    );
    assert.match(path, /^\/dev\/mapper\//);
    assert.equal(paths, 1);
    assert.match(failures.map(({ message }) => message).join(), /127\.0\.0\.9/);
    await detachVolume(id);
    assert.deepEqual(await made(), atFirst);
  });

  it("leaves a map that has a path of somebody else", async () => {
    const node = new PlainNode(iqn, "127.0.0.3:3260");
    await node.create();
    await node.login();
    const device = (await node.device(1)).slice("/dev/".length);
    const map = await until("their map", () =>
      mapsNow().find((name) => pathsOf(name).includes(device)),
    );
    const [before, records] = [await made(), node.records()];
    await writePattern(refOf(1));
    await assertHasPattern(count);
    assert.deepEqual(await made(), before);
    assert.deepEqual(pathsOf(map), [device]);
    assert.deepEqual(
      Object.entries(node.records()).filter(([path]) => path.includes("127.0.0.3")),
      Object.entries(records),
    );
    await stopMultipathd(multipathd);
    await node.logout();
    await node.remove();
    assert.deepEqual(await made(), atFirst);
    await tgt.stop();
  });
});
