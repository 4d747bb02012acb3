// npm run lint                  biome, TypeScript's checks over everything, clang-format, and clang-tidy over the C++
//                               files that changed and this week's part of the others; -- --all for all of them, --
//                               --no-tidy for none
// npm run format                lets biome and clang-format mend what they can

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { configure } from "./lib/cmake.mjs";
import { prepare } from "./lib/prepare.mjs";
import { Progress } from "./lib/progress.mjs";
import { chosenPart, itemsOf, partInWords, rotationOptions } from "./lib/rotation.mjs";
import { main, root, run, Stop, say, tryRun } from "./lib/run.mjs";
import { filesUnder, Stamp } from "./lib/stale.mjs";

const biome = path.join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");

const nativeFiles = ["native", "test/native", "bench/native"]
  .flatMap(filesUnder)
  .filter((file) => /\.(h|cc)$/.test(file));

await main(async () => {
  const { values } = parseArgs({
    options: {
      ...rotationOptions,
      fix: { type: "boolean" },
      "no-tidy": { type: "boolean" },
    },
  });
  const part = chosenPart("C++ checks", values);
  await prepare(["build", "test", "lint"]);
  if (values.fix) {
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
  if (!values["no-tidy"]) checks.push(() => tidy(part));
  let failed = 0;
  for (const check of checks) {
    if ((await check()).status !== 0) failed++;
  }
  if (failed > 0) throw new Stop(`${failed} of ${checks.length} checks found something`);
  say("Nothing found");
});

/**
 * Looks at the sources of this part, and at those that changed, unless they were found clean as they are.
 *
 * @param {import("./lib/rotation.mjs").Part} part
 */
async function tidy(part) {
  const folder = await configure("tidy", ["addon"]);
  const headers = filesUnder("native").filter((file) => file.endsWith(".h"));
  const sources = filesUnder("native").filter((file) => file.endsWith(".cc"));
  const chosen = new Set([...itemsOf(sources, part), ...(await changed(sources))]);
  const waiting = sources
    .filter((file) => chosen.has(file))
    .map((file) => ({ file, stamp: stampOf(file, headers) }))
    .filter(({ stamp }) => !stamp.isFresh());
  const all = waiting.length;
  say(
    `clang-tidy: ${all} of ${sources.length} files (those that changed, and ${partInWords(part)})`,
  );
  const progress = new Progress(() => `clang-tidy: ${all - waiting.length} of ${all} files`);
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
  progress.end();
  return { status };
}

/**
 * What changed since a day before the last commit. A header stands for the source of its name, else for one that
 * includes it.
 *
 * @param {readonly string[]} sources
 * @returns {Promise<string[]>}
 */
async function changed(sources) {
  const last = Number(await run("git", ["log", "-1", "--format=%ct"], { capture: true }));
  const since = `--since=${last - 24 * 3600}`;
  const committed = ["log", since, "--name-only", "--format=", "--", "native"];
  const uncommitted = ["status", "--porcelain", "--no-renames", "--untracked-files=all", "native"];
  const listed = await run("git", committed, { capture: true });
  const worked = await run("git", uncommitted, { capture: true });
  const names = new Set([
    ...listed.split("\n"),
    ...worked.split("\n").map((line) => line.slice("XY ".length)),
  ]);
  return [...names].flatMap((name) => {
    if (sources.includes(name)) return [name];
    if (!name.endsWith(".h")) return [];
    const include = `#include "${name.slice("native/".length)}"`;
    const includes = (/** @type {string} */ source) =>
      readFileSync(path.join(root, source), "utf8").includes(include);
    return [
      sources.find((source) => source === name.replace(/h$/, "cc")) ?? sources.find(includes) ?? [],
    ].flat();
  });
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
