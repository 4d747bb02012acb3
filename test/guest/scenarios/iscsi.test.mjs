// @guest memory=768 limit=1800
// The driver iscsi, against both targets: what it promises, what it leaves, and what it leaves alone.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import {
  attachVolume,
  cleanUpAttachments,
  copyVolume,
  detachVolume,
  discoverIscsiTargets,
  listAttachments,
  openVolume,
  resolveRef,
} from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";

import { changeRecord } from "../../support/guest/change-record.mjs";
import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import { initiatorName, startIscsid } from "../../support/guest/host.mjs";
import { backingFile, Lio, Tgt } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { LunPool } from "../../support/guest/lun-pool.mjs";

const mib = 1024 * 1024;
const size = 4 * mib;
const attachments = "/var/lib/blockhaul/attachments";
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const data = `${scratch}/data`;

const { driver } = await resolveRef("iscsi://127.0.0.1/iqn.2024-01.org.blockhaul.test:a/1");
const malformedRefs = [
  "iscsi://127.0.0.1/iqn.2024-01.org.blockhaul.test:a",
  "iscsi://127.0.0.1/iqn.2024-01.org.blockhaul.test:a/1/2",
  "iscsi://::1/iqn.2024-01.org.blockhaul.test:a/1",
  "iscsi://me:password@127.0.0.1/iqn.2024-01.org.blockhaul.test:a/1",
  "iscsi://127.0.0.1/-T/1",
];

/** @type {Tgt} */
let tgt;
/** @type {Lio} */
let lio;

before(async () => {
  writeFileSync(data, randomBytes(size));
  await startIscsid();
  tgt = await Tgt.start({ portals: ["127.0.0.1:3260", "[::1]:3260"] });
  lio = await Lio.start();
});

/** What blockhaul makes on a host; the targets are there on purpose, and come and go in between. */
async function made() {
  const { targets: _, ...rest } = await leftovers({ attachments });
  return rest;
}

/** @param {string} ref */
async function writeData(ref) {
  const [source, target] = [await openVolume(data), await openVolume(ref, { mode: "write" })];
  try {
    await copyVolume(source, target);
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

/** @param {string} file */
async function assertHasData(file) {
  await must("cmp", ["-n", String(size), data, file]);
}

/**
 * @param {string} name
 * @param {string} secret
 * @returns {string}
 */
function secretFile(name, secret) {
  const file = `${scratch}/${name}`;
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  return file;
}

describe("tgt", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:tgt";
  const luns = new LunPool(async (bytes) => {
    const file = backingFile(`${scratch}/tgt-${bytes}-${count++}`, bytes);
    return `iscsi://127.0.0.1/${iqn}/${await tgt.addLun(iqn, { file })}`;
  });
  let count = 0;
  /** @type {Awaited<ReturnType<typeof made>>} */
  let atFirst;

  before(async () => {
    await tgt.addTarget({ iqn });
    atFirst = await made();
  });

  // Each volume with a login of its own, and a logout.
  testDriver({
    test: { describe, it },
    driver,
    label: "iscsi, tgt",
    sizeUnit: 512,
    provide: (bytes) => luns.take(bytes),
    absent: () => ({ ref: `iscsi://127.0.0.1/${iqn}/99` }),
    malformedRefs,
  });

  it("shows a controller at LUN 0, which is no volume", async () => {
    await assert.rejects(openVolume(`iscsi://127.0.0.1/${iqn}/0`), { code: "ERR_NOT_FOUND" });
  });

  it("is left without a trace", async () => {
    assert.deepEqual(await made(), atFirst);
  });
});

describe("one session for several volumes", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:lio";
  const files = [`${scratch}/lio-first`, `${scratch}/lio-second`];

  it("ends with the last of them", async () => {
    const atFirst = await made();
    const luns = files.map((file, index) => ({
      backstore: lio.addFile({ name: `shared${index}`, file, size, serial: `shared${index}` }),
    }));
    lio.addTarget({ iqn, luns });
    const refs = luns.map((_, lun) => `iscsi://127.0.0.1:3270/${iqn}/${lun}`);
    const { id } = await attachVolume(refs[0] ?? "");
    const withFirst = await made();
    const second = await openVolume(refs[1] ?? "", { mode: "write" });
    const source = await openVolume(data);
    await copyVolume(source, second);
    assert.deepEqual((await made()).sessions, withFirst.sessions);
    await detachVolume(id);
    assert.deepEqual((await made()).sessions, withFirst.sessions);
    await copyVolume(source, second);
    await Promise.all([source.close(), second.close()]);
    await assertHasData(files[1] ?? "");
    assert.deepEqual(await made(), atFirst);
  });
});

