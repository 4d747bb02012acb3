// @guest memory=1024 disks=64 limit=1800 modules=dm-mod
// Attaches that are refused, by the target, by this host, or by blockhaul: each says why, and leaves nothing.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { after, before, describe } from "node:test";

import { cleanUpAttachments, openVolume } from "blockhaul";

import { seal } from "../../../out/modules/system/sealed.js";
import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import {
  attachments,
  iqn,
  mib,
  randomFile,
  refused,
  stateDirectory,
  Ways,
} from "../../support/guest/failures.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { backingFile, Lio, Tgt } from "../../support/guest/iscsi-target.mjs";

const portal = "127.0.0.1";
const chap = { user: "reader", password: "a-long-password" };
const mutual = { ...chap, mutualUser: "target", mutualPassword: "the-other-secret" };
const ref = `iscsi://${portal}/${iqn}/1`;
const chapIqn = `${iqn}-chap`;
const mutualIqn = `${iqn}-mutual`;
const lioIqn = `${iqn}-lio`;
const secretFile = `${scratch}/secret`;
const chapRef = `iscsi://${chap.user}@${portal}/${chapIqn}/1`;
const size = 8 * mib;
const source = `${scratch}/source`;
const ways = new Ways("refusals");

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Tgt} */
let tgt;
/** @type {Tgt} with a target of the same name that has another volume */
let otherTgt;
/** @type {Lio} */
let lio;

before(async () => {
  iscsid = await startIscsid();
  tgt = await Tgt.start();
  randomFile(source, size);
  writeFileSync(secretFile, chap.password, { mode: 0o600 });
  await tgt.addTarget({
    iqn,
    luns: [
      { file: source, serial: "serial-1", scsiId: "blockhaul-1" },
      { file: source, readOnly: true, serial: "serial-2" },
      { file: backingFile(`${scratch}/gone`, size), serial: "serial-3" },
    ],
  });
  await must("tgtadm", [
    ...["--lld", "iscsi", "--mode", "logicalunit", "--op", "update", "--tid", "1", "--lun", "3"],
    ...["--params", "removable=1,online=0"],
  ]);
  await tgt.addTarget({ iqn: chapIqn, luns: [{ file: source }], chap });
  await tgt.addTarget({ iqn: mutualIqn, luns: [{ file: source }], chap: mutual });
  otherTgt = await Tgt.start({ portals: ["127.0.0.2:3260"], controlPort: 1 });
  const other = randomFile(`${scratch}/other`, size);
  await otherTgt.addTarget({ iqn, luns: [{ file: other, serial: "serial-9", scsiId: "other" }] });
  lio = await Lio.start();
  const backstore = lio.addFile({ name: "disk", file: `${scratch}/lio`, size });
  lio.addTarget({ iqn: lioIqn, luns: [{ backstore }], initiator: "iqn.2024-01.org.other:host" });
  await ways.begin([source]);
});

after(async () => {
  lio.stop();
  await otherTgt.stop();
  await tgt.stop();
  await iscsid.stop();
});

/**
 * @param {string} of
 * @param {import("blockhaul").OpenOptions} [options]
 */
const open = (of, options) => openVolume(of, options);

