/** `blockhaul config` and `blockhaul list`, and refs of backends in the other commands. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { showJob } from "blockhaul";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { blockhaul, ownStateDirectory } from "../support/command.js";
import { cutCopy } from "../support/copy-jobs.js";
import { Random } from "../support/random.js";
import { refuses } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const { folder: cwd } = workspace;
const config = workspace.path("blockhaul.yaml");
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** Neither this user's configuration nor this host's has a say. */
const env = { XDG_CONFIG_HOME: workspace.path("xdg"), BLOCKHAUL_CONFIG: undefined };
const at = { cwd, env };

const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(() => {
  mkdirSync(workspace.path("images"));
  mkdirSync(workspace.path("drivers"));
  const support = pathToFileURL(
    fileURLToPath(new URL("../support/tape-driver.mjs", import.meta.url)),
  );
  writeFileSync(
    workspace.path("drivers/tape.mjs"),
    `import { tapeDriver } from ${JSON.stringify(support.href)};\nexport const driver = tapeDriver("tape");\n`,
  );
  writeFileSync(
    config,
    `parallel: 4
backends:
  images:
    driver: file
    directory: ${workspace.path("images")}
    limits: {parallel: 2, bandwidth: 200MiB}
  tapes: {driver: ./drivers/tape.mjs, library: 2}
`,
  );
});
afterAll(() => workspace[Symbol.dispose]());

describe("blockhaul config check", () => {
  it("says what was read", async () => {
    const ok = { status: 0, stdout: `ok: 2 backends from ${config}\n`, stderr: "" };
    expect(await blockhaul(["config", "check"], at)).toMatchObject(ok);
    expect(await blockhaul(["config", "check", "--config", config], { env })).toMatchObject(ok);
    expect(
      await blockhaul(["config", "check"], { env: { ...env, BLOCKHAUL_CONFIG: config } }),
    ).toMatchObject(ok);
    const { stdout } = await blockhaul(["config", "check", "--json"], at);
    expect(eventsOf(stdout)).toEqual([
      { type: "checked", files: [config], backends: ["images", "tapes"] },
    ]);
  });

  it("prints every fault with its place, and exits with 2", async () => {
    const file = workspace.path("broken.yaml");
    writeFileSync(file, "paralel: 4\nbackends:\n  a: {driver: file, password: hunter2}\n");
    const { status, stdout, stderr } = await blockhaul(["config", "check", "--config", file], at);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.split("\n").slice(0, 4)).toEqual([
      "blockhaul: the configuration has 3 faults",
      expect.stringContaining(`${file}:1:1: there is no key "paralel" here`),
      `${file}:3:3: directory: is missing`,
      expect.stringContaining(`${file}:3:21: secrets do not stand in this file`),
    ]);
    expect(stderr).not.toContain("hunter2");
    const asked = await blockhaul(["info", "--json", "--config", file, "a:x"], at);
    expect(asked.status).toBe(2);
    expect(eventsOf(asked.stdout)).toEqual([
      expect.objectContaining({
        type: "error",
        code: "ERR_CONFIG",
        faults: [
          expect.objectContaining({ file, line: 1, column: 1 }),
          { file, line: 3, column: 3, message: "directory: is missing" },
          expect.objectContaining({ file, line: 3, column: 21 }),
        ],
      }),
    ]);
    expect(asked.stdout + asked.stderr).not.toContain("hunter2");
  });

  it("takes nothing else", async () => {
    expect((await blockhaul(["config", "mend"], at)).status).toBe(2);
    expect((await blockhaul(["config", "check", "--origin"], at)).status).toBe(2);
  });
});

describe("blockhaul config show", () => {
  it("prints settings that are read as they were, and where they stand", async () => {
    const { stdout } = await blockhaul(["config", "show", "--origin"], at);
    expect(stdout).toContain(`# ${config}\n`);
    expect(stdout).toContain(`# ${workspace.path("xdg")}/blockhaul/blockhaul.yaml (missing)\n`);
    expect(stdout).toContain(`    bandwidth: 200MiB # ${config}:6\n`);
    expect(stdout).toContain(`    library: 2 # ${config}:7\n`);
    // Beside the drivers, which are named by a path from there.
    const shown = workspace.path("shown.yaml");
    writeFileSync(shown, stdout);
    const [before, after] = await Promise.all(
      [config, shown].map(async (file) => {
        const args = ["config", "show", "--json", "--config", file];
        return eventsOf((await blockhaul(args, at)).stdout)[0].settings;
      }),
    );
    expect(after).toEqual(before);
  });

  it("says it to programs, too", async () => {
    const { stdout } = await blockhaul(["config", "show", "--json", "--origin"], at);
    const [event] = eventsOf(stdout);
    expect(event).toMatchObject({
      type: "configuration",
      settings: { parallel: 4, backends: { tapes: { driver: "./drivers/tape.mjs", library: 2 } } },
    });
    expect(event.files[0]).toEqual({ path: config, found: true });
    expect(event.origins[0]).toEqual({
      path: ["parallel"],
      value: 4,
      file: config,
      line: 1,
      column: 11,
    });
  });
});

