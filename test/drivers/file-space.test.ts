/** What image files take: thick ones all of their size, copies by reference nothing. */
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { copyVolume, createVolume, openVolume, type ShortWay } from "blockhaul";
import { afterAll, beforeAll, expect, it } from "vitest";

import { reflinkWay } from "../../src/drivers/file-short-way.js";
import { LoopDevices } from "../support/loop.js";
import { Mounted, run } from "../support/mounted.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;

const workspace = new Workspace();
const loops = new LoopDevices();
const mounts = new Map<string, Mounted>();

/** A file system of its own, until the end. */
async function mountNew(name: string, mkfs: readonly string[], size: number): Promise<void> {
  const device = await loops.attachNew(workspace.path(`${name}.img`), size);
  const [program = "", ...options] = mkfs;
  run(program, "-q", ...options, device.path);
  mounts.set(name, new Mounted(device.path, workspace.path(name)));
}

beforeAll(async () => {
  if (needsRoot !== undefined) return;
  await mountNew("ext4", ["mkfs.ext4"], 128 * MiB);
  await mountNew("xfs", ["mkfs.xfs", "-m", "reflink=1"], 320 * MiB);
  await mountNew("plain-xfs", ["mkfs.xfs", "-m", "reflink=0"], 320 * MiB);
  mounts.set("tmpfs", new Mounted("none", workspace.path("tmpfs"), "size=64m", "tmpfs"));
});

afterAll(async () => {
  for (const mounted of mounts.values()) mounted[Symbol.dispose]();
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

let count = 0;
/** A path that is not there yet. */
function newPath(mount: string): string {
  count += 1;
  return path.join(mounts.get(mount)?.folder ?? "", `${count}.img`);
}

const allocated = (file: string) => statSync(file).blocks * 512;

/** A source with data, written zeros, and holes: 8 MiB. */
function sparseImage(mount: string): string {
  const file = newPath(mount);
  writeFileSync(file, Buffer.concat([randomBytes(MiB), Buffer.alloc(2 * MiB), randomBytes(4096)]));
  truncateSync(file, 8 * MiB);
  run("sync", file);
  return file;
}

for (const mount of ["ext4", "xfs", "tmpfs"])
  describeWhere(needsRoot, `a thick file on ${mount}`, () => {
    it("takes all of its space from the start, and is known to be zero", async () => {
      const file = newPath(mount);
      const create = { size: 8 * MiB + 513, provisioning: "thick", exclusive: true } as const;
      await using volume = await openVolume(file, { mode: "write", create });
      expect(volume.info.zeroState).toBe("proven-zero");
      expect(allocated(file)).toBeGreaterThanOrEqual(create.size);
      expect(statSync(file).size).toBe(create.size);
      expect(readFileSync(file).every((byte) => byte === 0)).toBe(true);
    });

    it("keeps all of it under a copy that is full of zeros, once and again", async () => {
      const [source, target] = [sparseImage(mount), newPath(mount)];
      const create = { size: 8 * MiB, provisioning: "thick" } as const;
      // The first is made by the open; the second is there, and has other bytes where zeros come.
      for (const _ of ["new", "there"]) {
        await using from = await openVolume(source);
        await using to = await openVolume(target, { mode: "write", create });
        await copyVolume(from, to);
        run("cmp", source, target);
        expect(allocated(target)).toBeGreaterThanOrEqual(8 * MiB);
        await to.write(randomBytes(8 * MiB), { position: 0 });
      }
    });

    it("is not made where there is no room for it", async () => {
      const file = newPath(mount);
      const creating = createVolume(file, { size: 1024 * MiB, provisioning: "thick" });
      await expect(creating).rejects.toMatchObject({ code: "ERR_NO_SPACE" });
      expect(existsSync(file)).toBe(false);
      await createVolume(file, { size: 1024 * MiB, provisioning: "thin" });
      expect(allocated(file)).toBe(0);
    });

    it("may be empty", async () => {
      await expect(createVolume(newPath(mount), { size: 0, provisioning: "thick" })).resolves.toBe(
        0,
      );
    });
  });

describeWhere(needsRoot, "a copy by reference", () => {
  const wayTo = (source: string, target: string, more: Record<string, unknown> = {}) =>
    reflinkWay({ path: source }, { path: target }, { size: statSync(source).size, ...more });

  async function requireWay(source: string, target: string): Promise<ShortWay> {
    const way = await wayTo(source, target);
    if (way === undefined) throw new Error("there should be a way");
    return way;
  }

  const freeOf = (mount: string) =>
    Number(
      run("df", "-B1", "--output=avail", mounts.get(mount)?.folder ?? "")
        .trim()
        .split("\n")[1],
    );

  it("takes no space, keeps holes, and is another file", async () => {
    const [source, target] = [newPath("xfs"), newPath("xfs")];
    writeFileSync(source, randomBytes(40 * MiB), { mode: 0o644 });
    truncateSync(source, 100 * MiB + 511);
    run("sync", "-f", source);
    const before = freeOf("xfs");
    const way = await requireWay(source, target);
    expect(existsSync(target)).toBe(false);
    expect(way.method).toBe("reflink");
    let done = 0;
    await way.run({
      onProgress: (bytes) => {
        done = bytes;
      },
    });
    expect(done).toBe(100 * MiB + 511);
    run("cmp", source, target);
    expect(statSync(target).mode & 0o777).toBe(statSync(source).mode & 0o777);
    expect(before - freeOf("xfs")).toBeLessThan(MiB);
    expect(run("filefrag", "-v", target)).toMatch(/shared/);
    expect(allocated(target)).toBeLessThan(41 * MiB);
    await using volume = await openVolume(target, { mode: "write" });
    await volume.write(Buffer.from("target only"), { position: 0 });
    await volume.sync();
    expect(readFileSync(source).includes("target only")).toBe(false);
  });

  it("is none between file systems, of other kinds of them, of another size, nor thick", async () => {
    const source = sparseImage("xfs");
    await expect(wayTo(source, newPath("plain-xfs"))).resolves.toBeUndefined();
    await expect(wayTo(source, newPath("xfs"), { size: 9 * MiB })).resolves.toBeUndefined();
    const thick = wayTo(source, newPath("xfs"), { provisioning: "thick" });
    await expect(thick).resolves.toBeUndefined();
    for (const mount of ["ext4", "tmpfs"]) {
      await expect(wayTo(sparseImage(mount), newPath(mount))).resolves.toBeUndefined();
    }
    const nowhere = path.join(path.dirname(source), "none", "x.img");
    await expect(wayTo(source, nowhere)).resolves.toBeUndefined();
  });

  it("leaves nothing where the file system does not share after all", async () => {
    const [source, target] = [sparseImage("plain-xfs"), newPath("plain-xfs")];
    const way = await requireWay(source, target);
    await expect(way.run({})).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      hint: expect.stringContaining("--method copy"),
    });
    expect(existsSync(target)).toBe(false);
  });

  it("overwrites nothing, and leaves nothing when it is stopped", async () => {
    const folder = path.join(mounts.get("xfs")?.folder ?? "", "own");
    mkdirSync(folder);
    const source = sparseImage("xfs");
    const target = path.join(folder, "target.img");
    const way = await requireWay(source, target);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(way.run({ signal })).rejects.toMatchObject({ code: "ERR_CANCELLED" });
    const stop = new AbortController();
    const stopped = way.run({ signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(stopped).rejects.toMatchObject({ code: "ERR_CANCELLED" });
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(target, "others");
    await expect(way.run({})).rejects.toMatchObject({ code: "EEXIST" });
    expect(readFileSync(target, "utf8")).toBe("others");
  });
});
