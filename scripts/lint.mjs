// npm run lint [-- --no-tidy]: biome, TypeScript's checks over everything, clang-format, clang-tidy.
// npm run format: lets biome and clang-format mend what they can.

import { availableParallelism } from "node:os";
import path from "node:path";

import { configure } from "./lib/native-tests.mjs";
import { prepare } from "./lib/prepare.mjs";
import { main, root, run, Stop, say, tryRun } from "./lib/run.mjs";
import { filesUnder, Stamp } from "./lib/stale.mjs";

const biome = path.join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");

const nativeFiles = ["native", "test/native", "bench/native"]
  .flatMap(filesUnder)
  .filter((file) => /\.(h|cc)$/.test(file));

await main(async () => {
  const args = process.argv.slice(2);
  await prepare(["build", "test", "lint"]);
  if (args.includes("--fix")) {
    await run(process.execPath, [biome, "check", "--write", "."]);
    await run("clang-format", ["-i", ...nativeFiles]);
    return;
  }
  /** @type {(() => Promise<{ status: number }>)[]} */
  const checks = [
    () => tryRun(process.execPath, [biome, "ci", "."]),
    () => tryRun(process.execPath, [compiler, "-p", "tsconfig.json"]),
    () => tryRun("clang-format", ["--dry-run", "-Werror", ...nativeFiles]),
  ];
  if (!args.includes("--no-tidy")) checks.push(tidy);
  let failed = 0;
  for (const check of checks) {
    if ((await check()).status !== 0) failed++;
  }
  if (failed > 0) throw new Stop(`${failed} of ${checks.length} checks found something`);
  say("Nothing found");
});

/** Looks at the sources that have changed, or any header with them, since they were last found clean. */
async function tidy() {
  const folder = await configure("tidy", ["addon"]);
  const headers = filesUnder("native").filter((file) => file.endsWith(".h"));
  const waiting = filesUnder("native")
    .filter((file) => file.endsWith(".cc"))
    .map((file) => ({ file, stamp: stampOf(file, headers) }))
    .filter(({ stamp }) => !stamp.isFresh());
  let status = 0;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { file, stamp } = next;
      try {
        await stamp.renew(() => tidyOne(folder, file));
      } catch (error) {
        if (!(error instanceof Stop)) throw error;
        say(error.message);
        status = 1;
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { status };
}

/**
 * @param {string} file
 * @param {readonly string[]} headers
 */
function stampOf(file, headers) {
  const inputs = [file, ...headers, ".clang-tidy", "native/sources.gypi"];
  return new Stamp(`tidy-${file.replaceAll("/", "-")}`, { inputs, outputs: [] });
}

/**
 * @param {string} folder of the compile commands
 * @param {string} file
 */
async function tidyOne(folder, file) {
  const { status, output } = await tryRun("clang-tidy", ["--quiet", "-p", folder, file], {
    capture: true,
  });
  if (status === 0) return;
  const findings = output
    .split("\n")
    .filter((line) => !/^\d+ warnings? (generated|treated)/.test(line));
  throw new Stop(findings.join("\n").trim());
}