describe("credentials", () => {
  ways.fails("a wrong secret", async () => {
    writeFileSync(`${scratch}/wrong`, "another-password", { mode: 0o600 });
    const error = await refused(open(`${chapRef}?secret-file=${scratch}/wrong`), {
      code: "ERR_AUTHENTICATION",
      message: /does not let this host in/,
      hint: /CHAP user and secret/,
    });
    assert.ok(!JSON.stringify(error).includes("another-password"));
  });

  ways.fails("a wrong user", async () => {
    await refused(open(`iscsi://writer@${portal}/${chapIqn}/1?secret-file=${secretFile}`), {
      code: "ERR_AUTHENTICATION",
      message: /does not let this host in/,
    });
  });

  ways.fails("no user where the target wants one", async () => {
    await refused(open(`iscsi://${portal}/${chapIqn}/1`), {
      code: "ERR_AUTHENTICATION",
      message: /does not let this host in/,
    });
  });

  ways.fails("no secret", async () => {
    await refused(open(chapRef), {
      code: "ERR_AUTHENTICATION",
      message: /no secret for the user reader/,
      hint: /BLOCKHAUL_CHAP_SECRET/,
    });
  });

  ways.fails("a secret that others can read", async () => {
    writeFileSync(`${scratch}/open`, chap.password);
    chmodSync(`${scratch}/open`, 0o640);
    await refused(open(`${chapRef}?secret-file=${scratch}/open`), {
      code: "ERR_PERMISSION",
      message: /can be read by others/,
      hint: /chmod 600/,
    });
  });

  ways.fails("a secret's file that is not there", async () => {
    await refused(open(`${chapRef}?secret-file=${scratch}/nowhere`), {
      code: "ERR_NOT_FOUND",
      message: /No such file|not exist/i,
      hint: /nowhere/,
    });
  });

  ways.fails("an empty secret's file", async () => {
    writeFileSync(`${scratch}/empty`, "\n", { mode: 0o600 });
    await refused(open(`${chapRef}?secret-file=${scratch}/empty`), {
      code: "ERR_INVALID_ARGUMENT",
      message: /empty/,
    });
  });

  ways.fails("a FIFO for a secret's file", async () => {
    await must("mkfifo", ["-m", "600", `${scratch}/fifo`]);
    await refused(open(`${chapRef}?secret-file=${scratch}/fifo`), {
      code: "ERR_PERMISSION",
      message: /is no file/,
    });
  });

  ways.fails("a target that cannot prove who it is", async () => {
    writeFileSync(`${scratch}/target`, "not-the-secret", { mode: 0o600 });
    const options = `secret-file=${secretFile}&target-user=target&target-secret-file=${scratch}/target`;
    await refused(open(`iscsi://${chap.user}@${portal}/${mutualIqn}/1?${options}`), {
      code: ["ERR_AUTHENTICATION", "ERR_NOT_FOUND"],
      message: /target/,
    });
  });

  ways.fails("an ACL that does not name this host", async () => {
    await refused(open(`iscsi://${portal}:3270/${lioIqn}/0`), {
      code: "ERR_AUTHENTICATION",
      message: /does not let this host in/,
      hint: /initiatorname/,
    });
  });

  ways.fails("a node record of somebody else, with other credentials", async () => {
    const node = ["-m", "node", "-T", chapIqn, "-p", `${portal}:3260`];
    await must("iscsiadm", [...node, "--interface", "default", "--op", "new"]);
    try {
      const before = await must("iscsiadm", [...node, "-S"]);
      await refused(open(`${chapRef}?secret-file=${secretFile}`), {
        code: "ERR_IN_USE",
        message: /record .* is there already, with other credentials/,
        hint: /iscsiadm/,
      });
      assert.equal(await must("iscsiadm", [...node, "-S"]), before);
    } finally {
      await must("iscsiadm", [...node, "--op", "delete"]);
    }
  });
});

