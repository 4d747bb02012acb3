/** Image files deleted, renamed, resized and listed: on the machine's own file system. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { deleteVolume, renameVolume, resizeVolume } from "blockhaul";
import { afterAll, describe, expect, it } from "vitest";

import { listFiles, statsOfDirectory } from "../../src/drivers/file-place.js";
import { LoopDevices } from "../support/loop.js";
import { Holder, Mounted } from "../support/mounted.js";
import { itWhere, needsRoot } from "../support/needs.js";
import { Workspace } from "../support/workspace.js";

const workspace = new Workspace();
const loops = new LoopDevices();
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

/** Few kernels have it. */
const whyNoCasefold = existsSync("/sys/fs/ext4/features/casefold")
  ? undefined
  : "this kernel's ext4 knows no spellings that are one name (casefold)";

let count = 0;
/** A folder of one test. */
function newFolder(): string {
  count += 1;
  const folder = workspace.path(`${count}`);
  mkdirSync(folder);
  return folder;
}

function newFile(content = "bytes"): string {
  const file = path.join(newFolder(), "disk.img");
  writeFileSync(file, content);
  return file;
}

const failure = (code: string, message?: RegExp) =>
  expect.objectContaining({
    code,
    ...(message === undefined ? {} : { message: expect.stringMatching(message) }),
  });

describe("deleting an image file", () => {
  it("leaves its other names", async () => {
    const file = newFile();
    linkSync(file, `${file}.other`);
    await deleteVolume(file);
    expect(readdirSync(path.dirname(file))).toEqual(["disk.img.other"]);
    expect(readFileSync(`${file}.other`, "utf8")).toBe("bytes");
  });

  it("goes through no link, and takes no directory", async () => {
    const file = newFile();
    const [soft, dangling] = [`${file}.soft`, `${file}.dangling`];
    symlinkSync(file, soft);
    symlinkSync(`${file}.none`, dangling);
    for (const link of [soft, dangling]) {
      const refused = failure("ERR_NOT_A_VOLUME", /symbolic link/);
      await expect(deleteVolume(`file:${link}`)).rejects.toEqual(refused);
      await expect(renameVolume(`file:${link}`, "x")).rejects.toEqual(refused);
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
    }
    await expect(deleteVolume(path.dirname(file))).rejects.toEqual(failure("ERR_NOT_A_VOLUME"));
    expect(readFileSync(file, "utf8")).toBe("bytes");
  });

  it("is refused while a process writes to it, which is named", async () => {
    const file = newFile();
    {
      await using holder = await Holder.ofFile(file, "r+");
      const named = new RegExp(`process ${holder.pid} \\(.+\\) has it open for writing`);
      await expect(deleteVolume(file)).rejects.toEqual(failure("ERR_IN_USE", named));
      expect(readFileSync(file, "utf8")).toBe("bytes");
    }
    await deleteVolume(file);
  });

  itWhere(needsRoot)("is refused while it is mounted through a loop device", async () => {
    const file = newFile("");
    truncateSync(file, 8 * 1024 ** 2);
    execFileSync("mkfs.ext4", ["-q", file]);
    const device = await loops.attach(file);
    {
      using _ = new Mounted(device.path, workspace.path("mounted"));
      const named = /held by the loop device loop\d+/;
      const refusal = await deleteVolume(file).catch((error: unknown) => error);
      expect(refusal).toEqual(failure("ERR_IN_USE", named));
      expect(refusal).toEqual(failure("ERR_IN_USE", /is mounted on .*mounted/));
    }
    await loops.detach(device);
    await deleteVolume(file);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });
});

