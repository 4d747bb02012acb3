// @guest memory=1024 disks=64 limit=1800 modules=dm-mod
// Processes that are killed between any two things that they do, and reboots: `cleanup` finishes, as often as it is run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import {
  attachVolume,
  cleanUpAttachments,
  detachVolume,
  listAttachments,
  openVolume,
} from "blockhaul";

import { changeRecord } from "../../support/guest/change-record.mjs";
import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import { attachments, iqn, mib, randomFile, refused, Ways } from "../../support/guest/failures.mjs";
import { startIscsid, startMultipathd, stopMultipathd } from "../../support/guest/host.mjs";
import { Tgt } from "../../support/guest/iscsi-target.mjs";
import { PlainNode } from "../../support/guest/iscsiadm.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";

const killed = fileURLToPath(new URL("../../support/guest/killed.mjs", import.meta.url));
const secretFile = `${scratch}/secret`;
const chap = { user: "reader", password: "a-long-password" };
const ref = `iscsi://${chap.user}@127.0.0.1/${iqn}/1?secret-file=${secretFile}&login-timeout=5`;
const source = `${scratch}/source`;
const portal = "127.0.0.1:3260";
const node = new PlainNode(iqn, portal);
const ways = new Ways("kills");

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Tgt} */
let tgt;

before(async () => {
  iscsid = await startIscsid();
  tgt = await Tgt.start();
  writeFileSync(secretFile, chap.password, { mode: 0o600 });
  const luns = [{ file: randomFile(source, 8 * mib), serial: "kills", scsiId: "blockhaul-kills" }];
  await tgt.addTarget({ iqn, luns, chap });
  await ways.begin([source]);
});

after(async () => {
  await tgt.stop();
  await iscsid.stop();
});

/**
 * @param {number} number
 * @param {"before" | "during"} [moment]
 */
async function runKilled(number, moment = "before") {
  const { stdout, stderr, signal } = await exec(process.execPath, [
    ...[killed, ref],
    ...[String(number), moment],
  ]);
  assert.equal(signal, number === 0 ? null : "SIGKILL", stderr);
  return stdout;
}

async function cleanUp() {
  for (const { error } of await cleanUpAttachments()) assert.equal(error, undefined);
  await ways.nothingIsLeft();
  // Again, and there is nothing to do.
  assert.deepEqual(await cleanUpAttachments(), []);
}

describe("SIGKILL", () => {
  /** @type {string[]} */
  let done;

  // One process tells what there is to be killed at. It is more than is killed at in vain: see below.
  before(async () => {
    done = JSON.parse(await runKilled(0));
  });

  /**
   * @param {(place: { what: string, index: number, isOpen: boolean }) => boolean} wanted
   * @param {"before" | "during"} [moment]
   */
  async function killAtEach(wanted, moment) {
    const open = done.indexOf("open");
    const places = done
      .filter((what) => what !== "open")
      .map((what, index) => ({ what, index: index + 1, isOpen: index < open }))
      .filter(wanted);
    assert.ok(places.length >= 2, done.join("\n"));
    for (const { index, what } of places) {
      await runKilled(index, moment);
      try {
        await cleanUp();
      } catch (error) {
        throw new Error(`killed ${moment ?? "before"}: ${what}`, { cause: error });
      }
    }
  }

  ways.fails("before each thing that an attach does", async () => {
    await killAtEach(({ isOpen }) => isOpen);
  });

  ways.fails("while each of the programs of an attach runs", async () => {
    await killAtEach(({ isOpen, what }) => isOpen && what.startsWith("run"), "during");
  });

  ways.fails("before each thing that a detach does", async () => {
    await killAtEach(({ isOpen }) => !isOpen);
  });

  ways.fails("while each of the programs of a detach runs", async () => {
    await killAtEach(({ isOpen, what }) => !isOpen && what.startsWith("run"), "during");
  });

  ways.fails("its iscsiadm too, in a login that hangs", async () => {
    const child = spawn(process.execPath, [killed, ref, "0"], { detached: true, stdio: "ignore" });
    await until("it logs in", () => {
      if (!recorded('"iscsi-session"')) return false;
      tgt.pause();
      return true;
    });
    await sleep(300);
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await once(child, "exit");
    const cleaning = cleanUpAttachments();
    await sleep(1000);
    tgt.resume();
    await cleaning;
    await sleep(2000);
    await cleanUp();
  });

  ways.fails("with the volume open", async () => {
    const open = `import { openVolume } from "blockhaul"; await openVolume(process.argv[1]);
      console.log("open"); setInterval(() => {}, 1000);`;
    const args = ["--input-type=module", "-e", open, ref];
    const child = spawn(process.execPath, args, { cwd: new URL(".", import.meta.url).pathname });
    await once(child.stdout, "data");
    assert.deepEqual(await cleanUpAttachments(), []); // it is in use
    const [{ id } = { id: "" }] = await listAttachments();
    await refused(detachVolume(id), { code: "ERR_IN_USE", message: /is used by the process/ });
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.deepEqual(
      (await listAttachments()).map(({ state }) => state),
      ["abandoned"],
    );
    // The next one that wants the same LUN finishes it by itself.
    const volume = await openVolume(ref);
    await volume.close();
    await cleanUp();
  });
});