describe("addresses", () => {
  ways.fails("an unknown IQN", async () => {
    await refused(open(`iscsi://${portal}/${iqn}-nowhere/1`), {
      code: "ERR_NOT_FOUND",
      message: /has no target .*-nowhere/,
      hint: new RegExp(iqn),
    });
  });

  ways.fails("an IQN that the target shows to others only", async () => {
    const hidden = `${iqn}-hidden`;
    await otherTgt.addTarget({ iqn: hidden, luns: [{ file: source }] });
    const acl = ["--control-port", "1", "--lld", "iscsi", "--mode", "target", "--tid", "2"];
    await must("tgtadm", [...acl, "--op", "bind", "--initiator-address", "192.0.2.1"]);
    await must("tgtadm", [...acl, "--op", "unbind", "--initiator-address", "ALL"]);
    await refused(open(`iscsi://127.0.0.2/${hidden}/1`), {
      code: ["ERR_NOT_FOUND", "ERR_AUTHENTICATION"],
      message: new RegExp(hidden),
    });
    await otherTgt.removeTarget(hidden);
  });

  ways.fails("a LUN that is not there", async () => {
    await refused(open(`iscsi://${portal}/${iqn}/7`), {
      code: "ERR_NOT_FOUND",
      message: /no disk at LUN 7/,
      hint: /LUN's number/,
    });
  });

  ways.fails("a LUN that is a controller", async () => {
    await refused(open(`iscsi://${portal}/${iqn}/0`), {
      code: "ERR_NOT_FOUND",
      message: /no disk at LUN 0/,
    });
  });

  ways.fails("a LUN without a medium", async () => {
    await refused(open(`iscsi://${portal}/${iqn}/3`), {
      code: "ERR_IO",
      message: /no size/,
    });
  });

  ways.fails("a closed port", async () => {
    await refused(open(`iscsi://${portal}:3299/${iqn}/1`), {
      code: "ERR_UNREACHABLE",
      message: /refuses connections/,
    });
  });

  ways.fails("a host whose name is not known", async () => {
    await refused(open(`iscsi://nowhere.invalid/${iqn}/1`), {
      code: "ERR_UNREACHABLE",
      message: /nowhere\.invalid is not known/,
    });
  });

  ways.fails("a portal that says nothing", async () => {
    await withServer(
      () => {},
      (port) =>
        refused(open(`iscsi://${portal}:${port}/${iqn}/1?login-timeout=2`), {
          code: ["ERR_TIMEOUT", "ERR_UNREACHABLE"],
          message: /does not answer|did not end|cannot be reached/,
        }),
    );
  });

  ways.fails("a portal that speaks something else", async () => {
    await withServer(
      (socket) => {
        socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      },
      (port) =>
        refused(open(`iscsi://${portal}:${port}/${iqn}/1?login-timeout=2`), {
          code: ["ERR_TIMEOUT", "ERR_UNREACHABLE"],
          message: /./,
        }),
    );
  });
});

describe("identity", () => {
  /** @type {readonly (readonly [string, string, RegExp])[]} */
  const wrong = [
    ["WWID", "wwid=naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa", /, not naa\.6001405a/],
    ["serial number", "serial=serial-8", /serial number serial-1, not serial-8/],
    ["size", "size=9MiB", /has 8 MiB, not 9 MiB/],
  ];
  for (const [what, option, message] of wrong) {
    ways.fails(`another ${what} than expected`, async () => {
      await refused(open(`${ref}?${option}`), { code: "ERR_WRONG_DEVICE", message });
    });
  }

  ways.fails("two portals that lead to different volumes", async () => {
    await refused(open(`iscsi://${portal},127.0.0.2/${iqn}/1`), {
      code: "ERR_WRONG_DEVICE",
      message: /127\.0\.0\.2.* is another volume than the one from the first portal/,
    });
  });
});