describe("LIO, in blocks of 4096, over a session of somebody else", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:lio-4096";
  const node = new PlainNode(iqn, "127.0.0.1:3271");
  let count = 0;
  const luns = new LunPool((bytes) => {
    count += 1;
    const file = `${scratch}/lio-4096-${count}`;
    const disk = lio.addFile({
      name: `blocks${count}`,
      file,
      size: bytes,
      blockSize: 4096,
      serial: `blocks${count}`,
    });
    lio.addLun(iqn, disk, count);
    return `iscsi://127.0.0.1:3271/${iqn}/${count}`;
  });
  const theirFile = `${scratch}/lio-theirs`;
  /** @type {Awaited<ReturnType<typeof made>>} */
  let before4096;
  /** @type {ReturnType<PlainNode["records"]>} */
  let records;
  let device = "";

  before(async () => {
    const disk = lio.addFile({ name: "theirs", file: theirFile, size, blockSize: 4096 });
    lio.addTarget({ iqn, portals: [node.portal], luns: [{ backstore: disk }] });
    await node.create({ "node.session.timeo.replacement_timeout": "77" });
    await node.login();
    device = await node.device(0);
    before4096 = await made();
    records = node.records();
  });

  testDriver({
    test: { describe, it },
    driver,
    label: "iscsi, LIO, blocks of 4096",
    sizeUnit: 4096,
    provide: (bytes) => luns.take(bytes),
    absent: () => ({ ref: `iscsi://127.0.0.1:3271/${iqn}-nowhere/1` }),
    malformedRefs: [],
  });

  it("knows the size of the blocks", async () => {
    const { ref } = await luns.take(size);
    const volume = await openVolume(ref);
    await volume.close();
    assert.equal(volume.info.blockSize, 4096);
  });

  it("uses their device too, and leaves it where it was", async () => {
    await writeData(`iscsi://127.0.0.1:3271/${iqn}/0`);
    await assertHasData(theirFile);
    assert.equal(await node.device(0), device);
  });

  it("leaves all of theirs as it was", async () => {
    assert.deepEqual(await made(), before4096);
    assert.deepEqual(node.records(), records);
    await must("dd", [`if=${data}`, `of=${device}`, "bs=1M", "oflag=direct", "status=none"]);
    await node.logout();
    await node.remove();
  });
});

describe("a node record of somebody else", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:record";
  const file = `${scratch}/record`;

  before(() => tgt.addTarget({ iqn, luns: [{ file: backingFile(file, size) }] }));

  for (const scan of ["auto", "manual"]) {
    it(`whose login scans in the way "${scan}" is used and not changed`, async () => {
      const node = new PlainNode(iqn, "127.0.0.1:3260");
      await node.create({
        "node.session.scan": scan,
        "node.session.timeo.replacement_timeout": "77",
      });
      const [records, before] = [node.records(), await made()];
      assert.equal(Object.keys(records).length, 1);
      await writeData(`iscsi://127.0.0.1/${iqn}/1`);
      await assertHasData(file);
      assert.deepEqual(node.records(), records);
      assert.deepEqual(await made(), before);
      await node.remove();
    });
  }
});

