/** Paths that lead to no volume, or to none that this user may open. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { blockhaul } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { describeWhere } from "../support/needs.js";
import { refuses, UntouchedFile } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const source = new UntouchedFile(workspace.path("disk.img"), 8 * MiB);
const { path: file } = source;

// An unprivileged user must get as far as the file itself.
chmodSync(workspace.folder, 0o755);

afterEach(() => source.check());
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

describe("a path that leads to no volume", () => {
  test.each<[string, string[], number, string, RegExp]>([
    ["nothing", ["/no/such.img", "null:"], 3, "ERR_NOT_FOUND", /source \/no\/such\.img: No such/],
    ["no directory", [file, "/no/dir.img"], 3, "ERR_NOT_FOUND", /target .*: No such file/],
    ["no device", [file, "/dev/blockhaul-none"], 3, "ERR_NOT_FOUND", /No such device/],
    ["a directory", ["/tmp", "null:"], 2, "ERR_NOT_A_VOLUME", /source \/tmp: is a directory/],
    ["a directory", [file, "/tmp"], 2, "ERR_NOT_A_VOLUME", /target \/tmp: is a directory/],
    ["zeros", ["/dev/zero", "null:"], 2, "ERR_NOT_A_VOLUME", /\/dev\/zero: is neither/],
    ["a full disk", [file, "/dev/full"], 2, "ERR_NOT_A_VOLUME", /\/dev\/full: is neither/],
  ])("%s: copy %s", async (_what, ends, status, code, says) => {
    await refuses(["copy", ...ends], { status, code, says });
  });

  test("a directory that is not there is said how to make", async () => {
    const folder = workspace.path("none");
    const refusal = { status: 3, code: "ERR_NOT_FOUND", says: /No such file/ };
    const { hint } = await refuses(["copy", file, path.join(folder, "new.img")], refusal);
    expect(hint).toBe(`make its directory first: mkdir -p ${folder}`);
  });

  test("a file that is called like standard input is written ./-", async () => {
    const cwd = workspace.path("streams");
    mkdirSync(cwd, { recursive: true });
    for (const args of [
      ["copy", file, "file:-"],
      ["copy", "file:-", path.join(cwd, "target.img")],
      ["migrate", file, "file:-"],
    ]) {
      const { status, stderr } = await blockhaul(args, { cwd });
      expect({ args, status }).toEqual({ args, status: 2 });
      expect(stderr).toContain("./-");
    }
    expect(readdirSync(cwd)).toEqual([]);
    expect(await blockhaul(["copy", file, "./-"], { cwd })).toMatchObject({ status: 0 });
    expect(readdirSync(cwd)).toEqual(["-"]);
    rmSync(cwd, { recursive: true });
  });

  test("a socket", async () => {
    const socket = workspace.path("socket");
    const server = createServer().listen(socket);
    await refuses(["copy", socket, "null:"], {
      status: 2,
      code: "ERR_NOT_A_VOLUME",
      says: /source .*socket: is neither/,
    });
    server.close();
  });

  test("a link to nothing, and links in a circle", async () => {
    const dangling = workspace.path("dangling");
    symlinkSync(workspace.path("nothing"), dangling);
    const missing = { status: 3, code: "ERR_NOT_FOUND", says: /dangling: No such file/ };
    await refuses(["copy", dangling, "null:"], missing);

    const circle = workspace.path("circle");
    symlinkSync(circle, circle);
    const circular = {
      status: 2,
      code: "ERR_INVALID_REF",
      says: /circle: leads through too many links/,
    };
    await refuses(["copy", circle, "null:"], circular);
  });

  test("a path through a file", async () => {
    const refusal = { status: 3, code: "ERR_NOT_FOUND", says: /disk\.img\/a: Not a directory/ };
    await refuses(["copy", path.join(file, "a"), "null:"], refusal);
    await refuses(["copy", file, path.join(file, "a")], refusal);
  });

  test("a device without any bytes", async () => {
    const empty = await loops.attachNew(workspace.path("empty"), 0);
    await refuses(["copy", file, empty.path], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /it has 0 bytes, less than the source's 8 MiB/,
    });
  });

  test("what is a device is no file, and the other way round", async () => {
    const { path: device } = await loops.attachNew(workspace.path("plain"), MiB);
    await refuses(["info", `file:${device}`], {
      status: 2,
      code: "ERR_NOT_A_VOLUME",
      says: /is not an image file/,
    });
    await refuses(["info", `block:${file}`], {
      status: 2,
      code: "ERR_NOT_A_VOLUME",
      says: /is not a block device/,
    });
  });
});

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const checkout = fileURLToPath(new URL("../..", import.meta.url));
const isReachable =
  spawnSync("setpriv", [...NOBODY.slice(1), "test", "-r", `${checkout}package.json`]).status === 0;
const whyNotReachable = isReachable
  ? undefined
  : "another user cannot reach this checkout to run it";

describeWhere(whyNotReachable, "a user without permission", () => {
  const nobody = { under: NOBODY };
  const denied = { status: 1, code: "ERR_PERMISSION", says: /Permission denied/ };

  test("may not read a file", async () => {
    const secret = workspace.path("secret.img");
    writeFileSync(secret, "secret", { mode: 0o600 });
    const says = /source .*secret\.img: Permission denied/;
    await refuses(["copy", secret, "null:"], { ...denied, says }, nobody);
  });

  test("may not write to a file, nor make one", async () => {
    await refuses(["copy", "zero:8MiB", file], denied, nobody);
    await refuses(["copy", file, workspace.path("new.img")], denied, nobody);
    expect(existsSync(workspace.path("new.img"))).toBe(false);
  });

  test("may not open a device", async () => {
    const { path: device } = await loops.attachNew(workspace.path("others"), MiB);
    chmodSync(device, 0o660);
    const { hint } = await refuses(["info", device], denied, nobody);
    expect(hint).toMatch(/root or the group/);
  });
});
