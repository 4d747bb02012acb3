// npm test [-- ARGS]          everything: native tests, unit tests, end-to-end tests with a throw-away Ceph
// npm test -- test/some/path  only these vitest files; any of vitest's options may stand here
// npm run test:native         the native tests alone; -- FILTER is GoogleTest's
// npm run test:unit           vitest without what needs Ceph

import { runNativeTests } from "./lib/native-tests.mjs";
import { prepare } from "./lib/prepare.mjs";
import { inWords, sum } from "./lib/results.mjs";
import { main, Stop, say } from "./lib/run.mjs";
import { runVitest } from "./lib/vitest.mjs";

await main(async () => {
  const args = process.argv.slice(2);
  const only = args[0] === "--native" || args[0] === "--unit" ? args.shift() : undefined;
  await prepare(only ? ["build", "test"] : ["build", "demo", "ceph", "test"]);

  const counts = [];
  if (only === "--native" || (!only && args.length === 0)) {
    counts.push(...(await runNativeTests("native", { filter: args[0] })));
  }
  if (only === "--unit") counts.push(await runVitest("vitest", ["unit"], args));
  if (!only) counts.push(await runVitest("vitest", ["unit", "e2e"], args));

  const total = sum(counts);
  say(`\n${inWords(total)}`);
  if (total.failed > 0) throw new Stop("");
});
