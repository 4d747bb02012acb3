import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { afterAll, describe, expect, it } from "vitest";

import { openFolder } from "../../../src/system/open-folder.js";
import { blockhaul } from "../../support/command.js";
import { Workspace } from "../../support/workspace.js";

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

/** Opens a folder and makes what is missing of it. */
async function make(folder: string): Promise<void> {
  await (await openFolder(folder, { make: true })).close();
}

describe("openFolder", () => {
  it("opens what is there, and makes what is missing only where it is told", async () => {
    const folder = workspace.path("a/b/c");
    await expect(openFolder(folder)).rejects.toMatchObject({ code: "ENOENT" });
    await make(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    await make(folder);
    const opened = await openFolder(folder);
    writeFileSync(opened.at("file"), "text");
    renameSync(folder, workspace.path("a/b/moved"));
    mkdirSync(folder);
    // It is the folder that was opened, whatever has its path by now.
    writeFileSync(opened.at("later"), "text");
    await opened.sync();
    await opened.close();
    expect(readdirSync(workspace.path("a/b/moved")).sort()).toEqual(["file", "later"]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("opens a relative path, also one with .. in it", async () => {
    const before = process.cwd();
    mkdirSync(workspace.path("from"));
    process.chdir(workspace.path("from"));
    try {
      await make("../from/./deep//er/");
      expect(statSync(workspace.path("from/deep/er")).isDirectory()).toBe(true);
    } finally {
      process.chdir(before);
    }
  });

  it("is content with what somebody else makes at the same time", async () => {
    const names = Array.from({ length: 20 }, () => workspace.path("same/time/here"));
    await Promise.all(names.map(make));
    expect(statSync(workspace.path("same/time/here")).isDirectory()).toBe(true);
  });

  it("follows a link to a folder", async () => {
    mkdirSync(workspace.path("real"));
    symlinkSync("real", workspace.path("link"));
    symlinkSync(workspace.path("link"), workspace.path("link-to-link"));
    await make(workspace.path("link-to-link/below"));
    expect(readdirSync(workspace.path("real"))).toEqual(["below"]);
    await make(workspace.path("link/../beside"));
    expect(statSync(workspace.path("beside")).isDirectory()).toBe(true);
  });

  it.each([
    ["a file on the way", "file/below", "ENOTDIR"],
    ["a file in its place", "file", "ENOTDIR"],
    ["a link to nothing, which is not made", "dangling", "ENOENT"],
    ["a link to itself", "endless", "ERR_NOT_FOUND"],
  ])("ends at %s", async (_what, name, code) => {
    writeFileSync(workspace.path("file"), "");
    if (name === "dangling") symlinkSync(workspace.path("none"), workspace.path(name));
    if (name === "endless") symlinkSync(name, workspace.path(name));
    await expect(make(workspace.path(name))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(workspace.path(name)),
    });
    expect(existsSync(workspace.path("none"))).toBe(false);
  });

  it.each(["/proc/x", "/proc/x/y/z"])("ends at %s, which can never be made", async (name) => {
    await expect(make(name)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("leaves nothing open, whatever it meets", async () => {
    const open = () => readdirSync("/proc/self/fd").length;
    const before = open();
    for (const name of ["a/b", "none/deep", "file/below", "endless"]) {
      await openFolder(workspace.path(name)).then(
        (folder) => folder.close(),
        () => {},
      );
    }
    expect(open()).toBe(before);
  });
});

it("a state directory that can never be made is named, by whatever needs it", async () => {
  writeFileSync(workspace.path("disk.img"), "bytes");
  for (const args of [
    ["copy", workspace.path("disk.img"), workspace.path("target.img")],
    ["migrate", workspace.path("disk.img"), `${workspace.path("moved.img")}`],
  ]) {
    const { status, signal, stderr } = await blockhaul([...args, "--state-dir", "/proc/x"]);
    expect({ status, signal }).toEqual({ status: 3, signal: null });
    expect(stderr).toContain("/proc/x");
    expect(stderr).toContain("--state-dir names another place");
  }
});
