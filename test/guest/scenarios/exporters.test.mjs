// @guest memory=1024 disks=128,64 limit=1800
// Block devices of this host offered as iSCSI targets by LIO and tgt: made, used, cut off anywhere, removed.

import assert from "node:assert/strict";
import childProcess from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import fsPromises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { lioExporter } from "../../../out/modules/exporters/lio.js";
import { tgtExporter } from "../../../out/modules/exporters/tgt.js";
import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import {
  formatAndMount,
  initiatorName,
  startIscsid,
  udevSettle,
  unmount,
} from "../../support/guest/host.mjs";
import { backingFile, Lio, Tgt } from "../../support/guest/iscsi-target.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";

const MiB = 1024 * 1024;
const configfs = "/sys/kernel/config/target";
const data = `${scratch}/data`;

/** @typedef {import("../../../out/modules/exporters/exporter.js").Exporter} Exporter */
/** @typedef {import("../../../out/modules/exporters/exporter.js").DeviceExport} DeviceExport */
/** @typedef {import("../../../out/modules/connectors/connection.js").IscsiConnection} IscsiConnection */

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Tgt} */
let tgt;
/** @type {unknown} */
let atFirst;

const others = {
  lio: "iqn.2024-01.org.blockhaul.test:others-lio",
  tgt: "iqn.2024-01.org.blockhaul.test:others-tgt",
};

before(async () => {
  writeFileSync(data, randomBytes(4 * MiB));
  iscsid = await startIscsid();
  tgt = await Tgt.start({ portals: ["127.0.0.1:3260", "127.0.0.2:3260"] });
  // What is there before stays as it is: one target of each, of somebody else.
  await tgt.addTarget({
    iqn: others.tgt,
    luns: [{ file: backingFile(`${scratch}/others-tgt`, MiB) }],
  });
  const lio = await Lio.start();
  const backstore = lio.addFile({ name: "others", file: `${scratch}/others-lio`, size: MiB });
  lio.addTarget({ iqn: others.lio, portals: ["127.0.0.1:3270"], luns: [{ backstore }] });
  atFirst = await everything();
});

after(async () => {
  assert.deepEqual(await everything(), atFirst);
  await tgt.stop();
  await iscsid.stop();
});

/** All that there is of targets, and whether the devices are free. */
async function everything() {
  const tree = await must("find", [`${configfs}/core`, `${configfs}/iscsi`, "-maxdepth", "5"]);
  const shown = await exec("tgtadm", ["--lld", "iscsi", "--mode", "target", "--op", "show"]);
  return {
    ...(await leftovers()),
    tree: tree.trim().split("\n").sort(),
    tgt: shown.stdout.replace(/^\s+I_T nexus:[\s\S]*?(?=^ {4}\S)/gm, ""),
  };
}

let count = 0;

/**
 * @param {Partial<DeviceExport>} [changes]
 * @returns {DeviceExport}
 */
function newExport(changes = {}) {
  count += 1;
  const id = count.toString(16).padStart(12, "b");
  const portal = { host: "127.0.0.1", port: 3271 };
  return { id, device: "/dev/ubda", identity: id, portal, ...changes };
}

/** @param {string} code */
const failing = (code) => (/** @type {unknown} */ error) => {
  assert.equal(/** @type {{ code?: string }} */ (error).code, code, String(error));
  return true;
};

/** @param {IscsiConnection["auth"]} auth */
function textOf(auth) {
  const secret = auth?.secret;
  return typeof secret === "object" ? secret.bytes.toString() : secret;
}

