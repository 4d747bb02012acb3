/** What a new image file has of its source beside bytes, as stat and the kernel's attributes show it. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, linkSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { copyVolume, migrateVolume, openVolume } from "blockhaul";
import { afterAll, expect, it } from "vitest";

import { native } from "../../src/native.js";
import { blockhaul } from "../support/command.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { StateDirectory } from "../support/state-directory.js";
import { Workspace } from "../support/workspace.js";

const OWNER = 4242;
const GROUP = 4343;
const STRANGER = 65534;
const ACCESS_LIST = "system.posix_acl_access";
const LABEL = "security.selinux";

const workspace = new Workspace();
const state = new StateDirectory();
let count = 0;
afterAll(() => {
  workspace[Symbol.dispose]();
  state[Symbol.dispose]();
});

/** A folder that everybody may write to, as /tmp. */
function newFolder(): string {
  count += 1;
  const folder = workspace.path(`folder-${count}`);
  mkdirSync(folder);
  chmodSync(workspace.folder, 0o755);
  chmodSync(folder, 0o1777);
  return folder;
}

function newSource(folder: string, mode: number): string {
  const file = path.join(folder, "source.img");
  writeFileSync(file, randomBytes(100_000));
  chownSync(file, OWNER, GROUP);
  chmodSync(file, mode);
  return file;
}

const attributes = (file: string) => {
  const { uid, gid, mode } = statSync(file);
  return { uid, gid, mode: (mode & 0o7777).toString(8) };
};

/** By Python, since neither getfacl nor getfattr is on every machine; "" where there is none. */
function xattr(file: string, name: string, value?: string): string {
  const code = [
    "import os, sys",
    "file, name = sys.argv[1:3]",
    "if len(sys.argv) > 3: os.setxattr(file, name, bytes.fromhex(sys.argv[3]))",
    "try: print(os.getxattr(file, name).hex())",
    "except OSError: print()",
  ].join("\n");
  const given = value === undefined ? [] : [value];
  return execFileSync("python3", ["-c", code, file, name, ...given], { stdio: "pipe" })
    .toString()
    .trim();
}

/** user::rw-, user:4444:rw-, group::---, mask::rw-, other::---: the mode shows 0660, and the group has nothing. */
function listOfAnother(): string {
  const entries: [number, number, number][] = [
    [0x01, 6, 0xffffffff],
    [0x02, 6, 4444],
    [0x04, 0, 0xffffffff],
    [0x10, 6, 0xffffffff],
    [0x20, 0, 0xffffffff],
  ];
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2);
  for (const [index, [tag, rights, id]] of entries.entries()) {
    const at = 4 + index * 8;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(rights, at + 2);
    bytes.writeUInt32LE(id, at + 4);
  }
  return bytes.toString("hex");
}

function takesAttribute(name: string, value: string): boolean {
  const file = path.join(newFolder(), "probe");
  writeFileSync(file, "");
  try {
    return xattr(file, name, value) === value;
  } catch {
    return false;
  }
}