describe("this host", () => {
  ways.fails("iscsid does not run", async () => {
    await iscsid.stop();
    await refused(open(ref), {
      code: "ERR_DRIVER_UNAVAILABLE",
      message: /iscsid does not run/,
      hint: /start it/,
    });
    iscsid = await startIscsid();
  });

  ways.fails("iscsiadm is missing", async () => {
    const file = await must("readlink", ["-f", "/usr/sbin/iscsiadm"]).then((text) => text.trim());
    renameSync(file, `${file}.away`);
    try {
      await refused(open(ref), {
        code: "ERR_DRIVER_UNAVAILABLE",
        message: /iscsiadm is missing/,
        hint: /open-iscsi/,
      });
    } finally {
      renameSync(`${file}.away`, file);
    }
  });

  ways.fails("the kernel's initiator cannot be loaded", async () => {
    const file = "/etc/modprobe.d/blockhaul-test.conf";
    await until("iscsi_tcp is gone", async () => {
      return (await exec("modprobe", ["-r", "iscsi_tcp"])).status === 0;
    });
    writeFileSync(file, "install iscsi_tcp /bin/false\n");
    try {
      await refused(open(ref), {
        code: "ERR_DRIVER_UNAVAILABLE",
        message: /no iSCSI initiator/,
        hint: /modprobe/,
      });
    } finally {
      unlinkSync(file);
      await must("modprobe", ["iscsi_tcp"]);
    }
  });

  ways.fails("a user who may not", async () => {
    const folder = `${scratch}/nobody`;
    mkdirSync(folder);
    chownSync(folder, 65534, 65534);
    const script = `
      import { openVolume } from "blockhaul";
      const error = await openVolume(process.argv[1]).catch((thrown) => thrown);
      console.log(JSON.stringify(error));`;
    const command = [process.execPath, "--input-type=module", "-e", script, ref];
    const said = await must("setpriv", ["--reuid=65534", "--clear-groups", ...command], {
      cwd: new URL(".", import.meta.url).pathname,
      env: { BLOCKHAUL_STATE_DIR: folder },
    });
    const error = JSON.parse(said);
    assert.equal(error.code, "ERR_PERMISSION", said);
    assert.match(error.hint, /root/);
    assert.equal(await must("find", [`${folder}/attachments`, "-type", "f"]), "");
    rmSync(folder, { recursive: true });
  });

  ways.fails("no node in /dev", async () => {
    const rules = "/run/udev/rules.d/99-test.rules";
    mkdirSync("/run/udev/rules.d", { recursive: true });
    writeFileSync(rules, 'ACTION=="add", KERNEL=="sd*", RUN+="/bin/rm -f /dev/$kernel"\n');
    await must("udevadm", ["control", "--reload"]);
    // udev comes later than the kernel, which makes the node: it is to be gone when it is looked for.
    const seen = atDevice((name) => {
      execFileSync("udevadm", ["settle"]);
      rmSync(`/dev/${name}`, { force: true });
    });
    await refused(open(ref), { code: "ERR_DEVICE_GONE", message: /no node in \/dev/ });
    await seen;
    unlinkSync(rules);
    await must("udevadm", ["control", "--reload"]);
  });
});

describe("somebody else's device", () => {
  ways.fails("a read-only LUN that is to be written to", async () => {
    await refused(open(`iscsi://${portal}/${iqn}/2`, { mode: "write" }), {
      code: "ERR_READ_ONLY",
      message: /./,
    });
  });

  ways.fails("device-mapper claims it as soon as it is there, as LVM would", async () => {
    const seen = atDevice((name) => {
      execFileSync("dmsetup", ["create", "grab", "--table", `0 8 linear /dev/${name} 0`]);
    });
    const error = await refused(open(ref), {
      code: "ERR_IN_USE",
      message: /could not undo the LUN 1 .* it is held by the device-mapper device grab \(dm-\d+\)/,
      hint: /lsblk|cleanup/,
    });
    await seen;
    assert.match(error.message, /it is held by the device-mapper device grab \(dm-\d+\)/);
    await refused(open(ref), {
      code: "ERR_IN_USE",
      message: /an earlier attachment of it, [0-9a-f]{12}, is not undone yet: .*grab/,
      hint: /blockhaul cleanup/,
    });
    await must("dmsetup", ["remove", "grab"]);
    const cleaned = await cleanUpAttachments();
    assert.deepEqual(
      cleaned.map(({ error: left }) => left),
      [undefined],
    );
  });

  ways.fails("it is mounted as soon as it is there", async () => {
    const file = backingFile(`${scratch}/ext4`, size);
    await must("mkfs.ext4", ["-q", file]);
    await tgt.addLun(iqn, { lun: 4, file, serial: "serial-4" });
    mkdirSync(`${scratch}/mounted`);
    const seen = atDevice((name) => {
      execFileSync("mount", [`/dev/${name}`, `${scratch}/mounted`]);
    });
    await refused(open(`iscsi://${portal}/${iqn}/4`), {
      code: "ERR_IN_USE",
      message: /is mounted on .*mounted/,
    });
    await seen;
    await must("umount", [`${scratch}/mounted`]);
    const cleaned = await cleanUpAttachments();
    assert.deepEqual(
      cleaned.map(({ error }) => error),
      [undefined],
    );
    await tgt.removeLun(iqn, 4);
  });
});

