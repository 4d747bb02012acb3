import { linkSync, writeFileSync } from "node:fs";
import {
  CopyControl,
  copyVolume,
  digestVolume,
  openVolume,
  resumeCopy,
  verifyVolumes,
} from "blockhaul";
import { afterAll, describe, expect, it } from "vitest";

import { excludeOthers, notExcludedOf, regionOf } from "../../../src/guards/exclusion.js";
import type { HeldVolume } from "../../../src/guards/guard.js";
import { native } from "../../../src/native.js";
import { overlaps, partOfRegion, wholeRegion } from "../../../src/system/host-lock.js";
import { parseFdinfoLocks } from "../../../src/usage/lock-holders.js";
import { holdVolume, type Volume } from "../../../src/volume.js";
import { LoopDevices } from "../../support/loop.js";
import { run } from "../../support/mounted.js";
import { itWhere, needsRoot } from "../../support/needs.js";
import { besidesHidden } from "../../support/sight.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const stateDirectory = workspace.path("state");
afterAll(() => workspace[Symbol.dispose]());

let count = 0;
function newImage(size = 4 * MiB): string {
  count += 1;
  const file = workspace.path(`image-${count}`);
  writeFileSync(file, "content ".repeat(size / 8));
  return file;
}

const read = (file: string) => openVolume(`file:${file}`);
const write = (file: string) => openVolume(`file:${file}`, { mode: "write" });
const held = (volume: Volume) =>
  holdVolume(volume, "copy", async (handle): Promise<HeldVolume> => ({ volume, native: handle }));

/** What is found of each end: a state and words. */
async function lock(source?: Volume, target?: Volume) {
  const locks = await excludeOthers(source && (await held(source)), target && (await held(target)));
  const found = locks.findings.map(({ side, state, found }) => `${side} ${state}: ${found}`);
  const uses = locks.users.map(({ guard, state }) => `${guard} ${state}`);
  return { found, uses, [Symbol.dispose]: () => locks.release() };
}

const clear = (side: string) => `${side} clear: no other copy uses it, and none can begin to`;
const self = `this process (${process.pid})`;