describe("a reboot", () => {
  /**
   * What a start of the host does to an attachment: devices and sessions are gone, files are not.
   *
   * @param {string} id
   */
  async function reboot(id) {
    for (const address of readdirSync("/sys/class/scsi_device")) {
      writeFileSync(`/sys/class/scsi_device/${address}/device/delete`, "1");
    }
    await node.logout();
    changeRecord(`${attachments}/${id}.json`, { bootId: "another" });
  }

  ways.fails("an attachment of another boot is abandoned", async () => {
    const { id } = await attachVolume(ref);
    assert.deepEqual(await cleanUpAttachments(), []); // it is kept
    await reboot(id);
    const [{ state, device } = {}] = await listAttachments();
    assert.deepEqual({ state, device }, { state: "abandoned", device: undefined });
    const [{ undone, error } = {}] = await cleanUpAttachments();
    assert.equal(error, undefined);
    assert.deepEqual(undone, [`node record of ${iqn} at ${portal}`]);
    await cleanUp();
  });

  ways.fails("somebody else has logged in to the same since then", async () => {
    const { id } = await attachVolume(ref);
    await reboot(id);
    await node.create({
      "node.session.auth.authmethod": "CHAP",
      "node.session.auth.username": chap.user,
      "node.session.auth.password": chap.password,
    });
    await node.login();
    const theirs = { device: await node.device(), records: node.records() };
    const { attachments: _, ...there } = await leftovers();
    const unchanged = async () => {
      assert.deepEqual(await leftovers({ attachments }), { ...there, attachments: [] });
      assert.deepEqual({ device: await node.device(), records: node.records() }, theirs);
    };
    for (const { error } of await cleanUpAttachments()) assert.equal(error, undefined);
    await unchanged();
    await (await openVolume(ref)).close();
    await unchanged();
    await node.logout();
    await node.remove();
    await cleanUp();
  });

  ways.fails("nothing of what it lists is there any more", async () => {
    for (const changes of [{ bootId: "another" }, { kept: false }]) {
      const { id } = await attachVolume(ref);
      const file = `${attachments}/${id}.json`;
      const record = readFileSync(file);
      await detachVolume(id);
      writeFileSync(file, record);
      changeRecord(`${attachments}/${id}.json`, changes);
      await cleanUp();
    }
  });
});

