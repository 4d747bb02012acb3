/** Everything but `copy`: info, map, drivers, doctor, completion, help and version. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const image = workspace.path("sparse.img");
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

beforeAll(() => {
  writeFileSync(image, Buffer.alloc(MiB, 1));
  truncateSync(image, 64 * MiB);
});
afterAll(() => workspace[Symbol.dispose]());

const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("blockhaul --version", () => {
  it("prints the version of the package", async () => {
    const file = new URL("../../package.json", import.meta.url);
    const { version } = JSON.parse(readFileSync(file, "utf8"));
    for (const flag of ["--version", "-V"]) {
      expect(await blockhaul([flag])).toMatchObject({
        status: 0,
        stdout: `blockhaul ${version}\n`,
      });
    }
  });

  it("loads neither the engine nor the parser of the command line", () => {
    const hooks = `export async function resolve(name, context, next) {
      if (name === "commander" || name.includes("index.js")) throw new Error("loaded " + name);
      return next(name, context);
    }`;
    const register = `import { register } from "node:module"; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)});`;
    const run = (...args: string[]) =>
      execFileSync(
        process.execPath,
        ["--import", `data:text/javascript,${encodeURIComponent(register)}`, main, ...args],
        { encoding: "utf8", stdio: "pipe" },
      );
    expect(run("--version")).toMatch(/^blockhaul \d/);
    expect(() => run("--help")).toThrow(/loaded/);
  });
});

describe("blockhaul --help", () => {
  it("names every command, the refs and the exit codes", async () => {
    const { status, stdout } = await blockhaul(["--help"]);
    expect(status).toBe(0);
    for (const word of [
      "copy",
      "info",
      "map",
      "drivers",
      "doctor",
      "completion",
      "rbd:",
      "lvm:",
      "iscsi://",
      "Exit codes",
    ]) {
      expect(stdout).toContain(word);
    }
  });

  it.each(["copy", "info", "map", "drivers", "doctor", "completion"])(
    "of %s has examples, and exits with 0",
    async (command) => {
      const { status, stdout, stderr } = await blockhaul([command, "--help"]);
      expect(status).toBe(0);
      expect(stderr).toBe("");
      expect(stdout).toMatch(new RegExp(`^Usage: blockhaul ${command} `));
      expect(stdout).toMatch(/^Examples:\n(.*\n)* {2}.*blockhaul/m);
    },
  );

  it("is what one gets without a command, as an error", async () => {
    const { status, stdout, stderr } = await blockhaul([]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: blockhaul");
  });
});

describe("blockhaul info", () => {
  it("says what a volume is and how much of it is allocated", async () => {
    const { status, stdout } = await blockhaul(["info", image]);
    expect(status).toBe(0);
    expect(stdout).toContain(`size           64 MiB (${64 * MiB} bytes)\n`);
    expect(stdout).toMatch(/^allocated {6}1 MiB \(2%\), in 2 extents$/m);
    expect(stdout).toMatch(/^can {12}read, write, create, extents, zero, delete$/m);
    const { stdout: brief } = await blockhaul(["info", "--no-usage", image]);
    expect(brief).toMatch(/^allocated {6}not known$/m);
  });

  it("says it to programs, too", async () => {
    const { stdout } = await blockhaul(["info", "--json", image]);
    expect(eventsOf(stdout)).toEqual([
      expect.objectContaining({
        type: "info",
        ref: image,
        driver: "file",
        size: 64 * MiB,
        zeroState: "unknown",
        identity: expect.any(String),
        capabilities: ["read", "write", "create", "extents", "zero", "delete"],
        usage: { data: MiB, zero: 0, hole: 63 * MiB, extents: 2 },
      }),
    ]);
  });
});

describe("blockhaul map", () => {
  it("is a table of extents", async () => {
    const { stdout } = await blockhaul(["map", image]);
    expect(stdout).toBe(
      ["  offset    length  kind", "       0   1048576  data", " 1048576  66060288  hole", ""].join(
        "\n",
      ),
    );
  });

  it("is an object a line with --json, of a range", async () => {
    const range = ["--offset", "512k", "--length", "1MiB"];
    const { stdout } = await blockhaul(["map", "--json", ...range, image]);
    expect(eventsOf(stdout)).toEqual([
      { type: "extent", offset: MiB / 2, length: MiB / 2, kind: "data" },
      { type: "extent", offset: MiB, length: MiB / 2, kind: "hole" },
    ]);
    expect((await blockhaul(["map", "--offset", "65MiB", image])).status).toBe(2);
  });

  it("adds up with --summary", async () => {
    const { stdout } = await blockhaul(["map", "--summary", image]);
    expect(stdout).toMatch(/^data +1048576 +1 MiB +1\.6%$/m);
    expect(stdout).toMatch(/^2 extents$/m);
    const { stdout: json } = await blockhaul(["map", "--summary", "--json", image]);
    expect(eventsOf(json)).toEqual([
      { type: "summary", data: MiB, zero: 0, hole: 63 * MiB, extents: 2 },
    ]);
  });

  it("ends quietly when its reader goes away", () => {
    // More extents than a pipe holds.
    const many = workspace.path("many.img");
    const program = `import os,sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for i in range(20000): os.pwrite(fd, b"x", i * 65536)`;
    execFileSync("python3", ["-c", program, many]);
    const script = `${process.execPath} ${main} map ${many} | head -1; echo "\${PIPESTATUS[0]}"`;
    const output = execFileSync("bash", ["-c", `{ ${script}; } 2>&1`], { encoding: "utf8" });
    expect(output).toMatch(/^ +offset +length +kind\n0\n$/);
  });
});

describe("blockhaul drivers", () => {
  it("shows what each can do, and the form of its refs", async () => {
    const { status, stdout } = await blockhaul(["drivers"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^rbd +yes +--create +yes +yes +yes +yes +- +yes/m);
    expect(stdout).toContain("rbd:[POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT]");
    const drivers = eventsOf((await blockhaul(["drivers", "--json"])).stdout);
    expect(drivers.map(({ name }) => name)).toEqual([
      "file",
      "block",
      "rbd",
      "lvm",
      "iscsi",
      "stream",
      "synthetic",
    ]);
    expect(drivers.every(({ type, available }) => type === "driver" && available)).toBe(true);
    expect(drivers.filter(({ attach }) => attach).map(({ name }) => name)).toEqual([
      "lvm",
      "iscsi",
    ]);
    expect(stdout).toMatch(/^driver .* attach +here$/m);
  });

  it("says why one is not available", async () => {
    const { status, stdout } = await blockhaul(["drivers"], { env: { BLOCKHAUL_LIBRBD: "/none" } });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^rbd .* no$/m);
    expect(stdout).toContain("librbd1");
  });
});

describe("blockhaul doctor", () => {
  const statesIn = (stdout: string) =>
    Object.fromEntries(eventsOf(stdout).map(({ name, state }) => [name, state]));

  it("finds this machine fit", async () => {
    const { status, stdout } = await blockhaul(["doctor", "--json"]);
    expect(status).toBe(0);
    expect(statesIn(stdout)).toMatchObject({
      Node: "ok",
      "native binary": "ok",
      "zero detection": "ok",
      librbd: "ok",
    });
    expect((await blockhaul(["doctor"])).stdout).toMatch(/^ok {7}Node/m);
  });

  it("exits with 8 where no binary fits, and says how to build one", () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const elsewhere = workspace.path("no-binary");
    for (const name of ["dist", "package.json"]) {
      cpSync(`${root}${name}`, `${elsewhere}/${name}`, { recursive: true });
    }
    symlinkSync(`${root}node_modules`, `${elsewhere}/node_modules`);
    const command = [`${elsewhere}/dist/cli/main.js`, "doctor"];
    const { status, stdout } = spawnSync(process.execPath, command, { encoding: "utf8" });
    expect(status).toBe(8);
    expect(stdout).toMatch(
      /^missing {2}native binary .* build it with: npm --prefix \S+ run build:native$/m,
    );
  });

  it("warns where something is slower or missing, and still exits with 0", async () => {
    const env = { BLOCKHAUL_LIBRBD: "/none", BLOCKHAUL_IO: "threads" };
    const { status, stdout } = await blockhaul(["doctor"], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^warn {5}I\/O +threads/m);
    expect(stdout).toMatch(/^warn {5}librbd .*librbd1/m);
  });
});

describe("blockhaul completion", () => {
  it.each(["bash", "zsh", "fish"])("prints a script for %s", async (shell) => {
    const { status, stdout } = await blockhaul(["completion", shell]);
    expect(status).toBe(0);
    expect(stdout).toContain("request-size");
  });

  it("knows no other shell", async () => {
    const { status, stderr } = await blockhaul(["completion", "tcsh"]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^blockhaul: no completion for "tcsh"/);
  });
});
