// @guest memory=2048 limit=1800
// `blockhaul migrate` of a LUN with a file system to Ceph RBD: judged by cmp, e2fsck and rbd.

import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";

import { must, scratch, until } from "../../support/guest/exec.mjs";
import { loadModules, startIscsid, udevSettle, unmount } from "../../support/guest/host.mjs";
import { Images } from "../../support/guest/images.mjs";
import { backingFile, Tgt } from "../../support/guest/iscsi-target.mjs";
import { configure, left, migrate, run } from "../../support/guest/migrating.mjs";

const size = 16 * 1024 * 1024;
const iqn = "iqn.2024-01.org.blockhaul.test:migrate";
const content = fileURLToPath(new URL("../../../dist/cli", import.meta.url));
const image = `${scratch}/image`;
const lunFile = `${scratch}/lun`;

/** @type {Tgt} */
let tgt;
/** @type {Images} */
let images;
let source = "";
/** @type {Awaited<ReturnType<typeof left>>} */
let atFirst;

before(async () => {
  await startIscsid();
  await loadModules("loop");
  await must("mkfs.ext4", ["-q", "-d", content, backingFile(image, size)]);
  await must("cp", [image, lunFile]);
  tgt = await Tgt.start();
  await tgt.addTarget({ iqn });
  source = `san1:${await tgt.addLun(iqn, { file: lunFile })}`;
  images = await Images.start();
  configure({
    san1: { driver: "iscsi", portals: ["127.0.0.1"], iqn },
    ceph: { driver: "rbd", pool: "rbd", conf: images.conf },
  });
  atFirst = await left();
});

after(async () => {
  await images.stop();
  await tgt.stop();
});

it("is moved whole, and nothing stays attached", async () => {
  const { sourceIs, method } = await migrate(source, "ceph:moved");
  assert.deepEqual({ sourceIs, method }, { sourceIs: "kept", method: "copy" });
  const exported = await images.export("moved");
  await must("cmp", [image, exported]);
  await must("e2fsck", ["-fn", exported]);
  await must("cmp", [image, lunFile]);
  assert.deepEqual(await images.listing(), ["moved"]);
  assert.deepEqual(await left(), atFirst);
});

it("is neither removed nor set aside, which the plan says at once", async () => {
  const flags = ["--dry-run", "--delete-source", "--rename"];
  const { status, lines } = await run(["migrate", ...flags, source, "ceph:other"]);
  assert.equal(status, 2);
  const problems = lines[0].problems.map((/** @type {Error} */ { message }) => message).join("\n");
  assert.match(problems, /the driver iscsi removes no volumes/);
  assert.match(problems, /the driver iscsi renames no volumes/);
  assert.deepEqual(await left(), atFirst);
});

it("is refused while it is mounted, and the mount point is named", async () => {
  const portal = ["-p", "127.0.0.1"];
  await must("iscsiadm", ["-m", "discovery", "-t", "st", ...portal]);
  await must("iscsiadm", ["-m", "node", "-T", iqn, ...portal, "--login"]);
  const byPath = `/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-${iqn}-lun-${source.split(":")[1]}`;
  const device = await until("the disk is there", async () => {
    await udevSettle();
    return existsSync(byPath) && byPath;
  });
  const mounted = `${scratch}/mounted`;
  mkdirSync(mounted);
  await must("mount", [device, mounted]);
  const { status, stderr } = await run(["migrate", source, "ceph:other"]);
  assert.equal(status, 4, stderr);
  assert.match(stderr, new RegExp(`mounted on ${mounted}`));
  assert.deepEqual(await images.listing(), ["moved"]);
  // It was somebody else's session, and still is.
  assert.ok(existsSync(device));
  await unmount(mounted);
  await must("iscsiadm", ["-m", "node", "-T", iqn, ...portal, "--logout"]);
  await must("iscsiadm", ["-m", "discoverydb", "-t", "st", ...portal, "-o", "delete"]);
  assert.deepEqual(await left(), atFirst);
});
