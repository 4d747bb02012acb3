// npm run test:sanitize                    the native tests under address + undefined behaviour sanitizers, and the
//                                          addon within Node under them; or the native tests under the thread
//                                          sanitizer: this week's part of both
// npm run test:sanitize -- --all           both
// npm run test:sanitize -- address|thread  one of them

import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { runNativeTests } from "./lib/native-tests.mjs";
import { prepare } from "./lib/prepare.mjs";
import { sayResults, sum } from "./lib/results.mjs";
import { chosenPart, itemsOf, rotationOptions } from "./lib/rotation.mjs";
import { main, root, run, Stop, say } from "./lib/run.mjs";
import { withTemporaryFolder } from "./lib/temporary.mjs";
import { withCeph } from "./lib/test-ceph.mjs";
import { runVitest } from "./lib/vitest.mjs";

const addressSanitizer = "strict_string_checks=1:detect_stack_use_after_return=1";

/** Seeded cases; `npm test` runs all of them. Sanitized code is ten times as slow. */
const shortSoak = { BLOCKHAUL_SOAK: "200", BLOCKHAUL_SEEDS: "200" };

/** @type {Record<string, () => Promise<import("./lib/results.mjs").Counts[]>>} */
const variants = {
  address: async () => [
    await runNativeTests("address", {
      sanitize: "address,undefined",
      withAddon: true,
      env: {
        ASAN_OPTIONS: `detect_leaks=1:${addressSanitizer}`,
        UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
        ...shortSoak,
      },
    }),
    await runAddonTests("address"),
  ],
  thread: async () => [
    await runNativeTests("thread", {
      sanitize: "thread",
      env: { TSAN_OPTIONS: "second_deadlock_stack=1", ...shortSoak },
    }),
  ],
};

await main(async () => {
  const { values, positionals } = parseArgs({ options: rotationOptions, allowPositionals: true });
  const names = Object.keys(variants);
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Stop(`${unknown} is none of ${names.join(", ")}`, 2);
  const chosen =
    positionals.length > 0 ? positionals : itemsOf(names, chosenPart("sanitizers", values));
  await prepare(["build", "demo", "ceph", "test"]);
  const inside = async () => {
    const counts = [];
    for (const name of chosen) counts.push(...((await variants[name]?.()) ?? []));
    return sum(counts);
  };
  const total = await withTemporaryFolder(() => withCeph(inside));
  sayResults(total);
  if (total.failed > 0) throw new Stop("");
});

/**
 * The tests that are hard on the addon's lifetimes, with the sanitized addon. Node itself is not sanitized: the
 * run-time library has to be loaded before it, and what Node does not free says nothing about us.
 *
 * @param {string} variant
 */
async function runAddonTests(variant) {
  const folder = path.join(root, "out", variant);
  // Where node-gyp-build looks for an addon, under the folder that BLOCKHAUL_PREBUILD names.
  const expected = path.join(folder, "build", "Release");
  mkdirSync(expected, { recursive: true });
  rmSync(path.join(expected, "blockhaul.node"), { force: true });
  symlinkSync("../../RelWithDebInfo/blockhaul.node", path.join(expected, "blockhaul.node"));

  const libraries = [];
  for (const name of ["libasan.so", "libstdc++.so.6"]) {
    libraries.push((await run("c++", [`-print-file-name=${name}`], { capture: true })).trim());
  }
  say("The addon within Node (address)");
  return runVitest(
    `${variant}-addon`,
    ["e2e"],
    { files: ["test/e2e/lifecycle.test.ts"] },
    {
      ASAN_OPTIONS: `detect_leaks=0:${addressSanitizer}`,
      BLOCKHAUL_PREBUILD: folder,
      BLOCKHAUL_TEST_SANITIZER: variant,
      LD_PRELOAD: libraries.join(":"),
    },
  );
}
