import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const prebuilt = `prebuilds/${process.platform}-${process.arch}/blockhaul.glibc.node`;

/** Where the package is packed and installed, as somebody else would. */
let folder: string;
let installed: string;
let packedFiles: string[];

/** A PATH with Node and npm and a shell, and no compiler, make, cmake or python. */
let environment: NodeJS.ProcessEnv;

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function outcome(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  try {
    const { stdout, stderr } = await execute(command, args, {
      cwd: folder,
      env: { ...environment, ...env },
    });
    return { status: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

const blockhaul = (args: string[]) =>
  outcome(path.join(folder, "node_modules/.bin/blockhaul"), args, { PREBUILDS_ONLY: "1" });

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "blockhaul-package-"));
  installed = path.join(folder, "node_modules/blockhaul");
  environment = toolsOnly();
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ private: true }));

  const { stdout } = await execute("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
  });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packedFiles = packed.files.map((file) => file.path);
  await execute("npm", ["install", "--prefer-offline", path.join(folder, packed.filename)], {
    cwd: folder,
    env: environment,
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function toolsOnly(): NodeJS.ProcessEnv {
  const tools = path.join(folder, "tools");
  mkdirSync(tools);
  const npm = path.join(path.dirname(process.execPath), "npm");
  symlinkSync(process.execPath, path.join(tools, "node"));
  symlinkSync(npm, path.join(tools, "npm"));
  symlinkSync("/bin/sh", path.join(tools, "sh"));
  const state = path.join(folder, "state");
  const home = { HOME: process.env.HOME, BLOCKHAUL_STATE_DIR: state };
  return { ...home, PATH: tools, CC: "/bin/false", CXX: "/bin/false" };
}

describe("the packed package", () => {
  test("holds what is needed to run, and to build where no binary fits", () => {
    const needed = [
      "dist/index.js",
      "dist/index.d.ts",
      "dist/cli/main.js",
      "dist/driver-suite/index.js",
    ];
    const sources = [
      "CMakeLists.txt",
      "native/sources.gypi",
      "scripts/build.mjs",
      "scripts/lib/run.mjs",
    ];
    const documents = ["LICENSE", "README.md", "package.json"];
    expect(packedFiles).toEqual(
      expect.arrayContaining([...needed, ...sources, ...documents, prebuilt]),
    );
  });

  test("holds no binding.gyp, which would make npm compile, and nothing that was not meant", () => {
    const allowed =
      /^(dist|prebuilds|native|docs|scripts\/lib)\/|^(CMakeLists\.txt|LICENSE|README\.md|package\.json|scripts\/build\.mjs)$/;
    expect(
      packedFiles.filter((file) => !allowed.test(file) || file.endsWith(".tsbuildinfo")),
    ).toEqual([]);
  });

  test("is described as npm, bundlers and TypeScript expect", async () => {
    const publint = path.join(root, "node_modules/.bin/publint");
    await execute(publint, ["--strict", root]);
  });
});

describe("installed without a compiler", () => {
  test("compiled nothing", () => {
    expect(existsSync(path.join(installed, prebuilt))).toBe(true);
    expect(existsSync(path.join(installed, "build"))).toBe(false);
  });

  test("installs from a lock file too", async () => {
    rmSync(path.join(folder, "node_modules"), { recursive: true });
    await execute("npm", ["ci", "--prefer-offline"], { cwd: folder, env: environment });
    expect(existsSync(path.join(installed, "build"))).toBe(false);
    expect((await blockhaul(["--version"])).status).toBe(0);
  });

  test("the command runs", async () => {
    const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
    const { status, stdout } = await blockhaul(["--version"]);
    expect(status).toBe(0);
    expect(stdout).toContain(version);
  });

  test("the command copies a file, with the prebuilt engine", async () => {
    const source = path.join(folder, "source.img");
    const target = path.join(folder, "target.img");
    writeFileSync(source, Buffer.alloc(3 * 1024 * 1024 + 511, "blockhaul"));
    const { status, stderr } = await blockhaul(["copy", source, target]);
    expect(stderr).not.toMatch(/error/i);
    expect(status).toBe(0);
    await execute("cmp", [source, target]);
  });

  test("the library is imported by its name", async () => {
    const program = `
      import { openVolume } from "blockhaul";
      const volume = await openVolume("zero:4096");
      console.log(volume.size);
      await volume.close();
      console.log(Object.keys(await import("blockhaul/driver-suite")).length > 0);`;
    const { status, stdout, stderr } = await outcome(
      "node",
      ["--input-type=module", "-e", program],
      {
        PREBUILDS_ONLY: "1",
      },
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toBe("4096\ntrue\n");
  });

  test("its types compile under strict settings", async () => {
    const consumer = path.join(folder, "consumer.ts");
    writeFileSync(
      consumer,
      `import { copyVolume, openVolume } from "blockhaul";
       await using source = await openVolume("zero:4096");
       await using target = await openVolume("null:", { mode: "write" });
       const report = await copyVolume(source, target);
       const digest: string | undefined = report.digest;
       console.log(digest);\n`,
    );
    const options = {
      compilerOptions: {
        module: "nodenext",
        target: "es2022",
        lib: ["es2022", "esnext.disposable"],
        strict: true,
        noEmit: true,
        types: ["node"],
        typeRoots: [path.join(root, "node_modules/@types")],
      },
      files: ["consumer.ts"],
    };
    writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(options));
    writeFileSync(
      path.join(folder, "package.json"),
      JSON.stringify({ private: true, type: "module" }),
    );
    const compiler = path.join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = await outcome(process.execPath, [compiler, "-p", folder]);
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });
});

describe("without a binary for this machine", () => {
  beforeAll(() => rmSync(path.join(installed, "prebuilds"), { recursive: true }));

  let command: string;

  test("the error says what was tried, and the one command that builds it", async () => {
    const { status, stderr } = await blockhaul(["copy", "zero:4096", "null:"]);
    expect(status).toBe(8);
    expect(stderr).toContain(`${process.platform}-${process.arch}`);
    expect(stderr).not.toMatch(/^\s+at /m);
    command = /with: (npm .+)$/m.exec(stderr)?.[1] ?? "";
    expect(command).not.toBe("");
  });

  test("that command builds it, where a compiler is there", async () => {
    await execute("sh", ["-c", command], { cwd: folder });
    const binary = path.join(folder, "node_modules/.bin/blockhaul");
    const { status, stderr } = await outcome(binary, ["copy", "zero:4096", "null:"]);
    expect(stderr).not.toContain("ERR_");
    expect(status).toBe(0);
  });
});
