// @guest memory=1024 disks=64 limit=1800 modules=dm-mod
// Several at once, others' sessions, LUNs that become other volumes, and secrets that nobody else may see.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";

import { attachVolume, cleanUpAttachments, copyVolume, detachVolume, openVolume } from "blockhaul";

import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import {
  attachments,
  digest,
  iqn,
  mib,
  randomFile,
  refused,
  Ways,
} from "../../support/guest/failures.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { Tgt } from "../../support/guest/iscsi-target.mjs";

const size = 4 * mib;
const files = [1, 2, 3].map((number) => `${scratch}/lun-${number}`);
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const node = ["-m", "node", "-T", iqn, "-p", "127.0.0.1:3260"];
const ways = new Ways("races");

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Tgt} */
let tgt;

before(async () => {
  iscsid = await startIscsid();
  tgt = await Tgt.start();
  const luns = files.map((file) => ({ file: randomFile(file, size), serial: `races-${file}` }));
  await tgt.addTarget({ iqn, luns });
  await ways.begin(files);
});

after(async () => {
  await tgt.stop();
  await iscsid.stop();
});

/** @param {number} lun */
const refOf = (lun) => `iscsi://127.0.0.1/${iqn}/${lun}`;

/** @param {string[]} args */
const command = (...args) => exec(process.execPath, [blockhaul, ...args]);

