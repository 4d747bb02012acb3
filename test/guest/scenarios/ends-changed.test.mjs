// @guest memory=768 disks=192 limit=1800
// Logical volumes and LUNs that are removed, renamed, replaced, resized or written to during a copy or its verification:
// no copy ever reports a target that is not what its name leads to.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { after, before, describe, it } from "node:test";

import { copyWhile } from "../../support/copy-while.mjs";
import { exec, must, scratch } from "../../support/guest/exec.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { Tgt } from "../../support/guest/iscsi-target.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const MiB = 1024 ** 2;
const SIZE = 4 * MiB;
const content = randomBytes(SIZE);
const seed = `${scratch}/seed`;
/** A request to what is gone is not waited for: others than these are tried beside it. */
const impatient = { retries: 1, requestTimeoutMs: 20_000, stallLimitMs: 20_000 };
const phases = /** @type {const} */ (["copy", "verify"]);

/**
 * As in test/support/changing-ends.ts: an error's code, or "right" (the target is), or "any" (an error, or right).
 *
 * @typedef {"ERR_VOLUME_CHANGED" | "ERR_LIVE_SOURCE" | "right" | "any"} Outcome
 */

/** @type {VolumeGroup} */
let group;
let count = 0;
const next = () => {
  count += 1;
  return count;
};

before(async () => {
  writeFileSync(seed, content);
  group = await VolumeGroup.create("vg-ends", ["/dev/ubda"]);
  await must("vgchange", ["-s", "64k", group.name]);
  await group.addThinPool("pool", "64m");
});
after(() => group.remove());

/** @param {string} path @param {Buffer} bytes @param {number} [at] */
function write(path, bytes, at = 0) {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, at);
  fsyncSync(file);
  closeSync(file);
}

/** A file for what is copied to or from it. @param {Buffer} bytes */
function newFile(bytes) {
  const file = `${scratch}/file-${next()}`;
  writeFileSync(file, bytes);
  return file;
}

/**
 * @param {Outcome} expected
 * @param {import("../../support/copy-while.mjs").Ended} ended
 * @param {() => Buffer} found what has the target's name by now
 */
function check(expected, { report, error }, found) {
  if (expected.startsWith("ERR_")) assert.equal(error?.code, expected, String(error));
  if (expected === "right") assert.equal(error, undefined);
  if (report !== undefined) assert.ok(found().subarray(0, SIZE).equals(content));
}

/** @type {{ what: string, make: (name: string) => Promise<unknown>, source: Outcome, target: Outcome }[]} */
const ofVolumes = [
  {
    what: "renamed",
    make: (name) => must("lvrename", [group.name, name, `${name}-old`]),
    source: "ERR_VOLUME_CHANGED",
    target: "ERR_VOLUME_CHANGED",
  },
  {
    what: "replaced",
    make: async (name) => {
      await must("lvrename", [group.name, name, `${name}-old`]);
      await group.addVolume(name, `${SIZE}b`);
    },
    source: "ERR_VOLUME_CHANGED",
    target: "ERR_VOLUME_CHANGED",
  },
  {
    what: "grown",
    make: (name) => must("lvextend", ["-L", `${2 * SIZE}b`, `${group.name}/${name}`]),
    source: "ERR_VOLUME_CHANGED",
    target: "ERR_VOLUME_CHANGED",
  },
  {
    what: "written to",
    make: async (name) => write(group.device(name), randomBytes(4096), SIZE / 2),
    source: "ERR_LIVE_SOURCE",
    target: "any",
  },
  {
    what: "not removed, as LVM removes none that is open",
    make: (name) => exec("lvremove", ["--yes", `${group.name}/${name}`]),
    source: "right",
    target: "right",
  },
];

