/** Bad input gets one clear line and the right exit code, never a stack trace. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { blockhaul, type Ended } from "../support/command.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const image = workspace.path("image.img");
const small = workspace.path("small.img");
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const isRoot = process.getuid?.() === 0;

beforeAll(() => {
  writeFileSync(image, Buffer.alloc(8 * MiB, 7));
  writeFileSync(small, "small");
});
afterAll(() => workspace[Symbol.dispose]());

/** One line that says what is wrong, perhaps one that says what to do, and nothing else. */
function expectClear({ stdout, stderr }: Pick<Ended, "stdout" | "stderr">, message: RegExp): void {
  expect(stdout).toBe("");
  const [first = "", ...further] = stderr.trimEnd().split("\n");
  expect(first).toMatch(/^blockhaul: /);
  expect(first).toMatch(message);
  for (const line of further) expect(line).toMatch(/^(hint: |\(Did you mean)/);
  expect(stderr).not.toMatch(/^\s+at |ERR_|Error:|undefined|\[object/m);
}

describe("blockhaul", () => {
  it.each<[string, string[], number, RegExp]>([
    [
      "a missing source",
      ["copy", "/no/such.img", "null:"],
      3,
      /source \/no\/such\.img: No such file/,
    ],
    ["a directory as a source", ["copy", "/tmp", "null:"], 2, /source \/tmp: is a directory/],
    ["a directory as a target", ["copy", image, "/tmp"], 2, /target \/tmp: is a directory/],
    ["a character device", ["copy", "/dev/zero", "null:"], 2, /\/dev\/zero: is neither/],
    ["a missing directory", ["copy", image, "/no/such/dir.img"], 3, /target .*: No such file/],
    ["a missing device", ["copy", image, "/dev/blockhaul-none"], 3, /No such device/],
    [
      "an unknown scheme",
      ["copy", "floppy:a", "null:"],
      2,
      /source: no driver for "floppy:".*rbd:/,
    ],
    ["a malformed rbd ref", ["copy", image, "rbd:a/b/c/d"], 2, /target rbd:a\/b\/c\/d: /],
    [
      "a malformed size in a ref",
      ["copy", "zero:many", "null:"],
      2,
      /zero:many: "many" is not a size/,
    ],
    ["a secret in a ref", ["info", "rbd:a:key=sesame"], 2, /rbd:a:key=\*\*\*: holds a secret/],
    ["an empty ref", ["info", ""], 2, /the ref is empty/],
    ["a smaller target", ["copy", image, small], 4, /target .*small.img: its 5 bytes .* 8388608/],
    ["the same volume twice", ["copy", image, image], 4, /are the same volume/],
    ["a target that is only read", ["copy", image, "zero:8MiB"], 4, /zero: can only be read/],
    ["--create of a device", ["copy", "--create", image, "block:/dev/none"], 2, /does not create/],
    [
      "an rbd option for a file",
      ["copy", "--create", "--data-pool", "x", image, workspace.path("n")],
      2,
      /"dataPool" is no option of a new file/,
    ],
    [
      "an option without --create",
      ["copy", "--object-size", "4M", image, small],
      2,
      /--object-size .*--create/,
    ],
    [
      "a bad size",
      ["copy", "--memory", "lots", image, "null:"],
      2,
      /--memory: "lots" is not a size/,
    ],
    ["an odd request size", ["copy", "--request-size", "3MiB", image, "null:"], 2, /power of two/],
    ["too little memory", ["copy", "--memory", "64k", image, "null:"], 2, /memory must hold/],
    ["a bad choice", ["copy", "--digest", "md5", image, "null:"], 2, /--digest: "md5" is none of/],
    ["an unknown option", ["copy", "--fast", image, "null:"], 2, /unknown option '--fast'/],
    ["an unknown command", ["cpoy", image, "null:"], 2, /unknown command 'cpoy'/],
    ["a missing argument", ["copy", image], 2, /missing required argument 'target'/],
    ["one argument too many", ["copy", image, "null:", "null:"], 2, /too many arguments/],
    ["a range beyond the end", ["map", "--offset", "9MiB", image], 2, /beyond the end/],
  ])("with %s", async (_what, args, status, message) => {
    const ended = await blockhaul(args);
    expectClear(ended, message);
    expect(ended.status).toBe(status);
  });

  it("with a bad setting in the environment names the variable", async () => {
    const env = { BLOCKHAUL_THREADS: "several" };
    const ended = await blockhaul(["copy", image, "null:"], { env });
    expectClear(ended, /BLOCKHAUL_THREADS: "several"/);
    expect(ended.status).toBe(2);
  });

  it("is told to programs, too, whoever finds it", async () => {
    for (const args of [
      ["copy", "--fast", image, "null:"],
      ["copy", "--memory", "x", image, "null:"],
    ]) {
      const { status, stdout } = await blockhaul([...args, "--json"]);
      expect(status).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({
        type: "error",
        code: "ERR_INVALID_ARGUMENT",
        exitCode: 2,
      });
    }
  });

  it("without librbd does everything else, and says which package rbd: needs", async () => {
    const env = { BLOCKHAUL_LIBRBD: "/no/librbd.so" };
    const ended = await blockhaul(["info", "rbd:a"], { env });
    expectClear(ended, /rbd:.*librbd1/);
    expect(ended.status).toBe(8);
    expect((await blockhaul(["copy", image, "null:"], { env })).status).toBe(0);
  });

  it.skipIf(!isRoot)("without permission says so (skipped where one cannot become nobody)", () => {
    const secret = workspace.path("secret.img");
    writeFileSync(secret, "secret", { mode: 0o600 });
    execFileSync("chmod", ["755", workspace.folder]);
    const nobody = { uid: 65534, gid: 65534, encoding: "utf8" as const };
    const ended = spawnSync(process.execPath, [main, "copy", secret, "null:"], nobody);
    expectClear(ended, /source .*secret.img: Permission denied/);
    expect(ended.status).toBe(1);
  });

  it.skipIf(!isRoot)(
    "on a full disk says so, and leaves the source alone (skipped without root)",
    async () => {
      const mountPoint = workspace.path("full");
      mkdirSync(mountPoint);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", mountPoint]);
      try {
        const before = readFileSync(image);
        const ended = await blockhaul(["copy", image, `${mountPoint}/copy.img`]);
        expectClear(
          ended,
          /target .*full\/copy\.img: write at offset \d+: No space left on device/,
        );
        expect(ended.stderr).toMatch(/^hint: make room/m);
        expect(ended.status).toBe(1);
        expect(readFileSync(image).equals(before)).toBe(true);
      } finally {
        execFileSync("umount", [mountPoint]);
      }
    },
  );
});
