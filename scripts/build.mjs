// npm run build, build:native, build:ts. In an installed package without a fitting binary, `npm run
// build:native` makes one.

import { buildNative, buildTypeScript } from "./lib/builds.mjs";
import { installPackages } from "./lib/prepare.mjs";
import { main, Stop } from "./lib/run.mjs";

const builds = {
  native: async () => {
    await installPackages(["build"]);
    await buildNative();
  },
  ts: buildTypeScript,
};

await main(async () => {
  for (const name of process.argv.slice(2)) {
    if (!Object.hasOwn(builds, name)) throw new Stop(`unknown build: ${name}`, 2);
    await builds[/** @type {keyof typeof builds} */ (name)]();
  }
});
