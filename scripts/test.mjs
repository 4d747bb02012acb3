// npm test [-- ARGS]          native tests, unit tests, end-to-end tests with a throw-away Ceph, and one scenario in a
//                             User-Mode-Linux guest
// npm test -- --quick         what one runs while working, a few minutes: native and unit tests, a copy each way
//                             between files, devices and Ceph, and one scenario in a guest
// npm test -- test/some/path  only these vitest files; any of vitest's options may stand here
// npm run test:native         the native tests alone, Ceph's included; -- FILTER is GoogleTest's
// npm run test:unit           vitest without what needs Ceph or a guest
// npm run test:guest          the tests in a guest alone; -- FILE for some of them
// npm run test:long           what takes too long for every day, in a guest: iSCSI, LVM, multipath, power cuts. This
//                             week's part; -- --all, -- --part 2/3, or -- FILE for others

import { parseArgs } from "node:util";

import { longScenarios } from "../test/guest/long.mjs";
import { runNativeTests } from "./lib/native-tests.mjs";
import { prepare } from "./lib/prepare.mjs";
import { sayResults, sum } from "./lib/results.mjs";
import { chosenPart, itemsOf, partInWords, rotationOptions } from "./lib/rotation.mjs";
import { main, Stop, say } from "./lib/run.mjs";
import { withTemporaryFolder } from "./lib/temporary.mjs";
import { withCeph } from "./lib/test-ceph.mjs";
import { runVitest } from "./lib/vitest.mjs";

/** Of vitest.config.ts; given files choose among them. */
const everywhere = ["unit", "e2e", "guest", "guest-long"];

/** The projects that a quick run has whole, and what it has of the others. */
const quick = {
  projects: ["unit", "e2e", "guest"],
  files: [
    "test/unit",
    "test/drivers",
    "test/e2e/cli-copy.test.ts",
    "test/e2e/cli-rbd.test.ts",
    "test/e2e/real-files.test.ts",
    "test/guest/smoke.test.ts",
  ],
  /** Seeded cases of the simulation: some, not thousands. */
  env: { BLOCKHAUL_SEEDS: "500", BLOCKHAUL_SOAK: "200" },
};

const selections = ["--native", "--unit", "--guest", "--long", "--quick"];

await main(async () => {
  const args = process.argv.slice(2);
  const only = selections.includes(args[0] ?? "") ? args.shift() : undefined;
  await prepare(groupsFor(only));
  const total = sum(await withTemporaryFolder(() => runTests(only, args)));
  sayResults(total);
  if (total.failed > 0) throw new Stop("");
});

/**
 * @param {string | undefined} only
 * @returns {import("./lib/prepare.mjs").PackageGroup[]}
 */
function groupsFor(only) {
  if (only === "--unit") return ["build", "test"];
  if (only === "--guest" || only === "--long") return ["build", "guest"];
  if (only === "--native") return ["build", "demo", "ceph", "test"];
  return ["build", "demo", "ceph", "guest", "test"];
}

/**
 * @param {string | undefined} only
 * @param {readonly string[]} args
 */
async function runTests(only, args) {
  if (only === "--native") {
    return [await withCeph(() => runNativeTests("native", { filter: args[0] }))];
  }
  if (only === "--unit") return [await runVitest("vitest", ["unit"], args)];
  if (only === "--guest") return [await runVitest("vitest", ["guest", "guest-long"], args)];
  if (only === "--long") return [await runLong(args)];
  if (only === "--quick") {
    return withCeph(async () => [
      await runNativeTests("native", { env: quick.env }),
      await runVitest("vitest", quick.projects, { files: quick.files }),
    ]);
  }
  // Given files, vitest itself starts a Ceph if one of them needs it.
  if (args.length > 0) return [await runVitest("vitest", everywhere, args)];
  return withCeph(async () => [
    await runNativeTests("native"),
    await runVitest("vitest", ["unit", "e2e", "guest"]),
  ]);
}

/** @param {readonly string[]} args */
async function runLong(args) {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: rotationOptions,
    allowPositionals: true,
  });
  if (positionals.length > 0) return runVitest("long", ["guest-long"], positionals);
  const part = chosenPart("long tests", values);
  const files = itemsOf(longScenarios, part);
  say(`Long tests in a guest (${partInWords(part)})`);
  return runVitest("long", ["guest-long"], { files });
}
