// npm run build:prebuild: the release binary for this machine, prebuilds/<platform>-<arch>/, made by node-gyp
// through prebuildify. It is built in a folder of its own: node-gyp empties build/, which is cmake-js's.

import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";

import { installModules, installPackages } from "./lib/prepare.mjs";
import { withProgress } from "./lib/progress.mjs";
import { main, root, run, Stop } from "./lib/run.mjs";

const scratch = path.join(root, "out", "prebuild");

await main(async () => {
  const nodedir = nodeFolder();
  await installPackages(["build"]);
  await installModules();
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  for (const part of ["package.json", "binding.gyp", "native"]) {
    cpSync(path.join(root, part), path.join(scratch, part), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(scratch, "node_modules"));

  rmSync(path.join(root, "prebuilds"), { recursive: true, force: true });
  const prebuildify = path.join(root, "node_modules", "prebuildify", "bin.js");
  const options = ["--napi", "--strip", "--tag-libc", "--cwd", scratch, "--out", root];
  // node-gyp runs one job unless told.
  await withProgress("Building the release binary (prebuildify, node-gyp: 1 to 4 minutes)", () =>
    run(process.execPath, [prebuildify, ...options], {
      capture: true,
      env: { npm_config_nodedir: nodedir, JOBS: "max" },
    }),
  );
});

/**
 * The folder above include/node of the Node that runs this: node-gyp would download headers otherwise.
 */
function nodeFolder() {
  const folder = path.dirname(path.dirname(process.execPath));
  const needed = ["node_api.h", "common.gypi"].map((name) =>
    path.join(folder, "include/node", name),
  );
  const missing = needed.filter((file) => !existsSync(file));
  if (missing.length === 0) return folder;
  throw new Stop(
    `This Node came without its headers (${missing.join(", ")}), which node-gyp needs. ` +
      "Node's own archives and its Debian package nodejs-dev have them; `npm run build:native` needs none.",
  );
}