describe("a detach", () => {
  const folder = `${scratch}/mounted`;

  ways.fails("while the device is mounted", async () => {
    const file = `${scratch}/ext4`;
    randomFile(file, 8 * mib);
    await must("mkfs.ext4", ["-q", "-F", file]);
    await tgt.addLun(iqn, { lun: 2, file, serial: "ext4" });
    const { id, path } = await attachVolume(ref.replace("/1?", "/2?"));
    mkdirSync(folder);
    await must("mount", [path, folder]);
    await refused(detachVolume(id), {
      code: "ERR_IN_USE",
      message: /could not undo the LUN 2 .* it is mounted on .*mounted/,
      hint: /cleanup/,
    });
    const [{ failure } = {}] = await listAttachments();
    assert.match(failure ?? "", /is mounted on/);
    const [{ error } = {}] = await cleanUpAttachments();
    assert.equal(error?.code, "ERR_IN_USE");
    await refused(openVolume(ref.replace("/1?", "/2?")), {
      code: "ERR_IN_USE",
      message: /is not undone yet/,
      hint: /cleanup/,
    });
    await must("umount", [folder]);
    for (const cleaned of await cleanUpAttachments()) assert.equal(cleaned.error, undefined);
    await tgt.removeLun(iqn, 2);
    await cleanUp();
  });

  ways.fails("while device-mapper holds the device", async () => {
    const { id, path } = await attachVolume(ref);
    await must("dmsetup", ["create", "held", "--table", `0 8 linear ${path} 0`]);
    await refused(detachVolume(id), {
      code: "ERR_IN_USE",
      message: /it is held by the device-mapper device held \(dm-\d+\)/,
    });
    await must("dmsetup", ["remove", "held"]);
    await cleanUp();
  });

  ways.fails("while a program has the device for itself", async () => {
    const { id, path } = await attachVolume(ref);
    const volume = await openVolume(`block:${path}`, { mode: "write" });
    await refused(detachVolume(id), { code: "ERR_IN_USE", message: /is open elsewhere/ });
    await volume.close();
    await cleanUp();
  });

  ways.fails("while iscsid does not run", async () => {
    const { id } = await attachVolume(ref);
    await iscsid.stop("SIGKILL");
    try {
      await refused(detachVolume(id), {
        code: "ERR_DRIVER_UNAVAILABLE",
        message: /could not undo the session .*iscsid does not run/,
      });
    } finally {
      iscsid = await startIscsid(); // without it, the next ones would fail too
    }
    await cleanUp();
  });

  ways.fails("after the target died", async () => {
    const { id } = await attachVolume(
      `${ref}&replacement-timeout=3&noop-interval=1&noop-timeout=1`,
    );
    await tgt.kill();
    await sleep(1000);
    await detachVolume(id);
    await tgt.restart();
    await cleanUp();
  });

  ways.fails(
    "while the multipath map is held, and after multipathd died",
    async () => {
      const multipathd = await startMultipathd();
      const first = await attachVolume(ref);
      assert.match(first.path, /^\/dev\/mapper\//);
      await must("dmsetup", ["create", "held", "--table", `0 8 linear ${first.path} 0`]);
      await refused(detachVolume(first.id), {
        code: "ERR_IN_USE",
        message:
          /could not undo the multipath map .* it is held by the device-mapper device held \(dm-\d+\)/,
      });
      await must("dmsetup", ["remove", "held"]);
      for (const { error } of await cleanUpAttachments()) assert.equal(error, undefined);

      const second = await attachVolume(ref);
      await multipathd.stop("SIGKILL");
      await detachVolume(second.id);
      await stopMultipathd(multipathd);
      writeFileSync("/etc/multipath/wwids", ""); // multipathd remembers what it has seen, by design
    },
    2,
  );
});

ways.end();

/** @param {string} text */
function recorded(text) {
  return readdirSync(attachments)
    .filter((name) => /^[0-9a-f]+\.json$/.test(name))
    .some((name) => readFileSync(`${attachments}/${name}`, "utf8").includes(text));
}