/** @param {IscsiConnection} connection */
function initiator({ iqn, portals: [portal], lun, auth }) {
  assert.ok(portal);
  const host = portal.host.includes(":") ? `[${portal.host}]` : portal.host;
  const of = ["-m", "node", "-T", iqn, "-p", `${host}:${portal.port}`];
  const set = (/** @type {string} */ name, /** @type {string} */ value) =>
    must("iscsiadm", [...of, "--op", "update", "-n", name, "-v", value]);
  return {
    async create(user = auth?.user, secret = textOf(auth)) {
      await must("iscsiadm", [...of, "--interface", "default", "--op", "new"]);
      if (user === undefined || secret === undefined) return;
      await set("node.session.auth.authmethod", "CHAP");
      await set("node.session.auth.username", user);
      await set("node.session.auth.password", secret);
    },
    tryLogin: async () => (await exec("iscsiadm", [...of, "--login"])).status,
    async device() {
      await udevSettle();
      return until("the device", () => {
        for (const session of list("/sys/class/iscsi_session")) {
          const folder = `/sys/class/iscsi_session/${session}`;
          if (readFileSync(`${folder}/targetname`, "utf8").trim() !== iqn) continue;
          const [target] = list(`${folder}/device`).filter((name) => name.startsWith("target"));
          const device = list(`${folder}/device/${target}`).find((name) =>
            name.endsWith(`:${lun}`),
          );
          const [name] = list(`${folder}/device/${target}/${device}/block`);
          if (name !== undefined) return name;
        }
        return false;
      });
    },
    logout: () => exec("iscsiadm", [...of, "--logout"]),
    remove: () => exec("iscsiadm", [...of, "--op", "delete"]),
  };
}

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/**
 * Lets so many calls through, then fails them all: what a killed process leaves.
 *
 * @param {"files" | "programs"} what
 * @param {number} allowed
 * @param {() => Promise<unknown>} action
 * @returns {Promise<boolean>} whether it was cut off
 */
async function cutOffAfter(what, allowed, action) {
  /** @type {Record<string, Function>} */
  const owner = /** @type {any} */ (what === "files" ? fsPromises : childProcess);
  const names =
    what === "files" ? ["mkdir", "symlink", "writeFile", "chmod", "rmdir", "unlink"] : ["spawn"];
  const originals = names.map((name) => [name, owner[name]]);
  let left = allowed;
  let wasCutOff = false;
  for (const [name, original] of originals) {
    owner[/** @type {string} */ (name)] = (/** @type {unknown[]} */ ...args) => {
      // Looking changes nothing, and is not to be cut off alone.
      if (Array.isArray(args[1]) && args[1].includes("show")) {
        return /** @type {Function} */ (original)(...args);
      }
      if (left === 0) {
        wasCutOff = true;
        throw Object.assign(new Error("cut off"), { code: "EXDEV" });
      }
      left -= 1;
      return /** @type {Function} */ (original)(...args);
    };
  }
  syncBuiltinESMExports();
  try {
    await action();
  } catch (error) {
    if (!wasCutOff) throw error;
  } finally {
    for (const [name, original] of originals) {
      owner[/** @type {string} */ (name)] = /** @type {Function} */ (original);
    }
    syncBuiltinESMExports();
  }
  return wasCutOff;
}

/** @type {readonly (readonly [Exporter, number, "files" | "programs"])[]} */
const exporters = [
  [lioExporter, 3271, "files"],
  [tgtExporter, 3260, "programs"],
];

