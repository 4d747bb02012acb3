/** Verification, manifests and digests, judged by programs that share no code with the engine. */
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { controlJob } from "blockhaul";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { startCopy } from "../support/copy-jobs.js";
import { flipByte } from "../support/flip.js";
import { Random } from "../support/random.js";
import { refuses } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const CHUNK = 4 * MiB;
const SIZE = 6 * CHUNK + 513;
const workspace = new Workspace();
const state = workspace.path("state");
const env = { BLOCKHAUL_STATE_DIR: state };
const source = workspace.path("source.img");
const digester = fileURLToPath(new URL("../support/volume_digest.py", import.meta.url));

beforeAll(() => {
  const bytes = new Random("cli-verify").bytes(SIZE);
  // Equal chunks in a row are one line of a manifest.
  bytes.fill(0, CHUNK, 3 * CHUNK);
  writeFileSync(source, bytes);
});
afterAll(() => workspace[Symbol.dispose]());

let count = 0;
const newPath = () => workspace.path(`${++count}.img`);
const cmp = (a: string, b: string) => execFileSync("cmp", [a, b]);
const copyOfSource = () => {
  const file = newPath();
  copyFileSync(source, file);
  return file;
};
const lastEvent = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");

describe("blockhaul verify", () => {
  it("says that equal bytes are equal, and their digest", async () => {
    const other = copyOfSource();
    const { status, stdout, stderr } = await blockhaul(["verify", source, other]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      / is what .* is\n {2}24\.0 MiB compared in .*\n {2}xxh3:[0-9a-f]{32}\n$/,
    );
    const forPrograms = await blockhaul(["verify", "--json", "--digest", "sha256", source, other]);
    const expected = execFileSync("/usr/bin/python3", [digester, "sha256", source]).toString();
    expect(lastEvent(forPrograms.stdout)).toMatchObject({
      type: "verified",
      target: other,
      size: SIZE,
      digest: expected.trim(),
    });
    truncateSync(other, SIZE + 10_000);
    expect((await blockhaul(["verify", "-q", source, other])).status).toBe(0);
  });

  it.each([
    ["the first byte", 0, 0, CHUNK],
    ["one of a zero chunk", 2 * CHUNK + 5, 2 * CHUNK, CHUNK],
    ["the last byte", SIZE - 1, 6 * CHUNK, 513],
  ])("finds that %s is another, and names its place", async (_, at, offset, length) => {
    const other = copyOfSource();
    flipByte(other, at);
    const says = new RegExp(`differs in ${length} bytes in 1 range \\(${offset}\\+${length}\\)`);
    const text = await blockhaul(["verify", source, other]);
    expect(text).toMatchObject({ status: 6, stdout: "" });
    expect(text.stderr).toMatch(says);
    const { status, stdout } = await blockhaul(["verify", "--json", other, source]);
    expect(status).toBe(6);
    expect(lastEvent(stdout)).toMatchObject({
      type: "error",
      code: "ERR_VERIFICATION",
      ranges: [{ offset, length }],
    });
  });

  it("shows the first twenty places to people, and all of them to programs", async () => {
    const [one, other] = [newPath(), newPath()];
    for (const file of [one, other]) {
      writeFileSync(file, "");
      truncateSync(file, 48 * CHUNK);
    }
    for (let index = 0; index < 24; index += 1) flipByte(other, 2 * index * CHUNK);
    const { stderr } = await blockhaul(["verify", one, other]);
    expect(stderr.match(/^ {2}4 MiB at offset \d+$/gm)).toHaveLength(20);
    expect(stderr).toMatch(/^ {2}and 4 more$/m);
    const { stdout } = await blockhaul(["verify", "--json", one, other]);
    expect(lastEvent(stdout).ranges).toHaveLength(24);
  });

  it("refuses a target that is smaller, and a line that names neither or both", async () => {
    const small = copyOfSource();
    truncateSync(small, SIZE - 1);
    const refusal = { status: 4, code: "ERR_TARGET_TOO_SMALL", says: /fewer bytes/ };
    await refuses(["verify", source, small], refusal);
    const usage = { status: 2, code: "ERR_INVALID_ARGUMENT", says: /either a target or a --manif/ };
    await refuses(["verify", source], usage);
    await refuses(["verify", source, small, "--manifest", small], usage);
  });
});

describe("copy --verify", () => {
  /** A copy under which a byte of the target changes after it was written, and before it is read back. */
  async function disturbed(flag: "--verify" | "--repair") {
    const target = newPath();
    const { command, id } = await startCopy(state, [flag, "--json", source, target]);
    await controlJob(id, { paused: true }, { stateDirectory: state });
    // What is done and flushed is not written again.
    flipByte(target, 100);
    await controlJob(id, { bandwidthLimit: 0, paused: false }, { stateDirectory: state });
    return { target, id, ...(await command.ended) };
  }

  it("reads the target back", async () => {
    const target = newPath();
    const { status, stdout } = await blockhaul(["copy", "--verify", source, target], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^ {2}verified: 24\.0 MiB read back in .*, the target holds what was read of the source$/m,
    );
  });

  it("finds what is wrong there, and `resume --repair` mends it", async () => {
    const { target, id, status, stdout } = await disturbed("--verify");
    expect(status).toBe(6);
    const error = lastEvent(stdout);
    expect(error).toMatchObject({ code: "ERR_VERIFICATION", side: "target", job: id });
    expect(error.ranges).toEqual([{ offset: 0, length: CHUNK }]);
    expect(() => cmp(source, target)).toThrow();
    const repair = ["resume", "--repair", "--bwlimit", "0", "--json", id];
    expect((await blockhaul(repair, { env })).status).toBe(0);
    cmp(source, target);
  });

  it("with --repair mends it at once, and says what that was", async () => {
    const { target, status, stdout } = await disturbed("--repair");
    expect(status).toBe(0);
    expect(lastEvent(stdout).verification).toMatchObject({
      size: SIZE,
      differences: [],
      repaired: [{ offset: 0, length: CHUNK }],
    });
    cmp(source, target);
  });

  it("needs a digest, and a target that keeps something, before anything is made", async () => {
    const usage = (says: RegExp) => ({ status: 2, code: "ERR_INVALID_ARGUMENT", says });
    const none = ["--digest", "none", source, newPath()];
    await refuses(["copy", "--verify", ...none], usage(/--verify needs a digest/));
    await refuses(["copy", "--manifest", "x", ...none], usage(/--manifest needs a digest/));
    await refuses(["copy", "--verify", source, "null:"], usage(/null: keeps nothing/));
  });
});

