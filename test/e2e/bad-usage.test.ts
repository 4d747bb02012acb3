/** What is mistyped is refused with one clear line and the right exit code, before anything is made. */
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { blockhaul } from "../support/command.js";
import type { Range } from "../support/oracle.js";
import { Random } from "../support/random.js";
import { expectClear, refuses, UntouchedFile } from "../support/refusals.js";
import { makeSparseFile } from "../support/sparse.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const source = new UntouchedFile(workspace.path("image.img"), 8 * MiB);
const image = source.path;
const small = workspace.path("small.img");
const missing = workspace.path("missing.img");
writeFileSync(small, "small");

afterEach(() => {
  source.check();
  expect(existsSync(missing), "nothing was made").toBe(false);
});
afterAll(() => workspace[Symbol.dispose]());

describe("a command line", () => {
  test.each<[string, string[], RegExp]>([
    ["an unknown command", ["cpoy", image, "null:"], /unknown command 'cpoy'/],
    ["an unknown option", ["copy", "--fast", image, missing], /unknown option '--fast'/],
    ["a missing argument", ["copy", image], /missing required argument 'target'/],
    ["an argument too many", ["copy", image, missing, "null:"], /too many arguments/],
    ["a bad size", ["copy", "--memory", "lots", image, missing], /--memory: "lots" is not a size/],
    ["a bad choice", ["copy", "--digest", "md5", image, missing], /--digest: "md5" is none of/],
    ["an odd request size", ["copy", "--request-size", "3MiB", image, missing], /power of two/],
    ["too little memory", ["copy", "--memory", "64k", image, missing], /memory must hold/],
    ["too many requests", ["copy", "--create", "--requests", "5000", image, missing], /to 4096/],
    [
      "an option without --create",
      ["copy", "--object-size", "4M", image, small],
      /--object-size .*--create/,
    ],
    [
      "an rbd option for a file",
      ["copy", "--create", "--data-pool", "x", image, missing],
      /--data-pool is no option of a new file volume/,
    ],
    ["a shell without a completion", ["completion", "tcsh"], /no completion for "tcsh"/],
  ])("with %s", async (_what, args, says) => {
    // The completion has no events.
    if (args[0] === "completion") {
      const ended = await blockhaul(args);
      expectClear(ended, says);
      expect(ended.status).toBe(2);
      return;
    }
    await refuses(args, { status: 2, code: "ERR_INVALID_ARGUMENT", says });
  });

  test("with --create of what cannot be created", async () => {
    const refusal = { status: 2, code: "ERR_UNSUPPORTED", says: /block does not create volumes/ };
    await refuses(["copy", "--create", image, "block:/dev/none"], refusal);
    await refuses(["copy", "--create", "--dry-run", image, "block:/dev/none"], refusal);
  });

  test("with a range beyond the end", async () => {
    const refusal = { status: 2, code: "ERR_OUT_OF_RANGE", says: /beyond the end/ };
    await refuses(["map", "--offset", "9MiB", image], refusal);
  });

  test("with a target that is only read, or too small", async () => {
    const readOnly = { status: 4, code: "ERR_READ_ONLY", says: /target zero:8MiB: .*only be read/ };
    await refuses(["copy", image, "zero:8MiB"], readOnly);
    await refuses(["copy", image, small], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /target .*small\.img: it has 5 bytes, less than .* 8 MiB/,
    });
  });

  test.each([
    ["--memory", "1e9"],
    ["--memory", "99999PiB"],
    ["--request-size", "1000"],
    ["--requests", "1.5"],
    ["--threads", "65"],
    ["--bwlimit", "fast"],
    ["--digest", "crc32"],
    ["--progress", "loud"],
  ])("with %s %s names the option", async (flag, value) => {
    const ended = await blockhaul(["copy", flag, value, image, missing]);
    expectClear(ended, new RegExp(`^blockhaul: ${flag}: `));
    expect(ended.status).toBe(2);
  });
});