describe("the state directory", () => {
  /**
   * @param {string} options of tmpfs
   * @param {(folder: string) => Promise<void>} body
   */
  async function withStateOn(options, body) {
    const folder = `${scratch}/other-state`;
    mkdirSync(folder);
    await must("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
    process.env.BLOCKHAUL_STATE_DIR = folder;
    try {
      await body(folder);
      const files = await must("find", [folder, "-type", "f", "!", "-name", "balloon"]);
      assert.equal(files, "");
    } finally {
      process.env.BLOCKHAUL_STATE_DIR = stateDirectory;
      await must("umount", [folder]);
      rmSync(folder, { recursive: true });
    }
  }

  ways.fails("it cannot be written to", async () => {
    await withStateOn("size=64k", async (folder) => {
      await must("mount", ["-o", "remount,ro", folder]);
      await refused(open(ref), {
        code: ["ERR_READ_ONLY", "ERR_NOT_FOUND"],
        message: /other-state/,
        hint: /BLOCKHAUL_STATE_DIR/,
      });
    });
  });

  ways.fails("it is full", async () => {
    await withStateOn("size=8k", async (folder) => {
      fill(`${folder}/balloon`);
      await refused(open(ref), {
        code: "ERR_NO_SPACE",
        message: /no space/i,
        hint: /BLOCKHAUL_STATE_DIR/,
      });
    });
  });

  ways.fails("it is full from the login on", async () => {
    await withStateOn("size=64k", async (folder) => {
      const timer = setInterval(() => {
        if (readdirSync("/sys/class/iscsi_session").length === 0) return;
        clearInterval(timer);
        fill(`${folder}/balloon`);
      }, 5);
      await refused(open(ref), {
        code: "ERR_NO_SPACE",
        message: /no space/i,
        hint: /BLOCKHAUL_STATE_DIR/,
      });
    });
  });

  ways.fails("a record in it is none", async () => {
    const file = `${attachments}/0123456789ab.json`;
    writeFileSync(file, "{}\n");
    await refused(open(ref), {
      code: "ERR_JOURNAL",
      message: /0123456789ab\.json is no record/,
      hint: /by hand/,
    });
    await refused(cleanUpAttachments(), { code: "ERR_JOURNAL", message: /is no record/ });
    unlinkSync(file);
    await cleanUpAttachments();
  });

  ways.fails("a record in it has a step that only a later version can undo", async () => {
    const file = `${attachments}/0123456789ab.json`;
    const step = { kind: "teleport", data: {} };
    const record = { version: 1, id: "0123456789ab", ref: "x:", createdAt: "", bootId: "", pid: 1 };
    writeFileSync(file, seal({ ...record, kept: true, steps: [step] }));
    const [cleaned] = await cleanUpAttachments();
    assert.equal(cleaned?.error?.code, "ERR_UNSUPPORTED");
    assert.match(cleaned?.error?.message ?? "", /"teleport"/);
    unlinkSync(file);
    await cleanUpAttachments();
  });

  ways.fails("its lock leads elsewhere", async () => {
    const [file, kept] = ["/run/blockhaul/attach.lock", "/run/blockhaul/kept.lock"];
    renameSync(file, kept);
    symlinkSync("/etc/passwd", file);
    try {
      await refused(open(ref), {
        code: "ERR_INVALID_ARGUMENT",
        message: /attach\.lock/,
        hint: /^/,
      });
    } finally {
      renameSync(kept, file);
    }
  });
});

ways.end();

/**
 * Does something at the first moment of a new disk, before anybody else comes to it.
 *
 * @param {(name: string) => void} act
 * @returns {Promise<void>} when it was done
 */
function atDevice(act) {
  const before = new Set(readdirSync("/sys/class/block"));
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const names = readdirSync("/sys/class/block");
      const name = names.find((found) => found.startsWith("sd") && !before.has(found));
      if (name === undefined) return;
      clearInterval(timer);
      try {
        act(name);
        resolve();
      } catch (error) {
        reject(error);
      }
    }, 5);
  });
}

/**
 * @param {(socket: import("node:net").Socket) => void} serve
 * @param {(port: number) => Promise<unknown>} body
 */
async function withServer(serve, body) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  await once(server.listen(0, portal), "listening");
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  try {
    await body(address.port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/**
 * Writes until no byte more has room.
 *
 * @param {string} file
 */
function fill(file) {
  for (const size of [4096, 1]) {
    for (;;) {
      try {
        appendFileSync(file, Buffer.alloc(size));
      } catch {
        break;
      }
    }
  }
}
