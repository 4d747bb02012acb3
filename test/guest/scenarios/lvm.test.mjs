// @guest memory=1024 disks=384,64 limit=1800
// Logical volumes opened directly: the conformance suite, what a new one is known to hold, snapshots, activation.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import {
  createSnapshot,
  deleteSnapshot,
  deleteVolume,
  listDrivers,
  openVolume,
  resolveRef,
} from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";

import { exec, must, scratch } from "../../support/guest/exec.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";
import { VolumeGroup } from "../../support/guest/lvm.mjs";

const KiB = 1024;
const MiB = 1024 * KiB;
const extent = 64 * KiB;
const blockhaul = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

/** @type {VolumeGroup} */
let group;
/** @type {VolumeGroup} */
let small;

before(async () => {
  group = await VolumeGroup.create("vg-test", ["/dev/ubda"]);
  small = await VolumeGroup.create("vg-small", ["/dev/ubdb"]);
  for (const { name } of [group, small]) await must("vgchange", ["-s", "64k", name]);
  await must("lvcreate", ["-y", "--type", "thin-pool", "-L", "32m", "-n", "pool", group.name]);
  await must("lvcreate", [
    "-y",
    "--type",
    "thin-pool",
    "-Zn",
    "-L",
    "32m",
    "-n",
    "loose",
    group.name,
  ]);
});

after(async () => {
  await group.remove();
  await small.remove();
  assert.deepEqual((await leftovers()).dmDevices, []);
});

let count = 0;

/**
 * The ref of a volume that is not there yet.
 *
 * @param {string} [vg]
 */
function freshRef(vg = "vg-test") {
  count += 1;
  return `lvm:${vg}/volume-${count}`;
}

/** @param {string} ref */
function pathOf(ref) {
  return ref.slice("lvm:".length);
}

/** @param {string} ref */
async function remove(ref) {
  await exec("lvremove", ["-y", pathOf(ref)]);
}

/**
 * @param {string} ref
 * @param {import("blockhaul").OpenOptions} options
 * @param {(volume: import("blockhaul").Volume) => Promise<unknown>} body
 */
async function using(ref, options, body) {
  const volume = await openVolume(ref, options);
  try {
    await body(volume);
  } finally {
    await volume.close();
  }
}

/**
 * @param {string} ref
 * @param {number} size
 * @param {Record<string, unknown>} [more]
 */
async function make(ref, size, more = {}) {
  await using(ref, { mode: "write", create: { size, exclusive: true, ...more } }, async () => {});
}

/**
 * @param {string} ref
 * @param {number} [length]
 */
async function contentOf(ref, length) {
  let content = Buffer.alloc(0);
  await using(ref, {}, async (volume) => {
    content = Buffer.alloc(length ?? volume.size, 0xa5);
    await volume.read(content, { position: 0 });
  });
  return content;
}

/** @param {string} ref */
async function isActive(ref) {
  const shown = await must("lvs", [
    "--noheadings",
    "--binary",
    "-o",
    "lv_active_locally",
    pathOf(ref),
  ]);
  return shown.trim() === "1";
}

/** @param {string} code */
const failing = (code) => (/** @type {unknown} */ error) => {
  assert.equal(/** @type {{ code?: string }} */ (error).code, code, String(error));
  return true;
};

const { driver } = await resolveRef("lvm:vg/lv");
testDriver({
  test: { describe, it },
  driver,
  sizeUnit: extent,
  async provide(size) {
    const ref = freshRef();
    await must("lvcreate", [
      "-y",
      "-Wn",
      "-L",
      `${size}b`,
      "-n",
      ref.split("/")[1] ?? "",
      group.name,
    ]);
    return { ref, remove: () => remove(ref) };
  },
  absent() {
    const ref = freshRef();
    return { ref, remove: () => remove(ref) };
  },
  backend: () => ({ vg: group.name, thin: "pool" }),
  malformedRefs: ["lvm:", "lvm:vg", "lvm:vg/", "lvm:vg/a/b", "lvm:-a/b", "lvm:vg/x_tdata"],
});