describe("locks on the ends of a copy", () => {
  it("let sources be shared, and keep a target from all others", async () => {
    const file = newImage();
    await using source = await read(file);
    await using target = await write(file);
    {
      using one = await lock(source);
      using other = await lock(source);
      expect([one.found, other.found]).toEqual([[clear("source")], [clear("source")]]);
      using refused = await lock(undefined, target);
      expect(refused.found[0]).toMatch(/^target refused: another copy or comparison reads it: /);
      expect(refused.found[0]).toContain(self);
    }
    using alone = await lock(undefined, target);
    expect(alone.found).toEqual([clear("target")]);
    using second = await lock(undefined, target);
    using reader = await lock(source);
    expect(second.found[0]).toMatch(/^target refused: another copy to it is under way: /);
    expect(reader.found[0]).toBe(`source refused: another copy to it is under way: ${self}`);
  });

  it("are on what a name leads to", async () => {
    const file = newImage();
    linkSync(file, `${file}.link`);
    await using target = await write(file);
    await using same = await read(`${file}.link`);
    using _ = await lock(undefined, target);
    using refused = await lock(same);
    expect(refused.found[0]).toMatch(/^source refused: /);
    // That of the host alone, too.
    expect(regionOf(same.info)).toEqual(regionOf(target.info));
  });

  it("are met by those who keep theirs elsewhere", async () => {
    const file = newImage();
    await using source = await read(file);
    await using target = await write(file);
    // Of another user, or in a container: the folder of locks is not the same.
    const theirs = await native().openPosix({ path: file, mode: "write", kind: "file" });
    const exclusive = await theirs.lock(true);
    expect(exclusive?.state).toBe("locked");
    using one = await lock(source);
    expect(one.found).toEqual([`source refused: another copy to it is under way: ${self}`]);
    exclusive?.lock?.release();
    const shared = await theirs.lock(false);
    using other = await lock(undefined, target);
    expect(other.found).toEqual([`target refused: another copy or comparison reads it: ${self}`]);
    using both = await lock(source);
    expect(both.found).toEqual([clear("source")]);
    shared?.lock?.release();
    await theirs.close();
  });

  it("can be met by those who keep theirs elsewhere", async () => {
    const file = newImage();
    await using source = await read(file);
    await using target = await write(file);
    const theirs = await native().openPosix({ path: file, mode: "write", kind: "file" });
    {
      using _ = await lock(source);
      expect((await theirs.lock(true))?.state).toBe("taken");
    }
    using _ = await lock(undefined, target);
    expect((await theirs.lock(false))?.state).toBe("taken");
    await theirs.close();
  });

  itWhere(needsRoot)("of a disk are on the nodes of its partitions, too", async () => {
    const file = newImage(16 * MiB);
    run("sgdisk", "--new=1:2048:+8M", file);
    await using loops = new LoopDevices();
    const { path } = await loops.attach(file);
    run("partx", "--update", path);
    const source = await openVolume(path);
    const partition = await openVolume(`${path}p1`);
    // Of another user, or in a container.
    const theirs = await native().openPosix({ path: `${path}p1`, mode: "write", kind: "block" });
    {
      using disk = await lock(source);
      expect(disk.found).toEqual([clear("source")]);
      expect((await theirs.lock(true))?.state).toBe("taken");
      const shared = await theirs.lock(false);
      expect(shared?.state).toBe("locked");
      shared?.lock?.release();
    }
    const exclusive = await theirs.lock(true);
    expect(exclusive?.state).toBe("locked");
    using disk = await lock(source);
    expect(disk.found[0]).toMatch(
      /^source refused: of its partition \/dev\/loop\d+p1: another copy/,
    );
    exclusive?.lock?.release();
    disk[Symbol.dispose]();
    const alone = await lock(partition);
    expect(alone.found).toEqual([clear("source")]);
    alone[Symbol.dispose]();
    for (const volume of [source, partition, theirs]) await volume.close();
    run("partx", "--delete", path);
  });

  it("say what they cannot do", async () => {
    const file = newImage();
    await using source = await read(file);
    const { volume, native: handle } = await held(source);
    // What NFS answers whose lock server is away.
    const without = Object.create(handle, {
      lock: { value: async () => ({ state: "unlockable", errno: 37 }) },
    }) as typeof handle;
    const locks = await excludeOthers({ volume, native: without }, undefined);
    expect(locks.findings).toMatchObject([{ guard: "exclusion", state: "unsure" }]);
    expect(notExcludedOf(locks.findings)).toEqual([
      "source: it cannot be locked where it lies (ENOLCK): copies of other users, containers and hosts are not kept away",
    ]);
    locks.release();
  });

  it("have nothing to do with what is nobody's", async () => {
    await using source = await openVolume("pattern:1MiB:1");
    using found = await lock(source);
    expect(found.found).toEqual(["source clear: it holds nothing of anybody's"]);
  });

  it("leave it to another guard that both ends are one", async () => {
    const file = newImage();
    await using source = await read(file);
    await using target = await write(file);
    using both = await lock(source, target);
    expect(both.found).toEqual([clear("target")]);
  });

  it("see what QEMU has locked, and let it be where that is allowed", async () => {
    const file = newImage();
    await using source = await read(file);
    await using target = await write(file);
    // "I write", as a machine that runs says: test/native/io/inode_lock_test.cc has all of it.
    const machine = native().lockRegion(file, 101n, 1n, false);
    using one = await lock(source);
    expect([one.found, one.uses]).toEqual([[clear("source")], ["live-source refused"]]);
    one[Symbol.dispose]();
    using other = await lock(undefined, target);
    expect([other.found, other.uses]).toEqual([[clear("target")], ["held refused"]]);
    other[Symbol.dispose]();
    const locks = await excludeOthers(await held(source), undefined, ["live-source"]);
    expect(locks.users).toMatchObject([{ guard: "live-source", state: "allowed" }]);
    locks.release();
    machine?.release();
  });
});

