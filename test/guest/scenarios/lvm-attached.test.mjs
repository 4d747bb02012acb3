// @guest memory=1024 disks=256 limit=1800
// Logical volumes opened over iSCSI through LIO and tgt, copies from snapshots, and what killed processes leave.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { attachVolume, cleanUpAttachments, detachVolume, openVolume } from "blockhaul";

import { exec, must, scratch, until } from "../../support/guest/exec.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { Lio, Tgt } from "../../support/guest/iscsi-target.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const MiB = 1024 * 1024;
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const state = `${scratch}/state`;
Object.assign(process.env, { BLOCKHAUL_STATE_DIR: state });

const exportedBy = {
  lio: "?export=iscsi&portal=127.0.0.1:3271",
  tgt: "?export=iscsi&target=tgt",
};

/** @type {VolumeGroup} */
let group;
/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Tgt} */
let tgt;

before(async () => {
  iscsid = await startIscsid();
  tgt = await Tgt.start();
  await Lio.start();
  group = await VolumeGroup.create("vg", ["/dev/ubda"]);
  await must("vgchange", ["-s", "64k", "vg"]);
  await must("lvcreate", ["-y", "--type", "thin-pool", "-L", "32m", "-n", "pool", "vg"]);
  // A pool's own device appears with its first volume, and stays.
  await must("lvcreate", ["-y", "-V", "1m", "--thinpool", "pool", "-n", "first", "vg"]);
  await remove("first");
});

after(async () => {
  await group.remove();
  await tgt.stop();
  await iscsid.stop();
  const left = await leftovers({ attachments: `${state}/attachments` });
  for (const [what, names] of Object.entries(left)) assert.deepEqual(names, [], what);
});

let count = 0;

/** @param {number} size @param {string[]} [more] */
async function newVolume(size, more = []) {
  count += 1;
  const name = `volume-${count}`;
  await must("lvcreate", ["-y", "-Wn", "-L", `${size}b`, "-n", name, ...more, "vg"]);
  return name;
}

/** @param {string} name */
async function remove(name) {
  await must("lvremove", ["-y", `vg/${name}`]);
}

/** @param {string} name */
async function isActive(name) {
  const shown = await must("lvs", [
    "--noheadings",
    "--binary",
    "-o",
    "lv_active_locally",
    `vg/${name}`,
  ]);
  return shown.trim() === "1";
}

/** @param {string} name */
async function content(name) {
  await must("lvchange", ["-ay", `vg/${name}`]);
  await must("dd", [`if=/dev/vg/${name}`, `of=${scratch}/read`, "bs=1M", "iflag=direct"]);
  return readFileSync(`${scratch}/read`);
}

async function everything() {
  const left = await leftovers({ attachments: `${state}/attachments` });
  const tree = await must("find", ["/sys/kernel/config/target", "-maxdepth", "4"]);
  return { ...left, tree: tree.trim().split("\n").sort() };
}

/** @type {unknown} */
let atFirst;
beforeEach(async () => {
  atFirst = await everything();
});
afterEach(async () => {
  assert.deepEqual(await everything(), atFirst);
});

for (const [target, query] of Object.entries(exportedBy)) {
  describe(`a volume exported by ${target}`, () => {
    it("is written to, found in the volume itself, and left without a trace", async () => {
      const name = await newVolume(4 * MiB);
      await must("lvchange", ["-an", `vg/${name}`]);
      const bytes = randomBytes(4 * MiB);
      const volume = await openVolume(`lvm:vg/${name}${query}`, { mode: "write" });
      assert.equal(volume.size, 4 * MiB);
      await volume.write(bytes, { position: 0 });
      await volume.close();
      assert.equal(await isActive(name), false);
      assert.deepEqual(await content(name), bytes);
      await remove(name);
    });

    it("is made thin, and its zeros skipped", async () => {
      const image = `${scratch}/image`;
      const bytes = Buffer.concat([randomBytes(MiB), Buffer.alloc(3 * MiB)]);
      writeFileSync(image, bytes);
      const out = await must(process.execPath, [
        ...[blockhaul, "copy", "--json", "--no-extents", "--create", "--thin-pool", "pool"],
        ...[image, `lvm:vg/thin-${target}${query}`],
      ]);
      assert.equal(JSON.parse(out.trim().split("\n").at(-1) ?? "").skipped, 3 * MiB);
      assert.deepEqual(await content(`thin-${target}`), bytes);
      await remove(`thin-${target}`);
    });

    it("is not made where it cannot be exported", async () => {
      const busy = query.replace(/&portal=[^&]*/, "").concat("&portal=203.0.113.1:3260");
      await exec("ip", ["route", "add", "unreachable", "203.0.113.0/24"]);
      const create = { size: MiB, exclusive: true };
      await assert.rejects(openVolume(`lvm:vg/never${busy}`, { mode: "write", create }));
      await exec("ip", ["route", "delete", "unreachable", "203.0.113.0/24"]);
    });

    it("shows a snapshot of itself, which stays as it was", async () => {
      const name = await newVolume(2 * MiB);
      const bytes = randomBytes(2 * MiB);
      writeFileSync(`${scratch}/bytes`, bytes);
      await must("dd", [`if=${scratch}/bytes`, `of=/dev/vg/${name}`, "bs=1M", "oflag=direct"]);
      const volume = await openVolume(`lvm:vg/${name}${query}`, { snapshot: true });
      await must("dd", ["if=/dev/zero", `of=/dev/vg/${name}`, "bs=1M", "count=2", "oflag=direct"]);
      const read = Buffer.alloc(2 * MiB);
      await volume.read(read, { position: 0 });
      assert.deepEqual(read, bytes);
      await volume.close();
      await remove(name);
    });
  });
}