describe("a new thick volume", () => {
  it("shows what its extents held, and is not taken for zero", async () => {
    const [first, second] = [freshRef(), freshRef()];
    await make(first, 8 * MiB);
    await using(first, { mode: "write" }, (volume) => volume.write(Buffer.alloc(8 * MiB, 0xee)));
    await remove(first);
    await using(second, { mode: "write", create: { size: 8 * MiB } }, async (volume) => {
      assert.equal(volume.info.zeroState, "unknown");
      const content = Buffer.alloc(8 * MiB);
      await volume.read(content, { position: 0 });
      // Else this test shows nothing.
      assert.ok(content.includes(0xee), "old data is to be seen");
    });
    await remove(second);
  });

  it("is as large as its extents make it, and what they add is zero", async () => {
    const [first, second] = [freshRef(), freshRef()];
    await make(first, 2 * extent);
    await using(first, { mode: "write" }, (volume) => volume.write(Buffer.alloc(2 * extent, 0xee)));
    await remove(first);
    const size = extent + 1000;
    await using(second, { mode: "write", create: { size } }, async (volume) => {
      assert.equal(volume.size, 2 * extent);
      const content = Buffer.alloc(volume.size);
      await volume.read(content, { position: 0 });
      assert.ok(content.subarray(0, size).includes(0xee), "old data is to be seen");
      assert.ok(content.subarray(size).every((byte) => byte === 0));
    });
    await remove(second);
  });

  it("is said by the command to be larger than the source", async () => {
    const ref = freshRef();
    writeFileSync(`${scratch}/odd`, randomBytes(extent + 512));
    const copy = [blockhaul, "copy", "--create", `${scratch}/odd`, ref];
    const { status, stderr } = await exec(process.execPath, copy);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /larger than asked for/);
    assert.equal((await contentOf(ref)).length, 2 * extent);
    await remove(ref);
  });

  it("cannot be empty", async () => {
    await assert.rejects(make(freshRef(), 0), failing("ERR_INVALID_ARGUMENT"));
  });
});

describe("a new thin volume", () => {
  /** Fills all of a pool's blocks and gives them back. @param {string} pool */
  async function dirty(pool) {
    const ref = freshRef();
    await make(ref, 32 * MiB, { thinPool: pool });
    await using(ref, { mode: "write" }, (volume) => volume.write(Buffer.alloc(32 * MiB, 0xee)));
    await remove(ref);
  }

  /**
   * Writes 4 KiB into the middle of blocks that held other data, and reads all.
   *
   * @param {string} ref
   */
  async function contentAroundWrites(ref) {
    await using(ref, { mode: "write" }, async (volume) => {
      for (let at = 32 * KiB; at < volume.size; at += MiB) {
        await volume.write(Buffer.alloc(4 * KiB, 0x11), { position: at });
      }
    });
    return contentOf(ref);
  }

  it("reads as zero in a pool that zeroes, also around what is written", async () => {
    await dirty("pool");
    const ref = freshRef();
    const create = { size: 24 * MiB, exclusive: true, thinPool: "pool" };
    await using(ref, { mode: "write", create }, async (volume) => {
      assert.equal(volume.info.zeroState, "proven-zero");
    });
    assert.ok((await contentOf(ref)).every((byte) => byte === 0));
    const content = await contentAroundWrites(ref);
    assert.ok(!content.includes(0xee));
    await using(ref, { mode: "write" }, async (volume) => {
      assert.equal(volume.info.zeroState, "unknown");
    });
    await remove(ref);
  });

  it("is not taken for zero in a pool that does not", async () => {
    await dirty("loose");
    const ref = freshRef();
    const create = { size: 24 * MiB, exclusive: true, thinPool: "loose" };
    await using(ref, { mode: "write", create }, async (volume) => {
      assert.equal(volume.info.zeroState, "unknown");
    });
    const content = await contentAroundWrites(ref);
    // The reason why: else "unknown" would be too careful.
    assert.ok(content.includes(0xee), "old data is to be seen");
    await remove(ref);
  });

  it("takes a copy with its zeros skipped, by the command, and tells how much it holds", async () => {
    const ref = freshRef();
    const image = `${scratch}/image`;
    const content = Buffer.concat([randomBytes(2 * MiB), Buffer.alloc(14 * MiB)]);
    writeFileSync(image, content);
    const copied = await must(process.execPath, [
      ...[blockhaul, "copy", "--json", "--no-extents", "--create", "--thin-pool", "pool"],
      ...[image, ref],
    ]);
    const done = JSON.parse(copied.trim().split("\n").at(-1) ?? "");
    assert.equal(done.type, "done");
    assert.equal(done.skipped, 14 * MiB);
    assert.deepEqual(await contentOf(ref), content);
    const info = JSON.parse(await must(process.execPath, [blockhaul, "info", "--json", ref]));
    assert.equal(info.size, 16 * MiB);
    assert.deepEqual(info.usage, { allocated: 2 * MiB });
    assert.match(
      await must(process.execPath, [blockhaul, "info", ref]),
      /allocated +2 MiB \(13%\)/,
    );
    await remove(ref);
  });

  it("wants a pool that there is, and that is one", async () => {
    await make("lvm:vg-test/plain", MiB);
    await assert.rejects(make(freshRef(), MiB, { thinPool: "nope" }), failing("ERR_NOT_FOUND"));
    await assert.rejects(
      make(freshRef(), MiB, { thinPool: "plain" }),
      failing("ERR_INVALID_ARGUMENT"),
    );
    await assert.rejects(
      make(freshRef(), MiB, { thinPool: "--yes" }),
      failing("ERR_INVALID_ARGUMENT"),
    );
    await remove("lvm:vg-test/plain");
  });
});

