// npm run setup [-- --all]: everything that a checkout needs to build and run blockhaul. --all adds what the
// tests and the lint need.

import { packageGroups } from "./lib/packages.mjs";
import { prepare } from "./lib/prepare.mjs";
import { main, say } from "./lib/run.mjs";

await main(async () => {
  const all = process.argv.includes("--all");
  const everything = /** @type {import("./lib/packages.mjs").PackageGroup[]} */ (
    Object.keys(packageGroups)
  );
  await prepare(all ? everything : ["build"]);
  say("Ready: node dist/cli/main.js --help");
});