describe("the environment", () => {
  test.each<[string, string, RegExp]>([
    ["BLOCKHAUL_IO", "fibres", /BLOCKHAUL_IO is "fibres": say uring or threads/],
    ["BLOCKHAUL_MEMORY", "-1", /BLOCKHAUL_MEMORY: "-1" is not a size/],
    ["BLOCKHAUL_REQUESTS", "0", /BLOCKHAUL_REQUESTS: "0" is not a whole number/],
    ["BLOCKHAUL_REQUEST_SIZE", "3MiB", /BLOCKHAUL_REQUEST_SIZE: 3MiB is not a power of two/],
    ["BLOCKHAUL_THREADS", "several", /BLOCKHAUL_THREADS: "several"/],
  ])("with %s=%s is named", async (name, value, says) => {
    const ended = await blockhaul(["copy", image, "null:"], { env: { [name]: value } });
    expectClear(ended, says);
    expect(ended.status).toBe(2);
  });
});

describe("a ref", () => {
  test.each<[string, RegExp]>([
    ["zero:many", /zero:many: "many" is not a size/],
    ["rbd:a:key=sesame", /rbd:a:key=\*\*\*: holds a secret/],
    ["", /the ref is empty/],
    ["rbd:", /empty name/],
    ["rbd:/x", /empty name/],
    ["rbd:pool/", /empty name/],
    ["rbd:a/b/c/d", /more than POOL\/NAMESPACE\/IMAGE/],
    ["rbd:a@", /empty snapshot/],
    ["rbd:a@b@c", /more than one @/],
    ["rbd:a@b/c", /slash in its snapshot/],
    ["rbd:a:b", /malformed option "b"|without a value/],
    ["rbd:a:conf=", /conf without a value/],
    ["rbd:a:conf=x:conf=y", /conf twice/],
    ["rbd:a:timeout=soon", /timeout of "soon"/],
    ["rbd:a\\", /ends in a backslash/],
  ])("%j is malformed", async (ref, says) => {
    const refusal = { status: 2, code: "ERR_INVALID_REF", says };
    await refuses(["info", ref], refusal);
    expect((await refuses(["copy", image, ref], refusal)).side).toBe("target");
  });

  test("of an unknown scheme is told which there are", async () => {
    await refuses(["copy", "floppy:a", "null:"], {
      status: 2,
      code: "ERR_UNKNOWN_SCHEME",
      says: /source: no driver and no backend for "floppy:".*rbd:/,
    });
  });
});

describe("a stream that takes no more", () => {
  /** Runs the command through a shell, for its redirections. */
  const shell = (redirection: string, ...args: readonly string[]) =>
    blockhaul(args, { under: ["bash", "-o", "pipefail", "-c", `"$@" ${redirection}`, "bash"] });

  test("stdout on a full disk is an error with its own words", async () => {
    for (const args of [
      ["info", image],
      ["copy", image, "null:"],
    ]) {
      const ended = await shell(">/dev/full", ...args);
      expectClear(ended, /^blockhaul: standard output cannot be written to: ENOSPC/);
      expect(ended.status).toBe(1);
    }
  });

  test("a stderr that cannot be written to does not change the exit code", async () => {
    expect(await shell("2>/dev/full", "info", missing)).toMatchObject({ status: 3, stderr: "" });
    expect(await shell("2>&-", "info", missing)).toMatchObject({ status: 3, stderr: "" });
  });

  test("a reader that goes away early, or is slow, is no error", async () => {
    const gone = await shell("| head -n 1", "map", image);
    expect(gone).toMatchObject({ status: 0, stderr: "" });

    const pieces = Array.from({ length: 16_384 }, (_, index): Range => [index * 8192, 4096]);
    const fragmented = workspace.path("fragmented.img");
    makeSparseFile(fragmented, pieces.length * 8192, pieces, new Random("bad usage"));
    const slow = await shell("| { sleep 1; wc -l; }", "map", "--json", fragmented);
    expect(slow).toMatchObject({ status: 0, stderr: "" });
    expect(Number(slow.stdout)).toBe(2 * pieces.length);
  });
});