describe("CHAP", () => {
  const user = "reader";
  const password = "a-long-password";
  const oneWay = "iqn.2024-01.org.blockhaul.test:chap";
  const mutual = "iqn.2024-01.org.blockhaul.test:mutual";
  const file = `${scratch}/chap`;
  const mutualFile = `${scratch}/mutual`;
  const secrets = {
    right: secretFile("right", password),
    wrong: secretFile("wrong", "another-password"),
    target: secretFile("target", "its-own-password"),
  };
  /** @type {Awaited<ReturnType<typeof made>>} */
  let atFirst;

  before(async () => {
    await tgt.addTarget({
      iqn: oneWay,
      luns: [{ file: backingFile(file, size) }],
      chap: { user, password },
    });
    const disk = lio.addFile({ name: "mutual", file: mutualFile, size });
    lio.addTarget({
      iqn: mutual,
      luns: [{ backstore: disk }],
      portals: ["127.0.0.1:3272"],
      initiator: initiatorName,
      chap: { user, password, mutualUser: "disk", mutualPassword: "its-own-password" },
    });
    atFirst = await made();
  });

  it("one way, with the secret from a file", async () => {
    await writeData(`iscsi://${user}@127.0.0.1/${oneWay}/1?secret-file=${secrets.right}`);
    await assertHasData(file);
  });

  it("both ways", async () => {
    const options = `secret-file=${secrets.right}&target-user=disk&target-secret-file=${secrets.target}`;
    await writeData(`iscsi://${user}@127.0.0.1:3272/${mutual}/0?${options}`);
    await assertHasData(mutualFile);
  });

  it("with a wrong secret, of either side, lets nobody in", async () => {
    await assert.rejects(
      openVolume(`iscsi://${user}@127.0.0.1/${oneWay}/1?secret-file=${secrets.wrong}`),
      { code: "ERR_AUTHENTICATION" },
    );
    const options = `secret-file=${secrets.right}&target-user=disk&target-secret-file=${secrets.wrong}`;
    await assert.rejects(openVolume(`iscsi://${user}@127.0.0.1:3272/${mutual}/0?${options}`), {
      code: "ERR_AUTHENTICATION",
      message: /does not prove to be disk/,
    });
  });

  it("is left without a trace", async () => {
    assert.deepEqual(await made(), atFirst);
  });
});

describe("an IPv6 portal", () => {
  it("is a portal like others", async () => {
    const iqn = "iqn.2024-01.org.blockhaul.test:ipv6";
    const file = `${scratch}/ipv6`;
    await tgt.addTarget({ iqn, luns: [{ file: backingFile(file, size) }] });
    const atFirst = await made();
    const ref = `iscsi://[0:0::1]:3260/${iqn}/1`;
    await writeData(ref);
    await assertHasData(file);
    const { id } = await attachVolume(ref);
    assert.deepEqual((await made()).sessions, [...atFirst.sessions, `${iqn} ::1:3260`]);
    await detachVolume(id);
    assert.deepEqual(await made(), atFirst);
  });
});

describe("a target's name", () => {
  // tgt has no "_"; and iscsiadm passes over such a name in what a portal lists, but logs in to it.
  for (const [name, portal, iqn, isListed] of /** @type {const} */ ([
    ["tgt", "127.0.0.1:3260", "iqn.2000-01.com.Synology:NAS-1.Target-1.Ab3", true],
    ["LIO", "127.0.0.1:3275", "iqn.2000-01.com.Synology:NAS-1.Target-1.Ab3", true],
    ["LIO", "127.0.0.1:3278", "iqn.2000-01.com.synology:NAS_1.Target-1.Ab3", false],
  ])) {
    it(`is used as ${name} gives it: ${iqn}`, async () => {
      const file = `${scratch}/named-${portal}`;
      if (name === "tgt") {
        await tgt.addTarget({ iqn, luns: [{ file: backingFile(file, size) }] });
      } else {
        const backstore = lio.addFile({ name: `named-${isListed}`, file, size });
        lio.addTarget({ iqn, portals: [portal], luns: [{ lun: 1, backstore }] });
      }
      const atFirst = await made();
      if (isListed) {
        const listed = await discoverIscsiTargets(portal);
        assert.ok(listed.some((target) => target.iqn === iqn));
      }
      await writeData(`iscsi://${portal}/${iqn}/1`);
      await assertHasData(file);
      assert.deepEqual(await made(), atFirst);
    });
  }
});