describe("an activation", () => {
  it("is undone by the last of those who need it", async () => {
    const name = await newVolume(MiB);
    await must("lvchange", ["-an", `vg/${name}`]);
    const first = await openVolume(`lvm:vg/${name}`);
    const second = await openVolume(`lvm:vg/${name}`);
    await first.close();
    assert.equal(await isActive(name), true);
    await second.close();
    assert.equal(await isActive(name), false);
    await remove(name);
  });

  it("is kept by attach, until detach", async () => {
    const name = await newVolume(MiB);
    await must("lvchange", ["-an", `vg/${name}`]);
    const { id, path, identity } = await attachVolume(`lvm:vg/${name}`);
    assert.equal(path, `/dev/mapper/vg-${name.replaceAll("-", "--")}`);
    assert.equal(identity.size, MiB);
    assert.equal(await isActive(name), true);
    await detachVolume(id);
    assert.equal(await isActive(name), false);
    await remove(name);
  });

  it("leaves one alone that was active, or is another volume by then", async () => {
    const name = await newVolume(MiB);
    await (await openVolume(`lvm:vg/${name}`)).close();
    assert.equal(await isActive(name), true);
    await must("lvchange", ["-an", `vg/${name}`]);
    const { id } = await attachVolume(`lvm:vg/${name}`);
    await remove(name);
    await must("lvcreate", ["-y", "-Wn", "-L", "1m", "-n", name, "vg"]);
    await detachVolume(id);
    assert.equal(await isActive(name), true);
    await remove(name);
  });
});

describe("copy --snapshot", () => {
  for (const more of ["thick", "thin"]) {
    it(`copies what a ${more} volume held when it began`, async () => {
      const name = await newVolume(MiB);
      const ref = `lvm:vg/${name}`;
      if (more === "thin") {
        await remove(name);
        const create = { size: MiB, thinPool: "pool" };
        await (await openVolume(ref, { mode: "write", create })).close();
      }
      const bytes = randomBytes(MiB);
      const volume = await openVolume(ref, { mode: "write" });
      await volume.write(bytes, { position: 0 });
      await volume.close();
      const image = `${scratch}/copy-${more}`;
      const dry = [blockhaul, "copy", "--snapshot", "--dry-run", ref, image];
      await must(process.execPath, dry);
      await must(process.execPath, [blockhaul, "copy", "--snapshot", ref, image]);
      assert.deepEqual(readFileSync(image), bytes);
      await remove(name);
    });
  }

  it("is refused where there are no snapshots", async () => {
    writeFileSync(`${scratch}/plain`, "x".repeat(512));
    const command = [blockhaul, "copy", "--snapshot", `${scratch}/plain`, "null:"];
    const { status, stderr } = await exec(process.execPath, command);
    assert.equal(status, 2);
    assert.match(stderr, /takes no snapshots/);
  });

  for (const query of ["", exportedBy.lio, exportedBy.tgt]) {
    it(`leaves what a killed one took to the clean-up: lvm:VG/LV${query}`, async () => {
      const name = await newVolume(8 * MiB);
      await must("lvchange", ["-an", `vg/${name}`]);
      const slowly = ["copy", "--snapshot", "--bwlimit", "64k", `lvm:vg/${name}${query}`, "null:"];
      const child = spawn(process.execPath, [blockhaul, ...slowly, "--progress", "json"], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      let said = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (text) => {
          said += text;
        });
      }
      await until("it copies", () => said.includes('"copying"'));
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      const { volumes } = await leftovers();
      assert.equal(volumes.filter((volume) => volume.includes("blockhaul-snap-")).length, 1);
      const cleaned = await cleanUpAttachments();
      assert.deepEqual(
        cleaned.map(({ error }) => error),
        [undefined],
      );
      assert.deepEqual(await cleanUpAttachments(), []);
      assert.equal(await isActive(name), false);
      await remove(name);
    });
  }
});