for (const [exporter, port, changes] of exporters) {
  describe(exporter.name, () => {
    const portal = { host: "127.0.0.1", port };
    /** @type {unknown} */
    let before;

    beforeEach(async () => {
      before = await everything();
    });
    afterEach(async () => {
      assert.deepEqual(await everything(), before);
    });

    it("offers a device, to this host alone, with a serial number of its own", async () => {
      const wanted = newExport({ portal });
      await exporter.create(wanted);
      const connection = await exporter.admit(wanted);
      assert.equal(connection.expected?.size, 128 * MiB);
      const login = initiator(connection);
      await login.create();
      assert.equal(await login.tryLogin(), 0);
      const name = await login.device();
      const page = readFileSync(`/sys/block/${name}/device/vpd_pg80`, "latin1");
      // LIO ends it with a NUL, and tgt puts spaces before it.
      assert.equal(page.slice(4).replace("\0", "").trim(), connection.expected?.serial);
      await must("dd", [`if=${data}`, `of=/dev/${name}`, "bs=1M", "oflag=direct"]);
      await must("cmp", ["-n", String(4 * MiB), data, "/dev/ubda"]);
      await login.logout();
      await login.remove();
      await exporter.dismiss(wanted.id);
      await exporter.remove(wanted.id);
      // Again: it is gone, and that is fine.
      await exporter.dismiss(wanted.id);
      await exporter.remove(wanted.id);
    });

    it("lets nobody in before and after", async () => {
      const wanted = newExport({ portal });
      await exporter.create(wanted);
      const connection = await exporter.admit(wanted);
      await exporter.dismiss(wanted.id);
      const login = initiator(connection);
      await login.create();
      assert.notEqual(await login.tryLogin(), 0);
      await login.remove();
      await exporter.remove(wanted.id);
    });

    it("is removed although a session is there", async () => {
      const wanted = newExport({ portal });
      await exporter.create(wanted);
      const login = initiator(await exporter.admit(wanted));
      await login.create();
      assert.equal(await login.tryLogin(), 0);
      await login.device();
      await exporter.remove(wanted.id);
      await login.logout();
      await login.remove();
    });

    it("is made again after it was cut off anywhere, and removed", async () => {
      for (let calls = 0, goesOn = true; goesOn; calls += 1) {
        const wanted = newExport({ portal });
        const make = async () => {
          await exporter.create(wanted);
          await exporter.admit(wanted);
        };
        goesOn = await cutOffAfter(changes, calls, make);
        if (calls % 2 === 1) await make();
        await exporter.dismiss(wanted.id);
        await exporter.remove(wanted.id);
        assert.deepEqual(await everything(), before, `after ${calls} calls`);
        if (!goesOn) assert.ok(calls > 3, `it takes ${calls} calls`);
      }
    });

    it("is removed after the removal was cut off anywhere", async () => {
      for (let calls = 0, goesOn = true; goesOn; calls += 1) {
        const wanted = newExport({ portal });
        await exporter.create(wanted);
        await exporter.admit(wanted);
        goesOn = await cutOffAfter(changes, calls, () => exporter.remove(wanted.id));
        await exporter.remove(wanted.id);
        assert.deepEqual(await everything(), before, `after ${calls} calls`);
        if (!goesOn) assert.ok(calls > 0, "it was never cut off");
      }
    });

    it("refuses a device that is missing, none, or in use", async () => {
      mkdirSync("/dev/folder", { recursive: true });
      for (const [device, code] of /** @type {const} */ ([
        ["/dev/nope", "ERR_NOT_FOUND"],
        ["/dev/null", "ERR_NOT_A_VOLUME"],
        ["/dev/folder", "ERR_NOT_A_VOLUME"],
        ["/dev/ubda,readonly=1", "ERR_INVALID_ARGUMENT"],
        ["/etc/passwd", "ERR_INVALID_ARGUMENT"],
      ])) {
        const wanted = newExport({ portal, device });
        await assert.rejects(exporter.create(wanted), failing(code), device);
        await exporter.remove(wanted.id);
      }
    });

    it("listens on no name and not everywhere", async () => {
      for (const host of ["localhost", "0.0.0.0", "::"]) {
        const wanted = newExport({ portal: { host, port } });
        await assert.rejects(exporter.create(wanted), failing("ERR_INVALID_ARGUMENT"));
      }
    });
  });
}