describe("a copy", () => {
  it("holds both until it has been verified, and no longer", async () => {
    const [from, to] = [newImage(24 * MiB), newImage(24 * MiB)];
    const states = new Map<string, (string | undefined)[]>();
    const begun = new Set<string>();
    await using source = await read(from);
    await using target = await write(to);
    await using intoSource = await write(from);
    await using ofTarget = await read(to);
    const probe = async (phase: string) => {
      using one = await lock(undefined, intoSource);
      using other = await lock(ofTarget);
      states.set(
        phase,
        [...one.found, ...other.found].map((text) => text.split(":")[0]),
      );
    };
    // Held in the middle of each phase until somebody has looked.
    const control = new CopyControl();
    const report = await copyVolume(source, target, {
      stateDirectory,
      verify: true,
      control,
      bandwidthLimit: 50 * MiB,
      requestSize: MiB,
      // Both ends are open a second time here.
      allow: ["held", "live-source", "signature"],
      progressIntervalMs: 5,
      onProgress: ({ phase, done, total }) => {
        if (done === 0 || done === total || begun.has(phase)) return;
        begun.add(phase);
        control.pause();
        void probe(phase).finally(() => control.resume());
      },
    });
    expect(besidesHidden(report.notExcluded)).toEqual([]);
    await probe("after");
    const refused = ["target refused", "source refused"];
    expect(Object.fromEntries(states)).toEqual({
      copy: refused,
      verify: refused,
      after: ["target clear", "source clear"],
    });
  });

  it("is refused, as its resume is, while another writes to its source", async () => {
    const [from, to] = [newImage(24 * MiB), newImage(24 * MiB)];
    await using source = await read(from);
    await using target = await write(to);
    await using intoSource = await write(from);
    const stop = new AbortController();
    let id = "";
    const cut = copyVolume(source, target, {
      stateDirectory,
      allow: ["held", "live-source", "signature"],
      journal: true,
      bandwidthLimit: 50 * MiB,
      requestSize: MiB,
      onJob: (job) => {
        id = job;
      },
      progressIntervalMs: 5,
      onProgress: ({ done }) => {
        if (done > 4 * MiB) stop.abort();
      },
      signal: stop.signal,
    });
    await expect(cut).rejects.toMatchObject({ code: "ERR_CANCELLED" });
    using _ = await lock(undefined, intoSource);
    const refusal = { code: "ERR_IN_USE", side: "source" };
    await expect(copyVolume(source, target, { stateDirectory })).rejects.toMatchObject(refusal);
    await expect(resumeCopy(id, { stateDirectory })).rejects.toMatchObject(refusal);
  });

  it("is nothing that is compared half-way", async () => {
    const [from, to] = [newImage(), newImage()];
    await using source = await read(from);
    await using target = await read(to);
    await using writing = await write(to);
    using _ = await lock(undefined, writing);
    const refusal = { code: "ERR_IN_USE", volume: target.ref };
    await expect(digestVolume(target)).rejects.toMatchObject(refusal);
    await expect(verifyVolumes(source, target)).rejects.toMatchObject(refusal);
    await expect(digestVolume(source)).resolves.toMatchObject({ size: 4 * MiB });
  });
});

describe("places in the file of locks", () => {
  const GiB = 1024 ** 3;
  it.each([
    ["a disk and its partition", [0, 100 * GiB], [MiB, GiB], true],
    ["two partitions", [MiB, GiB], [GiB + MiB, GiB], false],
    ["what begins within the same MiB", [512, 512], [1024, 512], true],
    ["all of it and its last byte", [0, 2 ** 50], [2 ** 50 - 1, 1], true],
    ["what lies behind 1 PiB", [2 ** 51, 1], [2 ** 50 + 2 ** 51, 1], true],
    ["an empty volume and itself", [0, 0], [0, 0], true],
  ] as const)("of %s", (_, [offset, size], [otherOffset, otherSize], expected) => {
    const one = partOfRegion("wwid:a", offset, size);
    expect(overlaps(one, partOfRegion("wwid:a", otherOffset, otherSize))).toBe(expected);
    expect(overlaps(one, partOfRegion("wwid:b", otherOffset, otherSize))).toBe(false);
    expect(overlaps(one, wholeRegion("wwid:a"))).toBe(true);
    expect(one.start + one.length).toBeLessThanOrEqual(1n << 63n);
  });
});

it("reads the kernel's account of locks", () => {
  const text = [
    "pos:\t0",
    "lock:\t1: OFDLCK ADVISORY  WRITE -1 00:06:135 1000 1001",
    "lock:\t2: OFDLCK ADVISORY  READ -1 fd:01:9 7 EOF",
    "lock:\t3: FLOCK  ADVISORY  WRITE 123 fd:01:9 0 EOF",
  ].join("\n");
  expect(parseFdinfoLocks(text)).toEqual([
    { inode: "135", exclusive: true, start: 1000n, end: 1001n },
    { inode: "9", exclusive: false, start: 7n, end: (1n << 63n) - 1n },
  ]);
});
