// npm test [-- ARGS]          everything: native tests, unit tests, end-to-end tests with a throw-away Ceph, and
//                             tests of iSCSI and LVM in a User-Mode-Linux guest
// npm test -- test/some/path  only these vitest files; any of vitest's options may stand here
// npm run test:native         the native tests alone, Ceph's included; -- FILTER is GoogleTest's
// npm run test:unit           vitest without what needs Ceph or a guest
// npm run test:guest          the tests in a guest alone; -- FILE for some of them
// npm run test:long           what takes too long for every day: the conformance suite over LVM and multipath, in a guest

import { runNativeTests } from "./lib/native-tests.mjs";
import { prepare } from "./lib/prepare.mjs";
import { inWords, sum } from "./lib/results.mjs";
import { main, Stop, say } from "./lib/run.mjs";
import { withCeph } from "./lib/test-ceph.mjs";
import { runVitest } from "./lib/vitest.mjs";

/** Of vitest.config.ts; given files choose among them. */
const everywhere = ["unit", "e2e", "guest", "guest-long"];

const selections = ["--native", "--unit", "--guest", "--long"];

await main(async () => {
  const args = process.argv.slice(2);
  const only = selections.includes(args[0] ?? "") ? args.shift() : undefined;
  await prepare(groupsFor(only));
  const total = sum(await runTests(only, args));
  say(`\n${inWords(total)}`);
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
  if (only === "--native") return withCeph(() => runNativeTests("native", { filter: args[0] }));
  if (only === "--unit") return [await runVitest("vitest", ["unit"], args)];
  if (only === "--guest") return [await runVitest("vitest", ["guest", "guest-long"], args)];
  if (only === "--long") return [await runVitest("long", ["guest-long"], args)];
  // Given files, vitest itself starts a Ceph if one of them needs it.
  if (args.length > 0) return [await runVitest("vitest", everywhere, args)];
  return withCeph(async () => [
    ...(await runNativeTests("native")),
    await runVitest("vitest", ["unit", "e2e", "guest"]),
  ]);
}