describe("what cannot be opened or made", () => {
  it("is missing", async () => {
    await assert.rejects(openVolume("lvm:no-group/a"), (error) => {
      assert.match(String(error), /no volume group no-group/);
      return failing("ERR_NOT_FOUND")(error);
    });
    await assert.rejects(openVolume("lvm:vg-test/nope"), failing("ERR_NOT_FOUND"));
    await assert.rejects(make("lvm:no-group/a", MiB), failing("ERR_NOT_FOUND"));
  });

  it("exists, or has no room", async () => {
    const ref = freshRef("vg-small");
    await assert.rejects(make(ref, 100 * MiB), failing("ERR_NO_SPACE"));
    await assert.rejects(openVolume(ref), failing("ERR_NOT_FOUND"));
    await make(ref, MiB);
    await assert.rejects(make(ref, MiB), failing("ERR_EXISTS"));
    await remove(ref);
  });

  it("is a pool, or marked read-only", async () => {
    await assert.rejects(openVolume("lvm:vg-test/pool"), failing("ERR_NOT_A_VOLUME"));
    await assert.rejects(deleteVolume("lvm:vg-test/pool"), failing("ERR_NOT_A_VOLUME"));
    const ref = freshRef();
    await make(ref, MiB);
    await must("lvchange", ["-pr", pathOf(ref)]);
    await assert.rejects(openVolume(ref, { mode: "write" }), failing("ERR_READ_ONLY"));
    await must("lvchange", ["-an", pathOf(ref)]);
    await assert.rejects(openVolume(ref, { mode: "write" }), failing("ERR_READ_ONLY"));
    await contentOf(ref);
    await remove(ref);
  });

  it("does not hang on a group that LVM cannot read whole", async () => {
    const ref = freshRef();
    await make(ref, MiB);
    await must("vgchange", ["-an", small.name]);
    await must("vgexport", [small.name]);
    try {
      await contentOf(ref);
      await assert.rejects(openVolume("lvm:vg-small/a"), failing("ERR_UNSUPPORTED"));
    } finally {
      await must("vgimport", [small.name]);
      await remove(ref);
    }
  });

  it("has several segments, and is opened all the same", async () => {
    const ref = freshRef();
    await make(ref, MiB);
    const gap = freshRef();
    await make(gap, MiB);
    await must("lvextend", ["-L", "3m", pathOf(ref)]);
    assert.equal((await contentOf(ref)).length, 3 * MiB);
    await remove(ref);
    await remove(gap);
  });
});

describe("a snapshot", () => {
  const content = randomBytes(8 * MiB);

  /** @param {Record<string, unknown>} more */
  async function staysAsItWas(more) {
    const ref = freshRef();
    await make(ref, 8 * MiB, more);
    await using(ref, { mode: "write" }, (volume) => volume.write(content));
    const snapshot = await createSnapshot(ref);
    assert.match(snapshot, /^lvm:vg-test\/blockhaul-snap-[0-9a-f]{12}$/);
    // All of it: a store that were too small would overflow, and fail the reads.
    await using(ref, { mode: "write" }, (volume) => volume.write(randomBytes(8 * MiB)));
    assert.deepEqual(await contentOf(snapshot), content);
    await using(snapshot, {}, async (volume) => assert.equal(volume.size, 8 * MiB));
    return { ref, snapshot };
  }

  it("of a thick volume stays as it was, whatever is written to the volume", async () => {
    const { ref, snapshot } = await staysAsItWas({});
    await assert.rejects(deleteVolume(ref), (error) => {
      assert.match(String(error), /has snapshots/);
      return failing("ERR_IN_USE")(error);
    });
    await contentOf(snapshot);
    await deleteSnapshot(snapshot);
    await deleteVolume(ref);
    await assert.rejects(openVolume(ref), failing("ERR_NOT_FOUND"));
  });

  it("of a thin volume stays as it was, also without its origin", async () => {
    const { ref, snapshot } = await staysAsItWas({ thinPool: "pool" });
    await deleteVolume(ref);
    assert.deepEqual(await contentOf(snapshot), content);
    await deleteSnapshot(snapshot);
  });

  it("of an inactive volume can be taken", async () => {
    for (const more of [{}, { thinPool: "pool" }]) {
      const ref = freshRef();
      await make(ref, MiB, more);
      await using(ref, { mode: "write" }, (volume) => volume.write(content.subarray(0, MiB)));
      await must("lvchange", ["-an", pathOf(ref)]);
      const snapshot = await createSnapshot(ref, { name: `of-${count}` });
      assert.equal(snapshot, `lvm:vg-test/of-${count}`);
      assert.deepEqual(await contentOf(snapshot), content.subarray(0, MiB));
      await deleteSnapshot(snapshot);
      await deleteVolume(ref);
    }
  });

  it("is refused where there is no room for all of it", async () => {
    const ref = freshRef("vg-small");
    await make(ref, 40 * MiB);
    await assert.rejects(createSnapshot(ref), failing("ERR_NO_SPACE"));
    const { volumes } = await leftovers();
    assert.deepEqual(
      volumes.filter((name) => name.includes("snap")),
      [],
    );
    await deleteVolume(ref);
  });

  it("is refused of what is missing, a snapshot, and under a name that is taken or none", async () => {
    const ref = freshRef();
    await make(ref, MiB);
    const snapshot = await createSnapshot(ref, { name: "taken" });
    await assert.rejects(createSnapshot(ref, { name: "taken" }), failing("ERR_EXISTS"));
    await assert.rejects(createSnapshot(ref, { name: "--yes" }), failing("ERR_INVALID_ARGUMENT"));
    await assert.rejects(createSnapshot(snapshot), failing("ERR_UNSUPPORTED"));
    await assert.rejects(createSnapshot("lvm:vg-test/nope"), failing("ERR_NOT_FOUND"));
    await assert.rejects(deleteSnapshot(ref), failing("ERR_INVALID_ARGUMENT"));
    await deleteSnapshot(snapshot);
    await assert.rejects(deleteSnapshot(snapshot), failing("ERR_NOT_FOUND"));
    await deleteVolume(ref);
  });
});