describeWhere(needsRoot, "a new image file that is made from another", () => {
  const modes = [0o600, 0o640, 0o660, 0o644, 0o666];
  it.each(modes.map((mode) => [mode.toString(8), mode] as const))(
    "has its owner, group and mode %s after a copy",
    async (_text, mode) => {
      const folder = newFolder();
      const [source, target] = [newSource(folder, mode), path.join(folder, "target.img")];
      const copied = await blockhaul(["copy", source, target]);
      expect(copied).toMatchObject({ status: 0, stderr: "" });
      expect(attributes(target)).toEqual(attributes(source));
      execFileSync("cmp", [source, target]);
    },
  );

  it("has them after a migration, under either name", async () => {
    const folder = newFolder();
    const source = newSource(folder, 0o640);
    const report = await migrateVolume(source, path.join(folder, "target.img"), {
      stateDirectory: state.folder,
    });
    expect(report.notices).toEqual([]);
    expect(attributes(path.join(folder, "target.img"))).toEqual(attributes(source));
  });

  it("can be written by its owner all the same, and says so", async () => {
    const folder = newFolder();
    const [source, target] = [newSource(folder, 0o440), path.join(folder, "target.img")];
    const { status, stderr } = await blockhaul(["copy", source, target]);
    expect(status).toBe(0);
    expect(stderr).toContain("not kept of the source: the mode 0440, it has 0640");
    expect(attributes(target)).toEqual({ uid: OWNER, gid: GROUP, mode: "640" });
  });

  it("is not touched where it was there before", async () => {
    const folder = newFolder();
    const [source, target] = [newSource(folder, 0o666), path.join(folder, "target.img")];
    writeFileSync(target, Buffer.alloc(100_000), { mode: 0o600 });
    expect((await blockhaul(["copy", source, target])).status).toBe(0);
    expect(attributes(target)).toEqual({ uid: 0, gid: 0, mode: "600" });
    // As a caller asks who does not mind whether it is there.
    const create = { size: 100_000, like: source };
    await using volume = await openVolume(target, { mode: "write", create });
    expect(volume.size).toBe(100_000);
    expect(attributes(target)).toEqual({ uid: 0, gid: 0, mode: "600" });
  });

  it("names what this user may not give away, and gives the group nothing that another had", async () => {
    const folder = newFolder();
    const [source, target] = [newSource(folder, 0o664), path.join(folder, "target.img")];
    const under = [
      "setpriv",
      `--reuid=${STRANGER}`,
      `--regid=${STRANGER}`,
      "--clear-groups",
    ] as const;
    const env = { BLOCKHAUL_STATE_DIR: path.join(folder, "state") };
    const { status, stderr } = await blockhaul(["copy", source, target], { under, env });
    expect(status).toBe(0);
    expect(stderr).toMatch(/not kept of the source: the owner 4242 \(/);
    expect(stderr).toMatch(/not kept of the source: the group 4343 \(/);
    expect(stderr).toMatch(/not kept of the source: the mode 0664, it has 0604/);
    expect(attributes(target)).toEqual({ uid: STRANGER, gid: STRANGER, mode: "604" });
    execFileSync("cmp", [source, target]);
  });

  it("has the access list, and its group no more than that says", async ({ skip }) => {
    const list = listOfAnother();
    if (!takesAttribute(ACCESS_LIST, list)) skip("this file system has no access lists");
    const folder = newFolder();
    const [source, target] = [newSource(folder, 0o600), path.join(folder, "target.img")];
    xattr(source, ACCESS_LIST, list);
    expect((await blockhaul(["copy", source, target])).status).toBe(0);
    expect(attributes(target)).toEqual({ uid: OWNER, gid: GROUP, mode: "660" });
    expect(xattr(target, ACCESS_LIST)).toBe(list);
  });

  it("has the SELinux label", async ({ skip }) => {
    const label = Buffer.from("system_u:object_r:svirt_image_t:s0:c1,c2\0").toString("hex");
    if (!takesAttribute(LABEL, label)) skip("this kernel takes no labels here");
    const folder = newFolder();
    const [source, target] = [newSource(folder, 0o600), path.join(folder, "target.img")];
    xattr(source, LABEL, label);
    expect((await blockhaul(["copy", source, target])).status).toBe(0);
    expect(xattr(target, LABEL)).toBe(label);
  });

  it("is left alone once it has a second name, or is a link", async () => {
    const folder = newFolder();
    const source = newSource(folder, 0o666);
    const secret = path.join(folder, "secret");
    writeFileSync(secret, "", { mode: 0o600 });
    linkSync(secret, path.join(folder, "second"));
    expect(await native().keepFileAttributes(source, secret)).toEqual([
      expect.stringContaining("second name"),
    ]);
    expect(attributes(secret)).toEqual({ uid: 0, gid: 0, mode: "600" });
  });

  it("is as private as ever where it is made from no file", async () => {
    const target = path.join(newFolder(), "target.img");
    await using source = await openVolume("pattern:100000");
    const create = { size: source.size, like: "pattern:100000" };
    await using volume = await openVolume(target, { mode: "write", create });
    await copyVolume(source, volume, { journal: false });
    expect(volume.info.notKept).toEqual([]);
    expect(attributes(target)).toEqual({ uid: 0, gid: 0, mode: "600" });
  });
});