describe("renaming an image file", () => {
  it("goes on where a kill left both names", async () => {
    const file = newFile();
    const renamed = path.join(path.dirname(file), "new.img");
    linkSync(file, renamed);
    await expect(renameVolume(file, "new.img")).resolves.toBe(`file:${renamed}`);
    expect(readdirSync(path.dirname(file))).toEqual(["new.img"]);
    expect(readFileSync(renamed, "utf8")).toBe("bytes");
  });

  it("to the name that it has keeps it, also where it has others", async () => {
    const file = newFile();
    await renameVolume(file, "disk.img");
    linkSync(file, `${file}.other`);
    await renameVolume(file, "disk.img");
    expect(readdirSync(path.dirname(file))).toEqual(["disk.img", "disk.img.other"]);
  });

  itWhere(needsRoot ?? whyNoCasefold)("keeps it where two spellings are one name", async () => {
    const backing = workspace.path("casefold.img");
    writeFileSync(backing, "");
    truncateSync(backing, 16 * 1024 ** 2);
    execFileSync("mkfs.ext4", ["-q", "-O", "casefold", backing]);
    const device = await loops.attach(backing);
    using mounted = new Mounted(device.path, workspace.path("casefold"));
    const folder = path.join(mounted.folder, "images");
    mkdirSync(folder);
    execFileSync("chattr", ["+F", folder]);
    writeFileSync(path.join(folder, "disk.img"), "bytes");
    // Two names in all, but one in this folder.
    linkSync(path.join(folder, "disk.img"), path.join(mounted.folder, "elsewhere"));
    const renaming = renameVolume(path.join(folder, "disk.img"), "DISK.img");
    await expect(renaming).rejects.toEqual(failure("ERR_EXISTS"));
    expect(readdirSync(folder)).toEqual(["disk.img"]);
  });

  it("overwrites nothing, not even a link that leads nowhere", async () => {
    const file = newFile();
    writeFileSync(`${file}.taken`, "others");
    symlinkSync("nowhere", `${file}.link`);
    for (const name of ["disk.img.taken", "disk.img.link"]) {
      await expect(renameVolume(file, name)).rejects.toEqual(failure("ERR_EXISTS"));
    }
    expect(readFileSync(`${file}.taken`, "utf8")).toBe("others");
    expect(readFileSync(file, "utf8")).toBe("bytes");
  });

  itWhere(needsRoot)("is refused where file or folder are marked, as is deleting it", async () => {
    const file = newFile();
    const marks = [
      ["i", "immutable"],
      ["a", "append-only"],
    ] as const;
    for (const [mark, word] of marks) {
      for (const marked of [file, path.dirname(file)]) {
        execFileSync("chattr", [`+${mark}`, marked]);
        try {
          const refused = failure("ERR_PERMISSION", new RegExp(word));
          await expect(renameVolume(file, "new.img")).rejects.toEqual(refused);
          await expect(deleteVolume(file)).rejects.toEqual(refused);
        } finally {
          execFileSync("chattr", [`-${mark}`, marked]);
        }
      }
    }
    expect(readdirSync(path.dirname(file))).toEqual(["disk.img"]);
  });

  it.each(["", ".", "..", "a/b", "../x"])("refuses %j", async (name) => {
    const file = newFile();
    await expect(renameVolume(file, name)).rejects.toEqual(failure("ERR_INVALID_REF"));
    expect(readFileSync(file, "utf8")).toBe("bytes");
  });
});

describe("resizing an image file", () => {
  it("adds a hole", async () => {
    const file = newFile();
    const { blocks } = statSync(file);
    await resizeVolume(file, 1024 ** 4);
    expect(statSync(file)).toMatchObject({ size: 1024 ** 4, blocks });
  });

  it("waits for nobody at a pipe", async () => {
    const pipe = path.join(newFolder(), "pipe");
    execFileSync("mkfifo", [pipe]);
    await expect(resizeVolume(`file:${pipe}`, 4096)).rejects.toEqual(failure("ERR_NOT_A_VOLUME"));
  });
});

describe("a directory of image files", () => {
  it("lists the files, with what they take, and nothing else", async () => {
    const directory = newFolder();
    for (const name of ["b", "a"]) writeFileSync(path.join(directory, name), Buffer.alloc(8192, 1));
    truncateSync(path.join(directory, "a"), 1024 ** 3);
    writeFileSync(path.join(directory, ".hidden"), "");
    mkdirSync(path.join(directory, "folder"));
    symlinkSync("a", path.join(directory, "link"));
    execFileSync("sync", ["-f", directory]);
    const allocated = Number(
      execFileSync("du", ["-B1", path.join(directory, "a")], { encoding: "utf8" }).split("\t")[0],
    );
    expect(await listFiles({ directory })).toEqual([
      { name: "a", size: 1024 ** 3, allocated },
      { name: "b", size: 8192, allocated },
    ]);
    expect(allocated).toBeGreaterThan(0);
    rmSync(directory, { recursive: true });
    await expect(listFiles({ directory })).rejects.toMatchObject({ code: "ENOENT" });
  });

  itWhere(needsRoot)("has the room that df says", async () => {
    const device = await loops.attachNew(workspace.path("room.img"), 64 * 1024 ** 2);
    execFileSync("mkfs.ext4", ["-q", "-m", "20", device.path]);
    using mounted = new Mounted(device.path, workspace.path("room"));
    const columns = ["-B1", "--output=size,avail", mounted.folder];
    const [, line = ""] = execFileSync("df", columns, { encoding: "utf8" }).trim().split("\n");
    const [capacity, free] = line.trim().split(/\s+/).map(Number);
    const stats = await statsOfDirectory({ directory: mounted.folder });
    const { room } = stats;
    expect(stats).toEqual({ capacity, free, granularity: 1, room });
    mkdirSync(`${mounted.folder}/below`);
    expect((await statsOfDirectory({ directory: `${mounted.folder}/below` })).room).toBe(room);
    expect((await statsOfDirectory({ directory: "/proc" })).room).not.toBe(room);
    // Without what is kept for root.
    expect(stats.free).toBeLessThan(stats.capacity * 0.81);
  });
});