describe("a volume that is open", () => {
  it("is not removed", async () => {
    const ref = freshRef();
    await make(ref, MiB);
    await using(ref, {}, async () => {
      await assert.rejects(deleteVolume(ref), failing("ERR_IN_USE"));
    });
    await deleteVolume(ref);
  });
});

describe("an inactive volume", () => {
  it("is activated for as long as it is open", async () => {
    for (const more of [{}, { thinPool: "pool" }]) {
      const ref = freshRef();
      await make(ref, MiB, more);
      await must("lvchange", ["-an", pathOf(ref)]);
      await using(ref, { mode: "write" }, async (volume) => {
        assert.equal(await isActive(ref), true);
        await volume.write(Buffer.from("kept"), { position: 100 });
      });
      assert.equal(await isActive(ref), false);
      assert.equal((await contentOf(ref, 104)).subarray(100).toString(), "kept");
      assert.equal(await isActive(ref), false);
      await deleteVolume(ref);
    }
  });

  it("is activated although it is marked to be skipped", async () => {
    const ref = freshRef();
    await make(ref, MiB, { thinPool: "pool" });
    await must("lvcreate", ["-y", "-s", "-n", "skipped", pathOf(ref)]);
    await contentOf("lvm:vg-test/skipped");
    assert.equal(await isActive("lvm:vg-test/skipped"), false);
    await deleteSnapshot("lvm:vg-test/skipped");
    await deleteVolume(ref);
  });

  it("stays active where somebody else has it open by then", async () => {
    const ref = freshRef();
    await make(ref, MiB);
    await must("lvchange", ["-an", pathOf(ref)]);
    const volume = await openVolume(ref);
    const held = openSync(`/dev/${pathOf(ref)}`, "r");
    await volume.close();
    assert.equal(await isActive(ref), true);
    closeSync(held);
    await deleteVolume(ref);
  });

  it("is inactive again when the open fails", async () => {
    const ref = freshRef();
    await make(ref, MiB);
    await must("lvchange", ["-an", pathOf(ref)]);
    // Its name is taken by something else: nothing may be opened under it.
    const name = `/dev/mapper/${pathOf(ref).replaceAll("-", "--").replace("/", "-")}`;
    assert.equal(existsSync(name), false);
    await must("cp", ["-a", "/dev/ubdb", name]);
    await assert.rejects(openVolume(ref));
    await must("rm", ["-f", name]);
    assert.equal(await isActive(ref), false);
    await deleteVolume(ref);
  });
});

it("the driver says that it is there, and what it can do", async () => {
  const drivers = await listDrivers();
  const lvm = drivers.find(({ name }) => name === "lvm");
  assert.deepEqual(await lvm?.status?.(), { available: true });
  assert.match(await must(process.execPath, [blockhaul, "drivers"]), /^lvm .*yes\s*$/m);
  assert.ok(readFileSync("/proc/devices", "utf8").includes("device-mapper"));
});
