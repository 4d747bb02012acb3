/** Links on the way to image files and devices: whose they are decides whether they are followed. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { deleteVolume, openVolume, registerBackend, renameVolume, resizeVolume } from "blockhaul";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import { onTheWay } from "../../src/drivers/path-way.js";
import { itWhere, needsRoot } from "../support/needs.js";
import { Workspace } from "../support/workspace.js";

const STRANGER = 65534;
const BYTES = "x".repeat(4096);
const workspace = new Workspace();
let count = 0;
let top = "";
afterAll(() => workspace[Symbol.dispose]());
beforeEach(() => {
  top = workspace.path(`top-${count++}`);
  mkdirSync(top, { mode: 0o755 });
  writeFileSync(`${top}/real`, BYTES);
});

const opens = async (ref: string) => {
  const volume = await openVolume(ref, { mode: "write" });
  await volume.close();
  return volume;
};
const LINK = { code: "ERR_PERMISSION", message: /a link that belongs to another user \(65534\)/ };
async function isRefused(action: Promise<unknown>, { code, message } = LINK): Promise<void> {
  await expect(action).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
}

describe("a path", () => {
  it("leads through links of one's own", async () => {
    symlinkSync("real", `${top}/link`);
    symlinkSync(`${top}/link`, `${top}/second`);
    mkdirSync(`${top}/folder`);
    symlinkSync("folder", `${top}/way`);
    symlinkSync("../real", `${top}/folder/third`);
    for (const name of ["link", "second", "way/third", "folder/../way/third"]) {
      const volume = await opens(`${top}/${name}`);
      expect(volume.ref).toBe(`${top}/${name}`);
      expect(volume.info.identity).toBe(`file:${deviceOf(top)}:${statSync(`${top}/real`).ino}`);
    }
  });

  itWhere(needsRoot)("leads through no link of another user's, wherever that lies", async () => {
    symlinkSync("real", `${top}/link`);
    lchownSync(`${top}/link`, STRANGER, STRANGER);
    mkdirSync(`${top}/folder`);
    symlinkSync("folder", `${top}/way`);
    lchownSync(`${top}/way`, STRANGER, STRANGER);
    symlinkSync("../link", `${top}/folder/own`);
    writeFileSync(`${top}/folder/file`, BYTES);
    for (const name of ["link", "file:link", "block:link", "folder/own"]) {
      await isRefused(opens(name.includes(":") ? name.replace(":", `:${top}/`) : `${top}/${name}`));
    }
    const way = {
      code: "ERR_PERMISSION",
      message: /through the link way, which belongs to another/,
    };
    await isRefused(opens(`${top}/way/file`), way);
    const create = { size: 4096, exclusive: true };
    await isRefused(openVolume(`file:${top}/way/new`, { mode: "write", create }), way);
    await isRefused(openVolume(`file:${top}/link`, { mode: "write", create: { size: 1 } }));
    await isRefused(resizeVolume(`file:${top}/link`, 8192));
    expect(readFileSync(`${top}/real`, "utf8")).toBe(BYTES);
    expect(readdirSync(`${top}/folder`).sort()).toEqual(["file", "own"]);
  });

  itWhere(needsRoot)("is none of a file of another user's that everybody could plant", async () => {
    chownSync(`${top}/real`, STRANGER, STRANGER);
    await opens(`${top}/real`);
    for (const mode of [0o1777, 0o777]) {
      chmodSync(top, mode);
      await isRefused(opens(`${top}/real`), {
        code: "ERR_PERMISSION",
        message: /is another user's \(65534\), in a folder that everybody can write to/,
      });
      // To read it gives nothing away.
      await (await openVolume(`${top}/real`)).close();
    }
    chownSync(`${top}/real`, 0, 0);
    await opens(`${top}/real`);
  });

  it.each([
    ["none", "ERR_NOT_FOUND", /No such file or directory/],
    ["none/below", "ERR_NOT_FOUND", /No such file or directory/],
    ["real/below", "ERR_NOT_FOUND", /[Nn]ot a directory/],
    ["real/", "ERR_NOT_FOUND", /Not a directory/],
    [".", "ERR_NOT_A_VOLUME", /is a directory/],
    ["..", "ERR_NOT_A_VOLUME", /is a directory/],
    ["dangling", "ERR_NOT_FOUND", /No such file or directory/],
    ["endless", "ERR_INVALID_REF", /too many links/],
    ["x".repeat(256), "ERR_INVALID_REF", /too long/],
  ])("that leads nowhere says so: %.20s", async (name, code, message) => {
    symlinkSync("gone", `${top}/dangling`);
    symlinkSync("endless", `${top}/endless`);
    const ref = `file:${top}/${name}`;
    const error = await openVolume(ref).then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.message).not.toContain("/proc/self");
  });

  it("is the file that was found, whatever has its folder's path by then", async () => {
    mkdirSync(`${top}/folder`);
    writeFileSync(`${top}/folder/file`, BYTES);
    mkdirSync(`${top}/other`);
    writeFileSync(`${top}/other/file`, "other");
    await onTheWay({ path: `${top}/folder/file` }, async ({ at, place }) => {
      renameSync(`${top}/folder`, `${top}/moved`);
      symlinkSync("other", `${top}/folder`);
      expect(readFileSync(at, "utf8")).toBe(BYTES);
      expect(place).toEqual({ path: `${top}/folder/file`, at });
    });
  });

  it("whose last name becomes a link behind the look is not followed", async () => {
    const { native } = await import("../../src/native.js");
    symlinkSync("real", `${top}/link`);
    const opening = native().openPosix({
      path: "named",
      at: `${top}/link`,
      mode: "read",
      kind: "file",
    });
    await expect(opening).rejects.toMatchObject({
      code: "ERR_NOT_A_VOLUME",
      message: expect.stringMatching(/^named: is a symbolic link/),
    });
  });

  it("leaves nothing open, whatever it meets", async () => {
    const open = () => readdirSync("/proc/self/fd").length;
    symlinkSync("endless", `${top}/endless`);
    await opens(`${top}/real`);
    const before = open();
    for (const name of ["real", "none", "real/below", "endless", "."]) {
      await opens(`file:${top}/${name}`).catch(() => {});
    }
    expect(open()).toBe(before);
  });
});

describe("a name within a backend", () => {
  it("leads through no link, whoever made it", async () => {
    mkdirSync(`${top}/images`);
    await registerBackend(`place${count}`, { driver: "file", directory: `${top}/images` });
    symlinkSync("../real", `${top}/images/link`);
    symlinkSync("gone", `${top}/images/dangling`);
    const ref = `place${count}:link`;
    const refusal = { code: "ERR_NOT_A_VOLUME", message: /is a symbolic link/ };
    await isRefused(opens(ref), refusal);
    await isRefused(openVolume(ref), refusal);
    await isRefused(resizeVolume(ref, 8192), refusal);
    await isRefused(deleteVolume(ref), refusal);
    await isRefused(renameVolume(ref, "other"), refusal);
    for (const create of [{ size: 4096 }, { size: 4096, exclusive: true }]) {
      for (const name of ["link", "dangling"]) {
        const making = openVolume(`place${count}:${name}`, { mode: "write", create });
        await isRefused(making, refusal);
      }
    }
    expect(readFileSync(`${top}/real`, "utf8")).toBe(BYTES);
    expect(readdirSync(`${top}/images`).sort()).toEqual(["dangling", "link"]);
    expect(readdirSync(top).sort()).toEqual(["images", "real"]);
  });

  it("whose folder is a link of one's own is a volume", async () => {
    mkdirSync(`${top}/images`);
    symlinkSync("images", `${top}/linked`);
    await registerBackend(`place${count}`, { driver: "file", directory: `${top}/linked` });
    writeFileSync(`${top}/images/file`, BYTES);
    await opens(`place${count}:file`);
    await renameVolume(`place${count}:file`, "other");
    await opens(`place${count}:other`);
  });
});

function deviceOf(file: string): string {
  return execFileSync("stat", ["-c", "%Hd:%Ld", file], { encoding: "utf8" }).trim();
}