describe("a portal's name with several addresses", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:addresses";
  const file = `${scratch}/addresses`;
  let alive = "";

  before(async () => {
    const lines = ["7", "8", "9"].map((last) => `127.0.0.${last} san.example dead.example\n`);
    appendFileSync("/etc/hosts", lines.join(""));
    const addresses = await lookup("san.example", { all: true });
    assert.equal(addresses.length, 3);
    alive = addresses.at(-1)?.address ?? "";
    const luns = [{ lun: 1, backstore: lio.addFile({ name: "addresses", file, size }) }];
    lio.addTarget({ iqn, portals: [`${alive}:3276`], luns });
  });

  it("is reached at the one that works, though it is the last", async () => {
    const atFirst = await made();
    const ref = `iscsi://san.example:3276/${iqn}/1`;
    await writeData(ref);
    await assertHasData(file);
    const targets = await discoverIscsiTargets("san.example:3276");
    assert.ok(targets.length > 0);
    const { id } = await attachVolume(ref);
    assert.deepEqual((await made()).sessions, [...atFirst.sessions, `${iqn} ${alive}:3276`]);
    await writeData(ref);
    await detachVolume(id);
    assert.deepEqual(await made(), atFirst);
  });

  it("says what each of them met where none works", async () => {
    await assert.rejects(openVolume(`iscsi://dead.example:3277/${iqn}/1`), {
      code: "ERR_UNREACHABLE",
      message: /none of its 3 addresses works: (.*127\.0\.0\.[789]:3277){3}/,
    });
  });
});

describe("the command", () => {
  const iqn = "iqn.2024-01.org.blockhaul.test:command";
  const file = `${scratch}/command`;
  const ref = `iscsi://127.0.0.1:3260/${iqn}/1`;
  /** @type {Awaited<ReturnType<typeof made>>} */
  let atFirst;

  before(async () => {
    await tgt.addTarget({ iqn, luns: [{ file: backingFile(file, 64 * mib), serial: "command" }] });
    atFirst = await made();
  });

  /** @param {...string} args */
  async function lines(...args) {
    const output = await must(process.execPath, [blockhaul, ...args, "--json"]);
    return output
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  it("attaches, lists, copies over what is attached, and detaches by the ref", async () => {
    const [attached] = await lines("attach", ref);
    assert.match(attached.path, /^\/dev\/sd[a-z]+$/);
    assert.equal(attached.identity.serial, "command");
    assert.deepEqual([attached.paths, attached.failures], [1, []]);
    const [listed, ...others] = await lines("attachments");
    assert.deepEqual(others, []);
    assert.deepEqual(
      [listed.id, listed.state, listed.device],
      [attached.id, "kept", attached.path],
    );
    await must(process.execPath, [blockhaul, "copy", data, ref, "--quiet"]);
    await assertHasData(file);
    assert.equal((await listAttachments()).length, 1);
    const [detached] = await lines("detach", ref);
    assert.equal(detached.id, attached.id);
    assert.deepEqual(await made(), atFirst);
  });

  it("cleans up behind a copy that was killed, as often as it is told to", async () => {
    const copy = spawn(process.execPath, [blockhaul, "copy", "pattern:64MiB:1", ref, "--quiet"]);
    await until("the LUN is attached", () => stepsOnDisk().includes("iscsi-lun"));
    await until("it is written to", () => readFileSync(file).some((byte) => byte !== 0));
    copy.kill("SIGKILL");
    await once(copy, "exit");
    const [abandoned] = await lines("attachments");
    assert.equal(abandoned.state, "abandoned");
    const [cleaned] = await lines("cleanup");
    assert.equal(cleaned.id, abandoned.id);
    assert.deepEqual(await made(), atFirst);
    assert.deepEqual(await lines("cleanup"), []);
    assert.equal((await exec(process.execPath, [blockhaul, "detach", ref])).status === 0, false);
  });

  it("does not take for its own what others made after a restart of the host", async () => {
    const { id } = await attachVolume(ref);
    const node = new PlainNode(iqn, "127.0.0.1:3260");
    const record = `${attachments}/${id}.json`;
    changeRecord(record, { bootId: "00000000-0000-0000-0000-000000000000" });
    const before = await made();
    const [cleaned] = await cleanUpAttachments();
    assert.equal(cleaned?.error, undefined);
    const left = await made();
    // Only the node record is on disk, and has our mark; but a session that is there needs it.
    assert.deepEqual(left, { ...before, attachments: [] });
    await node.logout();
    await node.remove();
    assert.deepEqual(await made(), atFirst);
  });

  function stepsOnDisk() {
    return readdirSync(attachments)
      .filter((name) => name.endsWith(".json"))
      .map((name) => readFileSync(`${attachments}/${name}`, "utf8"))
      .join("");
  }
});

after(async () => {
  await tgt.stop();
  lio.stop();
});
