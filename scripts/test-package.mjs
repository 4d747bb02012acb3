// npm run test:package: makes the release binary, packs the package, and tries what a user would have.

import { prepare } from "./lib/prepare.mjs";
import { inWords } from "./lib/results.mjs";
import { main, run, Stop, say } from "./lib/run.mjs";
import { runVitest } from "./lib/vitest.mjs";

await main(async () => {
  await prepare(["build", "demo"]);
  await run(process.execPath, ["scripts/prebuild.mjs"]);
  const counts = await runVitest("package", ["package"], process.argv.slice(2));
  say(`\n${inWords(counts)}`);
  if (counts.failed > 0) throw new Stop("");
});