describe("blockhaul list", () => {
  it("shows the backends", async () => {
    const { stdout } = await blockhaul(["list"], at);
    expect(stdout).toMatch(/^backend +driver +place +limits\n/);
    expect(stdout).toMatch(/^images +file +directory=\/.*\/images +2 at once, 200MiB\/s each$/m);
    expect(stdout).toMatch(/^tapes +tape +library=2 +-$/m);
    expect((await blockhaul(["list", "-q"], at)).stdout).toBe("images\ntapes\n");
    expect(eventsOf((await blockhaul(["list", "--json"], at)).stdout)[1]).toEqual({
      type: "backend",
      name: "tapes",
      driver: "tape",
      settings: { library: 2 },
      limits: {},
    });
    const none = await blockhaul(["list"], { cwd: "/", env });
    expect(none).toMatchObject({ status: 0, stdout: expect.stringMatching(/^no backends: /) });
  });

  it("shows the volumes of one, and its room", async () => {
    expect((await blockhaul(["list", "tapes"], at)).stdout).toBe(
      [
        "name      size  allocated",
        "first   64 KiB      4 KiB",
        "second  64 KiB          -",
        "free 1.25 TiB of 3 TiB",
        "",
      ].join("\n"),
    );
    expect((await blockhaul(["list", "-q", "tapes"], at)).stdout).toBe("first\nsecond\n");
    const { stdout } = await blockhaul(["list", "--json", "tapes:"], at);
    expect(eventsOf(stdout)).toEqual([
      { type: "listed", name: "first", size: 65_536, allocated: 4096, ref: "tapes:first" },
      { type: "listed", name: "second", size: 65_536, ref: "tapes:second" },
      { type: "room", capacity: 3 * 1024 ** 4, free: 1.25 * 1024 ** 4, granularity: 4096 },
    ]);
  });

  it("of what is no backend says which there are", async () => {
    const { status, stderr } = await blockhaul(["list", "nowhere"], at);
    expect(status).toBe(3);
    expect(stderr).toMatch(/known are images, tapes/);
  });
});

describe("a ref of a backend", () => {
  const source = workspace.path("images/a");
  const target = workspace.path("images/b");
  const bytes = new Random("cli-config").bytes(24 * MiB + 513);

  it("is a volume in every command", async () => {
    writeFileSync(source, bytes);
    expect(await blockhaul(["copy", "images:a", "images:b"], at)).toMatchObject({ status: 0 });
    execFileSync("cmp", [source, target]);
    expect(await blockhaul(["verify", "images:a", "images:b"], at)).toMatchObject({ status: 0 });
    const { stdout } = await blockhaul(["info", "--json", "images:b"], at);
    expect(eventsOf(stdout)[0]).toMatchObject({
      ref: "images:b",
      driver: "file",
      size: bytes.length,
    });
    const tape = await blockhaul(["copy", "tapes:first", "images:tape"], at);
    expect(tape).toMatchObject({ status: 0 });
    expect(readFileSync(workspace.path("images/tape"))).toEqual(Buffer.alloc(65_536, 7));
  });

  it("is found again by a resume, which is held to the volumes and not to their names", async () => {
    writeFileSync(source, bytes);
    const state = workspace.path("state");
    const resume = (id: string) =>
      blockhaul(["resume", id, "--state-dir", state, "--bwlimit", "0", "--config", config], {
        env,
      });
    const cut = await cutCopy(state, ["--config", config, "images:a", "images:cut"]);
    expect(cut.source?.ref).toBe("images:a");
    // The same names lead elsewhere: a volume with the same bytes, of another identity.
    const moved = workspace.path("images/moved");
    renameSync(source, moved);
    writeFileSync(source, bytes);
    await refuses(["resume", cut.id, "--state-dir", state, "--config", config], {
      status: 4,
      code: "ERR_JOURNAL",
      says: /./,
    });
    renameSync(moved, source);
    expect(await resume(cut.id)).toMatchObject({ status: 0 });
    execFileSync("cmp", [source, workspace.path("images/cut")]);
    expect(await showJob(cut.id, { stateDirectory: state })).toMatchObject({ state: "done" });
  });

  it("that the configuration does not know any more is not resumed", async () => {
    const state = workspace.path("state");
    const cut = await cutCopy(state, ["--config", config, "images:a", "images:lost"]);
    const { status, stderr } = await blockhaul(["resume", cut.id, "--state-dir", state], {
      cwd: "/",
      env,
    });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/no driver and no backend for "images:"/);
    expect(await showJob(cut.id, { stateDirectory: state })).toMatchObject({ resumable: true });
  });
});

it("a copy between files loads neither the parser nor the schemas of a configuration", () => {
  const hooks = `export async function resolve(name, context, next) {
    if (name === "yaml" || name === "valibot" || name.includes("config/load")) throw new Error("loaded " + name);
    return next(name, context);
  }`;
  const url = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  const register = url(
    `import { register } from "node:module"; register(${JSON.stringify(url(hooks))});`,
  );
  const run = (...args: string[]) =>
    execFileSync(process.execPath, ["--import", register, main, ...args], {
      cwd,
      encoding: "utf8",
      stdio: "pipe",
      env: { ...process.env, ...env, BLOCKHAUL_STATE_DIR: ownStateDirectory() },
    });
  const image = path.join(cwd, "plain.img");
  writeFileSync(image, "");
  truncateSync(image, MiB);
  expect(run("copy", image, workspace.path("plain-copy.img"))).toContain("copied");
  expect(() => run("info", "images:a")).toThrow(/loaded /);
});
