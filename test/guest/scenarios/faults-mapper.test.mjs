// @guest memory=1024 disks=64,64,128 limit=1800 modules=dm-mod,dm-flakey,dm-delay
// Faults that device-mapper makes: bad sectors, writes that are dropped or changed, delays, a device that hangs, and a
// thin pool that is full. Each copy ends with the same bytes or with an error that tells, and goes on to the same bytes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeSync } from "node:fs";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import { digest, mib, randomFile } from "../../support/guest/failures.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const size = 24 * mib;
const sectors = size / 512;
const source = `${scratch}/source`;
const sourceDisk = "/dev/ubda";
const targetDisk = "/dev/ubdb";
const state = `${scratch}/state`;
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
/** @type {string} */
let digestBefore;

before(async () => {
  randomFile(source, size);
  digestBefore = digest(source);
  await must("dd", [`if=${source}`, `of=${sourceDisk}`, "bs=1M", "oflag=direct", "status=none"]);
});

/**
 * @param {string} name
 * @param {(dm: Mapped) => Promise<void>} body
 */
function fault(name, body) {
  it(name, async () => {
    const dm = new Mapped();
    try {
      await body(dm);
    } finally {
      await dm.remove();
    }
    assert.equal(digest(source), digestBefore);
    await must("cmp", ["-n", String(size), source, sourceDisk]);
  });
}

/** A device whose table is exchanged under whoever uses it. */
class Mapped {
  name = "faulty";
  path = `/dev/mapper/${this.name}`;
  #isThere = false;

  /** @param {...string} lines */
  async make(...lines) {
    await must("dmsetup", ["create", this.name], { input: `${lines.join("\n")}\n` });
    this.#isThere = true;
  }

  /** @param {...string} lines */
  async become(...lines) {
    await must("dmsetup", ["suspend", "--nolockfs", "--noflush", this.name]);
    await must("dmsetup", ["load", this.name], { input: `${lines.join("\n")}\n` });
    await must("dmsetup", ["resume", this.name]);
  }

