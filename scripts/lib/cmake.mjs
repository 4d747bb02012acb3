import path from "node:path";

import { compile } from "./progress.mjs";
import { root, run, tryRun } from "./run.mjs";

/**
 * Where compiled objects are kept, of all builds of this checkout: what one of them has compiled, with the same flags,
 * no other compiles again.
 */
const cache = path.join(root, "out", "ccache");

/**
 * Of the builds under out/: the native tests, their sanitizer variants, benchmarks, and the copy in which bugs are
 * planted.
 *
 * @type {Record<string, string>}
 */
const cacheEnvironment = {
  CCACHE_DIR: cache,
  CCACHE_MAXSIZE: "4G",
  // One source in two folders is one object: paths from the checkout's root, or the copy's, are what counts.
  CCACHE_NOHASHDIR: "true",
  // What warns does not compile in CI, and says so wherever it is compiled first.
  CCACHE_IGNOREOPTIONS: "-Werror",
};

/**
 * @param {string} source the folder that is built
 * @returns {Promise<string[]>} CMake's arguments, so that the compiler is asked through the cache, where there is one
 */
async function cacheArguments(source) {
  const { status } = await tryRun("ccache", ["--version"], { capture: true });
  if (status !== 0) return ["-DCMAKE_CXX_COMPILER_LAUNCHER="];
  const environment = { ...cacheEnvironment, CCACHE_BASEDIR: source };
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const launcher = ["env", ...words, "ccache"].join(";");
  // A precompiled header belongs to one build: what includes it could not be shared.
  return [`-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}`, "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON"];
}

/**
 * Configures a CMake build of its own under out/, without building anything.
 *
 * @param {string} variant names the folder
 * @param {readonly ("addon" | "tests" | "bench")[]} parts what is to be built on top of the engine
 * @param {{ sanitize?: string, source?: string, warningsAreErrors?: boolean }} [options] `source`: a copy of this
 *   checkout, with an out/ of its own
 * @returns {Promise<string>} the folder, from the root of what is built
 */
export async function configure(
  variant,
  parts,
  { sanitize = "", source = root, warningsAreErrors = Boolean(process.env.CI) } = {},
) {
  const folder = `out/${variant}`;
  const settings = [
    // A benchmark of what users do not run would say nothing.
    `CMAKE_BUILD_TYPE=${parts.includes("bench") ? "Release" : "RelWithDebInfo"}`,
    `CMAKE_COMPILE_WARNING_AS_ERROR=${warningsAreErrors ? "ON" : "OFF"}`,
    `BLOCKHAUL_ADDON=${parts.includes("addon") ? "ON" : "OFF"}`,
    `BLOCKHAUL_TESTS=${parts.includes("tests") ? "ON" : "OFF"}`,
    `BLOCKHAUL_BENCH=${parts.includes("bench") ? "ON" : "OFF"}`,
    `BLOCKHAUL_SANITIZE=${sanitize}`,
  ];
  const defines = [...settings.map((setting) => `-D${setting}`), ...(await cacheArguments(source))];
  await run("cmake", ["-S", ".", "-B", folder, "-G", "Ninja", ...defines], {
    cwd: source,
    capture: true,
  });
  return folder;
}

/**
 * @param {string} folder a configured build of the native tests
 * @param {string} variant
 */
export async function compileTests(folder, variant) {
  const what = `Building the native tests (${variant}: 2 to 5 minutes on two processors, once)`;
  await compile(what, "cmake", ["--build", folder]);
}