for (const kind of ["thick", "thin"]) {
  describe(`a ${kind} volume`, () => {
    /** @param {Buffer} bytes */
    async function make(bytes) {
      const name = `volume-${next()}`;
      if (kind === "thick") await group.addVolume(name, `${SIZE}b`);
      else await group.addThinVolume(name, "pool", `${SIZE}b`);
      write(group.device(name), bytes);
      return name;
    }
    /** @param {string} name */
    const drop = (name) =>
      exec("lvremove", ["--yes", `${group.name}/${name}`, `${group.name}/${name}-old`]);
    /** @param {string} name */
    const refOf = (name) => `lvm:${group.name}/${name}`;

    for (const { what, make: change, source, target } of ofVolumes) {
      for (const phase of phases) {
        it(`that is ${what}, as the source, during: ${phase}`, async () => {
          const name = await make(content);
          const to = newFile(Buffer.alloc(SIZE));
          const ended = await copyWhile(refOf(name), to, SIZE, phase, () => change(name));
          check(source, ended, () => readFileSync(to));
          await drop(name);
        });

        it(`that is ${what}, as the target, during: ${phase}`, async () => {
          const name = await make(Buffer.alloc(SIZE, 0xee));
          const ended = await copyWhile(seed, refOf(name), SIZE, phase, () => change(name));
          check(target, ended, () => readFileSync(group.device(name)));
          await drop(name);
        });
      }
    }
  });
}

describe("a LUN", () => {
  /** @type {Tgt} */
  let tgt;

  before(async () => {
    await startIscsid();
    tgt = await Tgt.start();
  });
  after(() => tgt.stop());

  /** A unit of a target of its own. */
  class Lun {
    iqn = `iqn.2024-01.org.blockhaul.test:ends-${next()}`;
    ref = `iscsi://127.0.0.1/${this.iqn}/1`;
    /** What is behind it by now. */
    file = "";

    /** @param {Buffer} bytes */
    async show(bytes) {
      this.file = newFile(bytes);
      await tgt.addLun(this.iqn, { lun: 1, file: this.file, serial: `serial-${count}` });
    }

    /** @param {Buffer} bytes */
    static async make(bytes) {
      const lun = new Lun();
      await tgt.addTarget({ iqn: lun.iqn });
      await lun.show(bytes);
      return lun;
    }
  }

  /** @type {{ what: string, make: (lun: Lun) => Promise<unknown>, source?: Outcome | undefined, target: Outcome }[]} */
  const changes = [
    {
      what: "removed",
      make: ({ iqn }) => tgt.removeLun(iqn, 1),
      source: "any",
      target: "any",
    },
    {
      what: "replaced",
      make: async (lun) => {
        await tgt.removeLun(lun.iqn, 1);
        await lun.show(randomBytes(SIZE));
      },
      source: "ERR_VOLUME_CHANGED",
      target: "ERR_VOLUME_CHANGED",
    },
    {
      // As a source it changes unseen: of what other hosts write, this one keeps no account.
      what: "written to by others",
      make: async ({ file }) => write(file, randomBytes(4096), SIZE / 2),
      source: undefined,
      target: "any",
    },
    { what: "there again at once", make: () => tgt.restart(), source: "any", target: "any" },
  ];

  for (const { what, make: change, source, target } of changes) {
    for (const phase of phases) {
      it(`that is ${what}, as the target, during: ${phase}`, async () => {
        const lun = await Lun.make(Buffer.alloc(SIZE, 0xee));
        const ended = await copyWhile(seed, lun.ref, SIZE, phase, () => change(lun), impatient);
        check(target, ended, () => readFileSync(lun.file));
        await tgt.removeTarget(lun.iqn);
      });

      if (source === undefined) continue;
      it(`that is ${what}, as the source, during: ${phase}`, async () => {
        const lun = await Lun.make(content);
        const to = newFile(Buffer.alloc(SIZE));
        const ended = await copyWhile(lun.ref, to, SIZE, phase, () => change(lun), impatient);
        check(source, ended, () => readFileSync(to));
        await tgt.removeTarget(lun.iqn);
      });
    }
  }
});
