// npm run test:package: makes the release binary, packs the package, and tries what a user would have.

import { prepare } from "./lib/prepare.mjs";
import { sayResults } from "./lib/results.mjs";
import { main, run, Stop } from "./lib/run.mjs";
import { withTemporaryFolder } from "./lib/temporary.mjs";
import { runVitest } from "./lib/vitest.mjs";

await main(async () => {
  await prepare(["build", "demo"]);
  const counts = await withTemporaryFolder(async () => {
    await run(process.execPath, ["scripts/prebuild.mjs"]);
    return runVitest("package", ["package"], process.argv.slice(2));
  });
  sayResults(counts);
  if (counts.failed > 0) throw new Stop("");
});