/** @param {number} lun */
async function attachByCommand(lun) {
  const { status, stdout, stderr } = await command("attach", "--json", refOf(lun));
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

function sessions() {
  return readdirSync("/sys/class/iscsi_session");
}

/**
 * @param {string} ref
 * @param {string} file
 */
async function assertContent(ref, file) {
  const copy = `${scratch}/copy`;
  rmSync(copy, { force: true });
  const volume = await openVolume(ref);
  const target = await openVolume(copy, { mode: "write", create: { size: volume.size } });
  await copyVolume(volume, target);
  await target.close();
  await volume.close();
  assert.equal(digest(copy), digest(file));
}

describe("several processes", () => {
  for (const [what, luns] of /** @type {const} */ ([
    ["the same LUN", [1, 1]],
    ["different LUNs of one target", [1, 2]],
  ])) {
    for (const order of ["the first goes first", "the last goes first"]) {
      ways.fails(`attach ${what} at once: ${order}`, async () => {
        const both = await Promise.all(luns.map(attachByCommand));
        assert.equal(sessions().length, 1);
        both.sort((a, b) => a.id.localeCompare(b.id));
        if (order === "the last goes first") both.reverse();
        const [first, second] = both;
        await detachVolume(first.id);
        assert.equal(sessions().length, 1);
        await must("dd", [`if=${second.path}`, "of=/dev/null", "bs=1M", "iflag=direct"]);
        await detachVolume(second.id);
        assert.equal(sessions().length, 0);
      });
    }
  }

  ways.fails("attach, copy and detach four times at once", async () => {
    const ends = await Promise.all(
      [1, 2, 3, 2].map(async (lun, index) => {
        const copy = `${scratch}/copy-${index}`;
        // Who comes second to LUN 2 waits for the claim of the first, and may be refused.
        const end = await command("copy", refOf(lun), copy, "--create");
        return { end, same: end.status === 0 && digest(copy) === digest(files[lun - 1] ?? "") };
      }),
    );
    for (const { end, same } of ends) assert.ok(same || end.status === 4, end.stderr);
    assert.ok(ends.filter(({ same }) => same).length >= 3);
  });

  ways.fails("write to a volume that is read", async () => {
    const first = await openVolume(refOf(1));
    const second = await openVolume(refOf(1));
    await refused(openVolume(refOf(1), { mode: "write" }), {
      code: "ERR_IN_USE",
      message: /busy|in use/i,
    });
    await first.close();
    await assertContent(refOf(2), files[1] ?? "");
    await second.close();
  });
});

describe("another session, by iscsiadm, on the same target", () => {
  async function logIn() {
    await must("iscsiadm", [...node, "--interface", "default", "--op", "new"]);
    await must("iscsiadm", [...node, "--op", "update", "-n", "node.session.scan", "-v", "manual"]);
    await must("iscsiadm", [...node, "--login"]);
    await scan(3);
  }

  /** @param {number} lun */
  async function scan(lun) {
    const host = readdirSync("/sys/class/iscsi_host")[0];
    writeFileSync(`/sys/class/scsi_host/${host}/scan`, `0 0 ${lun}`);
    await until("its device", () => readdirSync("/sys/class/scsi_device").some(isLun3));
  }
  const isLun3 = (/** @type {string} */ name) => name.endsWith(":3");
  const there = async () => [sessions(), await must("iscsiadm", [...node, "-S"])];

  async function logOut() {
    await must("iscsiadm", [...node, "--logout"]);
    await must("iscsiadm", [...node, "--op", "delete"]);
  }

  ways.fails("that was there before", async () => {
    await logIn();
    const before = await there();
    await assertContent(refOf(1), files[0] ?? "");
    await assertContent(refOf(3), files[2] ?? "");
    await refused(openVolume(refOf(7)), { code: "ERR_NOT_FOUND", message: /no disk at LUN 7/ });
    assert.deepEqual(await there(), before);
    assert.deepEqual(
      readdirSync("/sys/class/scsi_device").map((at) => at.split(":")[3]),
      ["3"],
    );
    await logOut();
  });

  ways.fails("that uses ours for a LUN of its own", async () => {
    const { id } = await attachVolume(refOf(1));
    await scan(3);
    await detachVolume(id);
    // It is theirs from now on, with its record.
    assert.equal(sessions().length, 1);
    assert.ok(readdirSync("/sys/class/scsi_device").some(isLun3));
    await logOut();
  });

  ways.fails("that is logged out while we have ours", async () => {
    await logIn();
    const volume = await openVolume(refOf(1));
    await logOut();
    await volume.close().catch(() => {});
    await cleanUpAttachments();
  });
});

describe("a LUN that becomes another volume", () => {
  /** The host has a device of a volume that the target has no more. */
  async function becomeOther() {
    const { id, path } = await attachVolume(refOf(1));
    await tgt.removeLun(iqn, 1);
    const other = randomFile(`${scratch}/other`, 2 * size);
    await tgt.addLun(iqn, { lun: 1, file: other, serial: "another" });
    return { id, path, other };
  }
  async function becomeFirst() {
    await tgt.removeLun(iqn, 1);
    await tgt.addLun(iqn, { lun: 1, file: files[0] ?? "", serial: `races-${files[0]}` });
  }

  ways.fails("the old device is removed, and the new bytes are read", async () => {
    const { id, other } = await becomeOther();
    await assertContent(refOf(1), other);
    await detachVolume(id);
    await becomeFirst();
  });

  ways.fails("the old device is held by somebody", async () => {
    const { id, path } = await becomeOther();
    await must("dmsetup", ["create", "held", "--table", `0 8 linear ${path} 0`]);
    await refused(openVolume(refOf(1)), {
      code: "ERR_IN_USE",
      message:
        /is left of an earlier volume, and .* it is held by the device-mapper device held \(dm-\d+\)/,
    });
    await must("dmsetup", ["remove", "held"]);
    for (const { error } of await cleanUpAttachments()) assert.equal(error, undefined);
    await detachVolume(id);
    await becomeFirst();
  });
});

describe("a secret", () => {
  ways.fails("is seen by nobody", async () => {
    const secret = `canary${randomBytes(8).toString("hex")}`;
    const chapIqn = `${iqn}-canary`;
    const chap = { user: "reader", password: secret };
    await tgt.addTarget({ iqn: chapIqn, luns: [{ file: files[0] ?? "" }], chap });
    const ref = `iscsi://reader@127.0.0.1/${chapIqn}/1`;
    const file = `${scratch}/canary`;
    writeFileSync(file, secret, { mode: 0o600 });
    const byFile = `${ref}?secret-file=${file}`;
    /** @type {string[]} */
    const said = [];
    /** @type {Set<string>} */
    const seen = new Set();
    let looks = 0;
    /** @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
    const watched = async (args, env = {}) => {
      const child = spawn(process.execPath, [blockhaul, ...args], {
        env: { ...process.env, ...env },
      });
      const output = [child.stdout, child.stderr].map(async (stream) => {
        for await (const part of stream) said.push(String(part));
      });
      const ended = once(child, "exit");
      while (child.exitCode === null && child.signalCode === null) {
        looks += 1;
        for (const name of readdirSync("/proc")) {
          if (!/^\d+$/.test(name)) continue;
          if (contains(`/proc/${name}/cmdline`, secret)) seen.add(`cmdline of ${name}`);
          // A child that has not come to its exec yet still is a copy of the command, and runs node.
          const isCopy = linkOf(`/proc/${name}/exe`) === process.execPath;
          if (!isCopy && contains(`/proc/${name}/environ`, secret)) seen.add(`environ of ${name}`);
        }
        for (const record of readdirSync(attachments)) {
          if (contains(`${attachments}/${record}`, secret)) seen.add(record);
        }
        await new Promise(setImmediate);
      }
      await ended;
      await Promise.all(output);
    };
    await watched(["attach", "-v", byFile]);
    await watched(["attachments", "-v", "--json"]);
    await watched(["detach", "--json", byFile]);
    await watched(["copy", "-v", "--json", ref, "null:"], { BLOCKHAUL_CHAP_SECRET: secret });
    await watched(["copy", "-v", ref, "null:"], { BLOCKHAUL_CHAP_SECRET: `${secret}x` });
    await watched(["copy", "-v", ref, "null:"], { BLOCKHAUL_CHAP_SECRET_FILE: file });
    assert.ok(looks > 20, `${looks} looks`);
    assert.deepEqual([...seen], []);
    assert.ok(!said.join("").includes(secret), said.join(""));
    assert.match(said.join(""), /does not let this host in/);
    assert.ok(!(await must("dmesg")).includes(secret));
    const places = ["/etc/iscsi", "/var/lib/iscsi", "/var/log", "/run", "/var/lib/blockhaul"];
    const { stdout } = await exec("grep", ["-rlsaF", "--devices=skip", secret, ...places]);
    assert.deepEqual(
      stdout.split("\n").filter((found) => found !== ""),
      [file],
    );
    await tgt.removeTarget(chapIqn);
  });
});

ways.end();

/**
 * @param {string} file
 * @param {string} text
 */
function contains(file, text) {
  try {
    return readFileSync(file, "latin1").includes(text);
  } catch {
    return false; // it ended
  }
}

/** @param {string} link */
function linkOf(link) {
  try {
    return readlinkSync(link);
  } catch {
    return undefined; // it ended, or is a thread of the kernel
  }
}
