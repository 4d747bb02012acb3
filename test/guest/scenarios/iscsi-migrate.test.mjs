// @guest memory=2048 disks=256 limit=1800
// A file system with real files on its way through iSCSI, LVM and Ceph RBD, judged by tools that are not ours: the
// bytes where the target itself keeps them, the file system's own check, and each file's sum once it is mounted.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { copyVolume, openVolume } from "blockhaul";

import { startCeph } from "../../support/ceph.mjs";
import { must, scratch } from "../../support/guest/exec.mjs";
import { loadModules, startIscsid, unmount } from "../../support/guest/host.mjs";
import { backingFile, Tgt } from "../../support/guest/iscsi-target.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const mib = 1024 * 1024;
const size = 32 * mib;
const iqn = "iqn.2024-01.org.blockhaul.test:migrate";
const content = fileURLToPath(new URL("../../../dist", import.meta.url));
const image = `${scratch}/image`;

/** @type {Tgt} */
let tgt;
/** @type {import("../../support/ceph.mjs").CephCluster} */
let ceph;
/** @type {Awaited<ReturnType<typeof leftovers>>} */
let atFirst;
let count = 0;

before(async () => {
  await startIscsid();
  await loadModules("loop");
  tgt = await Tgt.start();
  await tgt.addTarget({ iqn });
  ceph = await startCeph({
    dir: "/run/ceph-migrate",
    store: "memstore",
    settings: { "memstore device bytes": String(512 * mib) },
  });
  process.env.CEPH_CONF = ceph.conf;
  await must("mkfs.ext4", ["-q", "-d", content, backingFile(image, size)]);
  await assertIsWhole(image);
  atFirst = await leftovers();
});

after(async () => {
  await ceph.stop();
  await tgt.stop();
});

/**
 * A LUN, and the file that the target keeps it in.
 *
 * @param {string} [source] what it holds; nothing unless told
 * @param {512 | 4096} [blockSize]
 */
async function newLun(source, blockSize = 512) {
  count += 1;
  const file = backingFile(`${scratch}/lun-${count}`, size);
  if (source !== undefined) await must("cp", [source, file]);
  const lun = await tgt.addLun(iqn, { file, blockSize });
  return { file, ref: `iscsi://127.0.0.1/${iqn}/${lun}` };
}

/**
 * @param {string} from
 * @param {string} to
 * @param {import("blockhaul").CreateOptions} [create]
 */
async function migrate(from, to, create) {
  const source = await openVolume(from);
  try {
    const target = await openVolume(to, { mode: "write", ...(create && { create }) });
    try {
      await copyVolume(source, target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/**
 * The image as it was made, and a file system without a fault that holds every file.
 *
 * @param {string} file or device
 */
async function assertIsWhole(file) {
  await must("cmp", ["-n", String(size), image, file]);
  await must("e2fsck", ["-fn", file]);
  const folder = `${scratch}/mounted`;
  mkdirSync(folder, { recursive: true });
  await must("mount", ["-o", "ro,noload", file, folder]);
  try {
    const sums = sumsOf(content);
    assert.ok(Object.keys(sums).length > 100, "there are files");
    assert.deepEqual(sumsOf(folder), sums);
  } finally {
    await unmount(folder);
  }
}

/**
 * @param {string} folder
 * @returns {Record<string, string>} the sum of each file
 */
function sumsOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  return Object.fromEntries(
    files.map((file) => [
      path.relative(folder, file),
      createHash("sha256").update(readFileSync(file)).digest("hex"),
    ]),
  );
}

async function assertNothingIsLeft() {
  assert.deepEqual(await leftovers(), atFirst);
}

describe("a file system", () => {
  it("from iSCSI to Ceph RBD, and to iSCSI again", async () => {
    const [source, target] = [await newLun(image), await newLun()];
    await migrate(source.ref, "rbd:rbd/from-iscsi", { size });
    const exported = `${scratch}/exported`;
    await must("rbd", ["-c", ceph.conf, "export", "--no-progress", "rbd/from-iscsi", exported]);
    await assertIsWhole(exported);
    await migrate("rbd:rbd/from-iscsi", target.ref);
    await assertIsWhole(target.file);
    await assertNothingIsLeft();
  });

  it("from a file to iSCSI in blocks of 4096, and to a file again", async () => {
    const lun = await newLun(undefined, 4096);
    await migrate(image, lun.ref);
    await assertIsWhole(lun.file);
    const file = `${scratch}/back`;
    await migrate(lun.ref, file, { size });
    await assertIsWhole(file);
    await assertNothingIsLeft();
  });

  it("from iSCSI in blocks of 512 to blocks of 4096, over what was there before", async () => {
    const [source, target] = [await newLun(image), await newLun(undefined, 4096)];
    await migrate(`pattern:${size}:1`, target.ref);
    await migrate(source.ref, target.ref);
    await assertIsWhole(target.file);
    await assertNothingIsLeft();
  });

  it("from LVM to Ceph RBD, and to LVM again", async () => {
    const group = await VolumeGroup.create("group", ["/dev/ubda"]);
    const source = await group.addVolume("source", `${size / mib}m`);
    await must("dd", [`if=${image}`, `of=${source}`, "bs=1M", "oflag=direct", "status=none"]);
    await migrate("lvm:group/source", "rbd:rbd/from-lvm", { size });
    await migrate("rbd:rbd/from-lvm", "lvm:group/target", { size });
    await assertIsWhole(group.device("target"));
    await group.remove();
    await assertNothingIsLeft();
  });
});