describe("a manifest", () => {
  const write = async (digest: string) => {
    const [target, manifest] = [newPath(), newPath()];
    const args = ["copy", "--digest", digest, "--manifest", manifest, source, target];
    expect((await blockhaul(args, { env })).status).toBe(0);
    return { target, manifest };
  };

  it.each(["xxh3", "sha256"])(
    "by %s proves what was copied, and finds what changed",
    async (kind) => {
      const { target, manifest } = await write(kind);
      const verify = ["verify", target, "--manifest", manifest];
      const { status, stdout } = await blockhaul(verify);
      expect(status).toBe(0);
      expect(stdout).toContain(
        execFileSync("/usr/bin/python3", [digester, kind, source]).toString().trim(),
      );
      flipByte(target, 5 * CHUNK);
      const ended = await blockhaul([...verify, "--json"]);
      expect(ended.status).toBe(6);
      expect(lastEvent(ended.stdout).ranges).toEqual([{ offset: 5 * CHUNK, length: CHUNK }]);
    },
  );

  it.each(["xxh3", "sha256"])(
    "by %s is checked by docs/MANIFEST.md's own program",
    async (kind) => {
      const { target, manifest } = await write(kind);
      const page = readFileSync(new URL("../../docs/MANIFEST.md", import.meta.url), "utf8");
      const program = /```python\n(.*?)```/s.exec(page)?.[1] ?? "";
      const check = () =>
        execFileSync("/usr/bin/python3", ["-c", program, manifest, target], { encoding: "utf8" });
      expect(check()).toBe("the same\n");
      flipByte(target, CHUNK);
      expect(check()).toBe(`differs: ${CHUNK} bytes at ${CHUNK}\nnot the same\n`);
    },
  );

  it("that was changed, cut short or never was one is refused, by its line", async () => {
    const { target, manifest } = await write("xxh3");
    const lines = readFileSync(manifest, "utf8").trimEnd().split("\n");
    expect(lines[2]).toMatch(/^\{"chunks":2,/);
    const header = JSON.parse(lines[0] ?? "");
    const changes: [string, string[], RegExp][] = [
      ["no end", lines.slice(0, -1), /its end is missing/],
      ["a chunk less", lines.toSpliced(2, 1), /it has 5 chunks, not 7/],
      ["a chunk more", lines.toSpliced(2, 0, lines[2] ?? ""), /one too many|9 chunks/],
      ["something after its end", [...lines, "{}"], /line 9: something follows its end/],
      ["half a line", [...lines.slice(0, 2), (lines[2] ?? "").slice(0, 20)], /line 3: .*no JSON/],
      [
        "another digest",
        [JSON.stringify({ ...header, digest: `xxh3:${"0".repeat(32)}` }), ...lines.slice(1)],
        /its chunks do not have its digest/,
      ],
      [
        "another chunk",
        lines.with(1, `{"chunks":1,"digest":"${"0f".repeat(16)}"}`),
        /its chunks do not have its digest/,
      ],
      ["another format", [JSON.stringify({ ...header, format: "x" })], /line 1: it is no manifest/],
      ["another version", [JSON.stringify({ ...header, version: 2 })], /line 1: its version is 2/],
      ["nothing", [], /it is empty/],
    ];
    for (const [what, changed, says] of changes) {
      const file = newPath();
      writeFileSync(file, changed.map((line) => `${line}\n`).join(""));
      const refusal = { status: 2, code: "ERR_MANIFEST", says };
      const event = await refuses(["verify", target, "--manifest", file], refusal);
      expect(event.volume, what).toBe(file);
    }
    const missing = { status: 3, code: "ERR_NOT_FOUND", says: /No such file|no such file/ };
    await refuses(["verify", target, "--manifest", newPath()], missing);
  });
});

describe("blockhaul digest", () => {
  it.each(["xxh3", "sha256"])("is by %s what a program without its code computes", async (kind) => {
    const expected = execFileSync("/usr/bin/python3", [digester, kind, source]).toString();
    expect(await blockhaul(["digest", "-q", "--digest", kind, source])).toEqual({
      status: 0,
      signal: null,
      stdout: expected,
      stderr: "",
    });
    const { stdout } = await blockhaul(["digest", "--json", "--digest", kind, source]);
    expect(lastEvent(stdout)).toMatchObject({
      type: "digest",
      size: SIZE,
      digest: expected.trim(),
    });
  });
});