  async remove() {
    if (!this.#isThere) return;
    await exec("dmsetup", ["resume", this.name]);
    await must("udevadm", ["settle"]);
    await must("dmsetup", ["remove", "--retry", this.name]);
  }
}

const good = `0 ${sectors} linear ${targetDisk} 0`;
const goodSource = `0 ${sectors} linear ${sourceDisk} 0`;
/** Bytes; whole blocks of 4096. */
const bad = [
  { offset: 5 * mib + 4096, length: 4096 },
  { offset: 17 * mib, length: 3 * 4096 },
];

/** The source's disk with bad ranges. */
function badSource() {
  const lines = [];
  let at = 0;
  for (const { offset, length } of bad) {
    const [first, count] = [offset / 512, length / 512];
    lines.push(`${at} ${first - at} linear ${sourceDisk} ${at}`, `${first} ${count} error`);
    at = first + count;
  }
  return [...lines, `${at} ${sectors - at} linear ${sourceDisk} ${at}`];
}

/**
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, withinMs?: number }} [options]
 */
async function run(args, { env = {}, withinMs = 300_000 } = {}) {
  const [command = "", ...rest] = args;
  const line = [blockhaul, command, "--json", ...rest];
  const end = await exec(process.execPath, line, {
    env: { BLOCKHAUL_STATE_DIR: state, ...env },
    timeoutMs: withinMs,
  });
  const told = `${line.join(" ")}\n${end.status ?? end.signal}\n${end.stdout}${end.stderr}`;
  assert.equal(end.signal, null, told);
  const event = JSON.parse(end.stdout.trimEnd().split("\n").at(-1) ?? "{}");
  return { ...end, event, told };
}

/**
 * @param {string} job
 * @param {...string} flags
 */
async function resumes(job, ...flags) {
  const { status, told } = await run(["resume", ...flags, job]);
  assert.equal(status, 0, told);
}

/** Past the cache, which knows nothing of what came through device-mapper. */
async function same(device = targetDisk, expected = source) {
  const line = `dd if=${device} bs=1M count=${size / mib} iflag=direct status=none | cmp - ${expected}`;
  await must("bash", ["-o", "pipefail", "-c", line]);
}

/** So that nothing of an earlier case is taken for this one's. */
async function spoilTarget() {
  await must("sh", [
    "-c",
    `tr '\\0' '\\356' </dev/zero | dd of=${targetDisk} bs=1M count=${size / mib} iflag=fullblock oflag=direct status=none`,
  ]);
}

describe("a source with bad sectors", () => {
  fault("ends a copy at the first of them; with the sectors well again, it goes on", async (dm) => {
    await spoilTarget();
    await dm.make(...badSource());
    const flags = ["--checkpoint-interval", "0.05", "--bwlimit", "16MiB"];
    const { status, event, told } = await run(["copy", ...flags, dm.path, targetDisk]);
    assert.equal(status, 1, told);
    assert.equal(event.code, "ERR_IO", told);
    assert.equal(event.side, "source", told);
    const [first] = bad;
    const request = 2 * mib;
    const start = Math.floor((first?.offset ?? 0) / request) * request;
    assert.ok(event.offset >= start && event.offset <= (first?.offset ?? 0), told);
    await dm.become(goodSource);
    await resumes(event.job);
    await same();
  });

  for (const io of ["uring", "threads"]) {
    fault(`--salvage lists just these and makes them zeros, ${io}`, async (dm) => {
      await spoilTarget();
      await dm.make(...badSource());
      const env = { BLOCKHAUL_IO: io };
      const { status, event, told } = await run(["copy", "--salvage", dm.path, targetDisk], {
        env,
      });
      assert.equal(status, 7, told);
      assert.deepEqual(event.bad, bad, told);
      const expected = `${scratch}/salvaged`;
      await must("cp", [source, expected]);
      const file = openSync(expected, "r+");
      for (const { offset, length } of bad)
        writeSync(file, Buffer.alloc(length), 0, length, offset);
      await same(targetDisk, expected);
    });
  }
});

describe("a target", () => {
  const seconds = 100_000;
  const flakey = (/** @type {string} */ features) =>
    `0 ${sectors} flakey ${targetDisk} 0 0 ${seconds} ${features}`;

  for (const [what, features] of [
    ["drops what is written", "1 drop_writes"],
    ["changes a byte of what is written", "5 corrupt_bio_byte 33 w 7 0"],
  ]) {
    fault(`${what}: only reading it back shows that, and --repair mends it`, async (dm) => {
      await spoilTarget();
      await dm.make(flakey(features ?? ""));
      const plain = await run(["copy", source, dm.path]);
      assert.equal(plain.status, 0, plain.told);

      const { status, event, told } = await run(["copy", "--verify", source, dm.path]);
      assert.equal(status, 6, told);
      assert.equal(event.code, "ERR_VERIFICATION", told);
      assert.deepEqual(event.ranges, [{ offset: 0, length: size }], told);

      const verified = await run(["verify", source, dm.path]);
      assert.equal(verified.status, 6, verified.told);

      const stillBad = await run(["resume", "--repair", event.job]);
      assert.equal(stillBad.status, 6, stillBad.told);

      await dm.become(good);
      await resumes(event.job, "--repair");
      await same();
      assert.equal((await run(["verify", source, dm.path])).status, 0);
    });
  }

  fault("fails what is written, and is well again", async (dm) => {
    await spoilTarget();
    await dm.make(good);
    const child = await begin(dm.path);
    await dm.become(flakey("1 error_writes"));
    const { event, told } = await child.end();
    assert.equal(event.code, "ERR_IO", told);
    assert.equal(event.side, "target", told);
    await dm.become(good);
    await resumes(event.job, "--bwlimit", "0");
    await same();
  });

  fault("is slow: the copy waits", async (dm) => {
    await spoilTarget();
    await dm.make(`0 ${sectors} delay ${targetDisk} 0 150`);
    const { status, told } = await run(["copy", "--request-timeout", "10", source, dm.path]);
    assert.equal(status, 0, told);
    await same();
  });

  for (const io of ["uring", "threads"]) {
    fault(`hangs: the copy ends in time, and goes on later, ${io}`, async (dm) => {
      await spoilTarget();
      await dm.make(good);
      const child = await begin(dm.path, ["--request-timeout", "2"], { BLOCKHAUL_IO: io });
      await must("dmsetup", ["suspend", "--nolockfs", "--noflush", dm.name]);
      // A thread that the kernel holds keeps its process; the error is said in time all the same.
      if (io === "threads") await child.said(/"code":"ERR_TIMEOUT"/);
      const ended = io === "threads" ? undefined : await child.end();
      await must("dmsetup", ["resume", dm.name]);
      const { event, told } = ended ?? (await child.end());
      assert.equal(event.code, "ERR_TIMEOUT", told);
      await resumes(event.job, "--bwlimit", "0");
      await same();
    });
  }
});

describe("a thin pool", () => {
  it("is full, and is extended", async () => {
    const group = await VolumeGroup.create("group", ["/dev/ubdc"]);
    await group.addThinPool("pool", "12m");
    await must("lvchange", ["--errorwhenfull", "y", "group/pool"]);
    const thin = await group.addThinVolume("thin", "pool", `${size / mib}m`);
    const { status, event, told } = await run(["copy", source, thin]);
    assert.equal(status, 1, told);
    assert.ok(["ERR_NO_SPACE", "ERR_IO"].includes(event.code), told);
    assert.equal(event.side, "target", told);
    await must("lvextend", ["-L", "48m", "group/pool"]);
    await resumes(event.job);
    await same(thin);
    await group.remove();
  });
});

/**
 * A copy that runs, once some of it is recorded.
 *
 * @param {string} target
 * @param {readonly string[]} [flags]
 * @param {Record<string, string>} [env]
 */
async function begin(target, flags = [], env = {}) {
  const slow = ["--bwlimit", "6MiB", "--checkpoint-interval", "0.05"];
  const args = [blockhaul, "copy", "--json", ...slow, ...flags, source, target];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, BLOCKHAUL_STATE_DIR: state, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const ended = once(child, "close");
  await until("a part is copied", () => /"type":"progress".*"done":[1-9]\d{6}/.test(said));
  return {
    said: (/** @type {RegExp} */ pattern) => until(`it says ${pattern}`, () => pattern.test(said)),
    end: async (withinMs = 300_000) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
        exec("dmsetup", ["resume", "faulty"]); // what cannot be killed
      }, withinMs);
      await ended;
      clearTimeout(timer);
      assert.ok(!late, `it had not ended after ${withinMs} ms\n${said}`);
      return { event: JSON.parse(said.trimEnd().split("\n").at(-1) ?? "{}"), told: said };
    },
  };
}
