// @guest memory=1024 disks=64 limit=1800 modules=dm-mod
// What breaks while volumes are copied or attached: the copy says so, or goes on, and nothing is left.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { copyVolume, openVolume } from "blockhaul";

import { must, scratch, until } from "../../support/guest/exec.mjs";
import {
  attachments,
  digest,
  iqn,
  mib,
  randomFile,
  refused,
  Ways,
} from "../../support/guest/failures.mjs";
import { attachLoop, detachLoop, startIscsid } from "../../support/guest/host.mjs";
import { backingFile, Tgt } from "../../support/guest/iscsi-target.mjs";

const size = 16 * mib;
const bwlimit = 4 * mib;
const source = `${scratch}/source`;
const target = `${scratch}/target`;
const small = `${scratch}/small`;
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const timeouts = "replacement-timeout=2&noop-interval=1&noop-timeout=1&login-timeout=3";
const sourceRef = `iscsi://127.0.0.1/${iqn}/1?${timeouts}`;
const targetRef = `iscsi://127.0.0.1/${iqn}/2?${timeouts}`;
const patientRef = `iscsi://127.0.0.1/${iqn}/2?replacement-timeout=60`;
const ways = new Ways("in-flight");

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Tgt} */
let tgt;

before(async () => {
  iscsid = await startIscsid();
  mkdirSync(small);
  await must("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small]);
  tgt = await Tgt.start();
  randomFile(source, size);
  await tgt.addTarget({
    iqn,
    luns: [
      { file: source, serial: "in-flight-1" },
      { file: backingFile(target, size), serial: "in-flight-2" },
      { file: backingFile(`${small}/target`, size), serial: "in-flight-3" },
    ],
  });
  await ways.begin([source]);
});

after(async () => {
  await tgt.stop();
  await iscsid.stop();
});

/**
 * Copies slowly, and does something when a part is copied.
 *
 * @param {string} from
 * @param {string} to
 * @param {() => unknown} trouble
 * @param {AbortSignal} [signal]
 */
async function copy(from, to, trouble, signal) {
  const opened = await openVolume(from);
  try {
    const written = await openVolume(to, { mode: "write" });
    try {
      let did = Promise.resolve();
      let begun = false;
      const copied = copyVolume(opened, written, {
        // The target of the same machine has the source's file open, to serve it.
        allow: ["live-source"],
        bandwidthLimit: bwlimit,
        memory: 4 * mib,
        ...(signal === undefined ? {} : { signal }),
        onProgress: () => {
          if (begun) return;
          begun = true;
          did = (async () => void (await trouble()))();
          did.catch(() => {}); // awaited below
        },
      });
      // Both are waited for, whichever fails.
      await Promise.allSettled([copied]);
      await did;
      return await copied;
    } finally {
      await written.close();
    }
  } finally {
    await opened.close();
  }
}

const failing = {
  code: ["ERR_IO", "ERR_DEVICE_GONE", "ERR_NO_SPACE", "ERR_READ_ONLY"],
  message: /(read|write|zero|flush)|detach/,
};

/**
 * @param {number} lun
 * @param {string} attribute of its device
 * @param {string} value
 */
function setAttribute(lun, attribute, value) {
  const name = readdirSync("/sys/class/scsi_device").find((at) => at.endsWith(`:${lun}`));
  writeFileSync(`/sys/class/scsi_device/${name}/device/${attribute}`, value);
}

/** @param {string} params */
async function tellTarget(params) {
  const at = ["--lld", "iscsi", "--mode", "logicalunit", "--op", "update", "--tid", "1"];
  await must("tgtadm", [...at, "--lun", "2", "--params", params]);
}

describe("the target", () => {
  ways.fails("is killed and comes back in time: the copy goes on", async () => {
    await copy(source, patientRef, async () => {
      await tgt.kill();
      await sleep(500);
      await tgt.restart();
    });
    assert.equal(digest(target), digest(source));
  });

  ways.fails("hangs for a while: the copy goes on", async () => {
    await copy(source, patientRef, async () => {
      tgt.pause();
      await sleep(3000);
      tgt.resume();
    });
    assert.equal(digest(target), digest(source));
  });

  ways.fails("is killed and does not come back: written to", async () => {
    await refused(
      copy(source, targetRef, () => tgt.kill()),
      failing,
    );
    await tgt.restart();
  });

  ways.fails("is killed and does not come back: read from", async () => {
    await refused(
      copy(sourceRef, "null:", () => tgt.kill()),
      failing,
    );
    await tgt.restart();
  });

  ways.fails("hangs for good", async () => {
    await refused(
      copy(source, targetRef, () => tgt.pause()),
      failing,
    );
    tgt.resume();
  });

  ways.fails("hangs between the last read and the close", async () => {
    const volume = await openVolume(sourceRef);
    tgt.pause();
    const closing = volume.close();
    await closing.catch(() => {});
    tgt.resume();
  });

  ways.fails("becomes read-only", async () => {
    await refused(
      copy(source, targetRef, () => tellTarget("readonly=1")),
      failing,
    );
    await tellTarget("readonly=0");
  });

  ways.fails("has no room left", async () => {
    await refused(
      copy(source, targetRef.replace("/2?", "/3?"), () => {}),
      failing,
    );
  });
});

describe("the host", () => {
  ways.fails("somebody logs the session out", async () => {
    await refused(
      copy(source, targetRef, () => must("iscsiadm", ["-m", "node", "-T", iqn, "--logout"])),
      failing,
    );
  });

  ways.fails("somebody deletes the device", async () => {
    await refused(
      copy(source, targetRef, () => setAttribute(2, "delete", "1")),
      failing,
    );
  });

  ways.fails("somebody takes the device offline", async () => {
    await refused(
      copy(source, targetRef, () => setAttribute(2, "state", "offline\n")),
      failing,
    );
  });

  ways.fails("iscsid is killed, and started again", async () => {
    await copy(source, patientRef, async () => {
      await iscsid.stop("SIGKILL");
      iscsid = await startIscsid();
    });
    assert.equal(digest(target), digest(source));
  });
});

describe("the source", () => {
  ways.fails("a bad sector of device-mapper", async () => {
    const loop = await attachLoop(source);
    const sectors = size / 512;
    const table = `0 8192 linear ${loop} 0\n8192 8 error\n8200 ${sectors - 8200} linear ${loop} 8200\n`;
    await must("dmsetup", ["create", "bad"], { input: table });
    await refused(
      copy("/dev/mapper/bad", targetRef, () => {}),
      { code: "ERR_IO", message: /source .*read at offset \d+/ },
    );
    await must("dmsetup", ["remove", "bad"]);
    await detachLoop(loop);
  });

  ways.fails("a medium error of scsi_debug", async () => {
    const before = new Set(readdirSync("/sys/block"));
    await must("modprobe", ["scsi_debug", "dev_size_mb=16", "opts=2"]);
    const name = await until("a disk of scsi_debug", () =>
      readdirSync("/sys/block").find((found) => found.startsWith("sd") && !before.has(found)),
    );
    await must("udevadm", ["settle"]);
    await refused(
      copy(`/dev/${name}`, targetRef, () => {}),
      { code: "ERR_IO", message: /source .*read at offset \d+/ },
    );
    await must("modprobe", ["-r", "scsi_debug"]);
  });
});

describe("a stop on request", () => {
  const stopped = { code: "ERR_CANCELLED", message: /stop|cancel/, hint: /^/ };

  ways.fails("before anything is done", async () => {
    await refused(openVolume(sourceRef, { signal: AbortSignal.abort() }), stopped);
  });

  ways.fails("while a target that hangs is asked", async () => {
    tgt.pause();
    // It hangs until the target is asked no more: whoever waits for it waits to the guest's end.
    await refused(openVolume(sourceRef, { signal: AbortSignal.timeout(1500) }), stopped);
    tgt.resume();
  });

  ways.fails("while iscsid logs in", async () => {
    const controller = new AbortController();
    const timer = whenRecorded('"iscsi-session"', () => {
      tgt.pause();
      controller.abort();
    });
    await refused(openVolume(sourceRef, { signal: controller.signal }), {
      code: ["ERR_CANCELLED", "ERR_UNREACHABLE", "ERR_TIMEOUT"],
      message: /./,
      hint: /^/,
    });
    clearInterval(timer);
    tgt.resume();
  });

  ways.fails("after the scan", async () => {
    const controller = new AbortController();
    const timer = whenRecorded('"iscsi-lun"', () => controller.abort());
    await refused(openVolume(sourceRef, { signal: controller.signal }), stopped);
    clearInterval(timer);
  });

  ways.fails("in the copy", async () => {
    const controller = new AbortController();
    await refused(
      copy(sourceRef, targetRef, () => controller.abort(), controller.signal),
      stopped,
    );
  });

  /** @type {readonly (readonly [string, string[], () => unknown])[]} */
  const commands = [
    ["in an attach", ["attach", sourceRef], () => recorded('"iscsi-session"')],
    [
      "in a copy",
      ["copy", "--allow-live-source", "--bwlimit", "1MiB", sourceRef, targetRef],
      () => recorded('"iscsi-lun"') && readdirSync(attachments).length >= 4,
    ],
  ];
  for (const [where, args, isThere] of commands) {
    ways.fails(`SIGINT ${where}`, async () => {
      const child = spawn(process.execPath, [blockhaul, ...args], { stdio: "ignore" });
      const ended = once(child, "exit");
      await soon(isThere);
      if (where === "in a copy") await sleep(1500);
      child.kill("SIGINT");
      assert.deepEqual(await ended, [130, null]);
    });
  }
});

ways.end();

/** @param {string} text */
function recorded(text) {
  return readdirSync(attachments).some((name) => {
    const file = `${attachments}/${name}`;
    return name.endsWith(".json") && existsSync(file) && readFileSync(file, "utf8").includes(text);
  });
}

/**
 * @param {string} text
 * @param {() => void} act once a record has the text
 */
function whenRecorded(text, act) {
  return when(() => recorded(text), act);
}

/**
 * Looks so often that what comes next has not happened yet: an attach takes less time than `until` pauses.
 *
 * @param {() => unknown} isThere
 * @param {() => void} act
 */
function when(isThere, act) {
  const timer = setInterval(() => {
    if (!isThere()) return;
    clearInterval(timer);
    act();
  }, 5);
  return timer;
}

/**
 * @param {() => unknown} isThere
 * @returns {Promise<void>}
 */
function soon(isThere) {
  return new Promise((resolve) => {
    when(isThere, resolve);
  });
}
