/** Targets that a copy must not, or cannot, write to: the source itself, a mounted or full disk, a smaller one. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { blockhaul } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { refuses, UntouchedFile } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const source = new UntouchedFile(workspace.path("disk.img"), 8 * MiB);
const { path: file, content } = source;
const mounted: string[] = [];

afterEach(() => source.check());
afterAll(async () => {
  for (const place of mounted) execFileSync("umount", [place]);
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

function mount(place: string, ...args: readonly string[]): string {
  mkdirSync(place);
  execFileSync("mount", [...args, place]);
  mounted.push(place);
  return place;
}

describe("a target that is the source", () => {
  const refusal = { status: 4, code: "ERR_SAME_VOLUME", says: /are the same volume/ };

  test("by another path, a link of either kind, another scheme", async () => {
    const soft = workspace.path("soft.img");
    const hard = workspace.path("hard.img");
    symlinkSync(file, soft);
    linkSync(file, hard);
    const relative = path.relative(process.cwd(), file);
    for (const other of [file, relative, soft, hard, `file:${file}`, `file://${file}`]) {
      await refuses(["copy", file, other], refusal);
    }
  });

  test("by a loop device over it, and between two such devices", async () => {
    const one = await loops.attach(file);
    const two = await loops.attach(file, { sectorSize: 4096 });
    await refuses(["copy", file, one.path], refusal);
    await refuses(["copy", one.path, file], refusal);
    await refuses(["copy", one.path, two.path], refusal);
    await refuses(["copy", one.path, one.path], refusal);
    for (const device of [one, two]) await loops.detach(device);
  });

  test("by a loop device over a loop device", async () => {
    const one = await loops.attach(file);
    const two = await loops.attach(one.path);
    await refuses(["copy", file, two.path], refusal);
    await refuses(["copy", two.path, one.path], refusal);
    for (const device of [two, one]) await loops.detach(device);
  });

  test("in part: a piece of a file, a partition of a disk", async () => {
    const overlap = { ...refusal, says: /overlap/ };
    const backing = workspace.path("partitioned");
    writeFileSync(backing, Buffer.concat([content, content]));
    const disk = await loops.attach(backing);
    const piece = await loops.attach(backing, { offset: 64 * 1024, size: 4 * MiB });
    const sectors = (bytes: number) => String(bytes / 512);
    execFileSync("addpart", [disk.path, "1", sectors(MiB), sectors(4 * MiB)]);
    execFileSync("addpart", [disk.path, "2", sectors(8 * MiB), sectors(4 * MiB)]);
    const [first, second] = [`${disk.path}p1`, `${disk.path}p2`];
    const before = readFileSync(backing);
    for (const [source, target] of [
      [piece.path, backing],
      [piece.path, disk.path],
      [first, disk.path],
      [first, backing],
    ] as const) {
      // The target begins before the source, and reaches into it.
      await refuses(["copy", source, target], overlap);
    }
    expect(readFileSync(backing).equals(before)).toBe(true);
    // Neighbours on one disk are different volumes.
    expect(await blockhaul(["copy", "-q", first, second])).toMatchObject({ status: 0, stderr: "" });
    execFileSync("cmp", [first, second]);
    for (const number of ["1", "2"]) execFileSync("delpart", [disk.path, number]);
  });

  test("but a copy between two files of the same content is none", async () => {
    const twin = workspace.path("twin.img");
    writeFileSync(twin, content);
    expect(await blockhaul(["copy", "-q", file, twin])).toMatchObject({ status: 0 });
  });
});

describe("a target that cannot take it", () => {
  test("a smaller device", async () => {
    const { path: device } = await loops.attachNew(workspace.path("small"), 8 * MiB - 512);
    await refuses(["copy", file, device], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /target \/dev\/loop\d+: it has 7.99 MiB \(8388096 bytes\), less than the source's 8 MiB/,
    });
  });

  test("a write-protected device", async () => {
    const backing = workspace.path("protected");
    writeFileSync(backing, "");
    truncateSync(backing, 8 * MiB);
    const { path: device } = await loops.attach(backing, { readOnly: true });
    await refuses(["copy", file, device], {
      status: 4,
      code: "ERR_READ_ONLY",
      says: /target \/dev\/loop\d+: /,
    });
    expect(await blockhaul(["copy", "-q", device, "null:"])).toMatchObject({ status: 0 });
  });

  test("a read-only file system", async () => {
    const place = mount(workspace.path("read-only"), "-t", "tmpfs", "-o", "ro", "tmpfs");
    await refuses(["copy", file, path.join(place, "new.img")], {
      status: 4,
      code: "ERR_READ_ONLY",
      says: /Read-only file system/,
    });
  });

  test("a mounted device", async () => {
    const { path: device } = await loops.attachNew(workspace.path("mounted"), 16 * MiB);
    execFileSync("mkfs.ext4", ["-q", device]);
    mount(workspace.path("mount"), device);
    await refuses(["copy", file, device], {
      status: 4,
      code: "ERR_IN_USE",
      says: /target \/dev\/loop\d+: it is mounted on /,
    });
    // Nobody is kept from reading it.
    expect(await blockhaul(["info", device])).toMatchObject({ status: 0 });
  });

  test("a file system whose files cannot be that large", async () => {
    await refuses(["copy", "zero:7PiB", workspace.path("huge.img")], {
      status: 1,
      code: "ERR_TOO_LARGE",
      says: /File too large/,
    });
    expect(existsSync(workspace.path("huge.img"))).toBe(false);
  });

  describe.each(["uring", "threads"])("a disk that fills up in mid-copy, %s", (io) => {
    const full = {
      status: 1,
      code: "ERR_NO_SPACE",
      says: /target .*: (write|zero|flush)( at offset \d+)?: No space left on device/,
    };
    const inFile = { ...full, says: /target .*copy\.img: write at offset \d+: No space left/ };

    test("under a new file", async () => {
      const place = mount(workspace.path(`full-${io}`), "-t", "tmpfs", "-o", "size=4m", "tmpfs");
      const copy = path.join(place, "copy.img");
      const event = await refuses(["copy", file, copy], inFile, { env: { BLOCKHAUL_IO: io } });
      expect(event).toMatchObject({ side: "target", errnoName: "ENOSPC" });
      expect(event.hint).toMatch(/make room/);
    });

    test("under a device", async () => {
      const options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
      const place = mount(workspace.path(`full-device-${io}`), ...options);
      const device = await loops.attachNew(path.join(place, "backing"), 8 * MiB);
      const event = await refuses(["copy", file, device.path], full, { env: { BLOCKHAUL_IO: io } });
      expect(event).toMatchObject({ side: "target", operation: "write" });
      await loops.detach(device);
    });
  });
});
