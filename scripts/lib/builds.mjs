import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { compile, withProgress } from "./progress.mjs";
import { npm, root, run, Stop } from "./run.mjs";
import { Stamp } from "./stale.mjs";

export const nativeStamp = new Stamp("native", {
  inputs: ["native", "CMakeLists.txt", "package-lock.json"],
  outputs: ["build/Release/blockhaul.node"],
});

const modulesFolder = "out/modules";

export const typeScriptStamp = new Stamp("ts", {
  inputs: [
    "src",
    "test/driver-suite",
    "tsconfig.base.json",
    "tsconfig.build.json",
    "tsconfig.driver-suite.json",
    "package.json",
  ],
  outputs: [
    "dist/index.js",
    "dist/index.d.ts",
    "dist/cli/main.js",
    "dist/driver-suite/index.js",
    `${modulesFolder}/index.js`,
  ],
});

/** The addon for this machine, with cmake-js: build/Release/blockhaul.node. */
export async function buildNative() {
  const tools = await buildTools();
  forgetMovedBuild();
  const cmakeJs = path.join(tools, "cmake-js", "bin", "cmake-js");
  await nativeStamp.renew(() =>
    compile(
      "Building the native addon (cmake-js: 1 to 4 minutes on two processors)",
      process.execPath,
      [cmakeJs, "build", "--log-level", "warn"],
      // CMakeLists.txt asks node where the headers are.
      { NODE_PATH: tools },
    ),
  );
}

/** CMake refuses a build folder that came from elsewhere: a checkout that was moved or copied. */
function forgetMovedBuild() {
  const cache = path.join(root, "build", "CMakeCache.txt");
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  if (home !== root) rmSync(path.join(root, "build"), { recursive: true });
}

/**
 * In an installed package there are no development dependencies: fetches the few that the addon's build needs,
 * in the versions that package.json names, into a folder of their own.
 *
 * @returns {Promise<string>} the node_modules that holds them
 */
async function buildTools() {
  const names = ["cmake-js", "node-addon-api", "node-api-headers"];
  const own = path.join(root, "node_modules");
  if (names.every((name) => existsSync(path.join(own, name)))) return own;

  const folder = path.join(root, "out", "build-tools");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), '{ "private": true }\n');
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const versioned = names.map((name) => `${name}@${devDependencies[name]}`);
  await npm("install", "--prefix", folder, ...versioned);
  return path.join(folder, "node_modules");
}

/**
 * The package (dist/): the library and the command bundled, for a program of two hundred small files starts slowly;
 * their types; the published driver suite. And out/modules/: every module by itself, for the tests' programs.
 */
export async function buildTypeScript() {
  const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");
  if (!existsSync(compiler))
    throw new Stop("TypeScript is not installed: run `npm run setup` in a checkout");
  await withProgress("Compiling TypeScript (10 s to 2 minutes)", () => compileAndBundle(compiler));
}

/** @param {string} compiler */
async function compileAndBundle(compiler) {
  await typeScriptStamp.renew(async () => {
    for (const folder of ["dist", modulesFolder])
      rmSync(path.join(root, folder), { recursive: true, force: true });
    const tsc = (/** @type {readonly string[]} */ ...args) =>
      run(process.execPath, [compiler, ...args]);
    await tsc("-p", "tsconfig.build.json", "--outDir", modulesFolder);
    await tsc("-p", "tsconfig.build.json", "--emitDeclarationOnly");
    await bundle();
    await tsc("-p", "tsconfig.driver-suite.json");
    chmodSync(path.join(root, "dist", "cli", "main.js"), 0o755);
  });
}

/** src/ -> dist/: a file for each entry, for each command, and one for all that several of them share. */
async function bundle() {
  const { rolldown } = await import("rolldown");
  const bundled = await rolldown({
    cwd: root,
    input: { index: "src/index.ts", "cli/main": "src/cli/main.ts" },
    platform: "node",
    // The packages of others stay where npm puts them.
    external: /^[^./]/,
    resolve: { extensionAlias: { ".js": [".ts"] } },
    // What is shared is loaded as one file, whenever it is imported.
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await bundled.write({
    dir: "dist",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "parts/[name].js",
    // To find, open and link a file costs more than to compile what is in it and not needed. The version is asked for
    // by itself.
    codeSplitting: {
      groups: [
        {
          name: "shared",
          minShareCount: 2,
          test: (id) => !/(\/version|-schema)\.ts$/.test(id),
          priority: 1,
        },
        // A copy reads no plan and no record: what describes them is loaded, with valibot, where one is read.
        { name: "schemas", minShareCount: 2, test: /-schema\.ts$/ },
      ],
    },
  });
  await bundled.close();
  for (const part of output) {
    if (part.type !== "chunk" || part.name !== "shared") continue;
    const late = part.imports.filter((name) => ["valibot", "yaml"].includes(name));
    if (late.length === 0) continue;
    throw new Error(
      `${part.fileName} loads ${late.join(" and ")}, as each command would: import the module that needs it where it is used`,
    );
  }
}