describe("LIO", () => {
  it("keeps a secret that only root can read, another one each time", async () => {
    const wanted = newExport();
    await lioExporter.create(wanted);
    const first = await lioExporter.admit(wanted);
    const second = await lioExporter.admit(wanted);
    assert.match(textOf(first.auth) ?? "", /^[0-9a-f]{24}$/);
    assert.notEqual(textOf(first.auth), textOf(second.auth));
    const folder = `${configfs}/iscsi/${second.iqn}/tpgt_1/acls/${initiatorName}/auth`;
    assert.equal(readFileSync(`${folder}/password`, "utf8").trim(), textOf(second.auth));
    for (const name of ["userid", "password"]) {
      assert.equal(statSync(`${folder}/${name}`).mode & 0o777, 0o600, name);
    }
    const login = initiator(second);
    await login.create(first.auth?.user, textOf(first.auth));
    assert.equal(await login.tryLogin(), 24);
    await login.remove();
    await lioExporter.remove(wanted.id);
  });

  it("has several targets on one portal, also another's, and listens on IPv6", async () => {
    const portals = [
      { host: "127.0.0.1", port: 3271 },
      { host: "127.0.0.1", port: 3270 },
      { host: "::1", port: 3271 },
    ];
    for (const portal of portals) {
      const [first, second] = [newExport({ portal }), newExport({ portal, device: "/dev/ubdb" })];
      await lioExporter.create(first);
      await lioExporter.create(second);
      const login = initiator(await lioExporter.admit(second));
      await lioExporter.remove(first.id);
      await login.create();
      assert.equal(await login.tryLogin(), 0, JSON.stringify(portal));
      await login.device();
      await login.logout();
      await login.remove();
      await lioExporter.remove(second.id);
    }
  });

  it("does not share a port with another program", async () => {
    const server = createServer().listen(3299, "127.0.0.1");
    await until("the port is taken", () => server.listening);
    const wanted = newExport({ portal: { host: "127.0.0.1", port: 3299 } });
    await assert.rejects(lioExporter.create(wanted), failing("ERR_IN_USE"));
    await lioExporter.remove(wanted.id);
    server.close();
  });

  it("does not take a device that is mounted, or exported already", async () => {
    await formatAndMount("/dev/ubdb", `${scratch}/mounted`);
    const wanted = newExport({ device: "/dev/ubdb" });
    await assert.rejects(lioExporter.create(wanted), failing("ERR_IN_USE"));
    await lioExporter.remove(wanted.id);
    await unmount(`${scratch}/mounted`);
    const [first, second] = [newExport(), newExport()];
    await lioExporter.create(first);
    await assert.rejects(lioExporter.create(second), failing("ERR_IN_USE"));
    await lioExporter.remove(second.id);
    await lioExporter.remove(first.id);
  });
});

describe("tgt", () => {
  it("takes the next free number, and says where there is no tgtd", async () => {
    const tids = ["2", "4"];
    for (const tid of tids) {
      const iqn = `iqn.2024-01.org.blockhaul.test:${tid}`;
      const args = ["--mode", "target", "--op", "new", "--tid", tid, "--targetname", iqn];
      await must("tgtadm", ["--lld", "iscsi", ...args]);
    }
    const portal = { host: "127.0.0.1", port: 3260 };
    const [first, second] = [newExport({ portal }), newExport({ portal, device: "/dev/ubdb" })];
    await tgtExporter.create(first);
    await tgtExporter.create(second);
    const shown = await must("tgtadm", ["--lld", "iscsi", "--mode", "target", "--op", "show"]);
    assert.deepEqual(
      [...shown.matchAll(/^Target (\d+): /gm)].map(([, tid]) => tid),
      ["1", "2", "3", "4", "5"],
    );
    for (const { id } of [first, second]) await tgtExporter.remove(id);
    for (const tid of tids) {
      await must("tgtadm", ["--lld", "iscsi", "--mode", "target", "--op", "delete", "--tid", tid]);
    }
    await tgtExporter.create(first);
    await tgt.kill();
    await assert.rejects(tgtExporter.create(first), failing("ERR_DRIVER_UNAVAILABLE"));
    // Its targets went with it.
    await tgtExporter.dismiss(first.id);
    await tgtExporter.remove(first.id);
    await tgt.restart();
  });

  it("lets in by the address alone, and not from another one", async () => {
    const wanted = newExport({ portal: { host: "127.0.0.1", port: 3260 } });
    await tgtExporter.create(wanted);
    const connection = await tgtExporter.admit(wanted);
    const shown = await must("tgtadm", ["--lld", "iscsi", "--mode", "target", "--op", "show"]);
    const [, ours = ""] = shown.split(`${connection.iqn}\n`);
    assert.match(ours, /ACL information:\n {8}127\.0\.0\.1\n$/);
    await must("ip", ["address", "add", "10.99.0.1/32", "dev", "lo"]);
    await must("tgtadm", [
      ...["--lld", "iscsi", "--mode", "portal", "--op", "new"],
      ...["--param", "portal=10.99.0.1:3260"],
    ]);
    const portals = [{ host: "10.99.0.1", port: 3260 }];
    const login = initiator({ ...connection, portals });
    await login.create();
    assert.notEqual(await login.tryLogin(), 0);
    await login.remove();
    await tgtExporter.remove(wanted.id);
    await must("tgtadm", [
      ...["--lld", "iscsi", "--mode", "portal", "--op", "delete"],
      ...["--param", "portal=10.99.0.1:3260"],
    ]);
    await must("ip", ["address", "delete", "10.99.0.1/32", "dev", "lo"]);
  });
});
