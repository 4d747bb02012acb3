import { chmodSync, symlinkSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

import { findDriver } from "../../../src/registry.js";
import { ConfigFiles } from "../../support/config-files.js";

const files = new ConfigFiles();
afterAll(() => files[Symbol.dispose]());

const support = pathToFileURL(path.resolve("test/support/tape-driver.mjs")).href;
/** A module with a driver of a name that no other test has. */
const module = (name: string, how = "export const driver =") =>
  `import { tapeDriver } from ${JSON.stringify(support)};\n${how} tapeDriver(${JSON.stringify(name)});\n`;

describe("a third party's driver", () => {
  it("is loaded by a path from the file's folder, once for all backends that name it", async () => {
    files.write("drivers/lto.mjs", module("lto"));
    symlinkSync(path.join(files.folder, "drivers"), path.join(files.folder, "linked"));
    const { backends } = await files.load(`
backends:
  a: {driver: ./drivers/lto.mjs, library: 1}
  b: {driver: ./linked/lto.mjs, library: 2}
  c: {driver: ${files.folder}/drivers/lto.mjs, library: 3}
  d: {driver: lto, library: 4}
`);
    const driver = await findDriver("lto");
    expect(driver).toBeDefined();
    for (const { driver: used } of backends.values()) expect(used).toBe(driver);
    expect([...backends.values()].map(({ place }) => place)).toEqual(
      [1, 2, 3, 4].map((library) => ({ library })),
    );
  });

  it("is loaded without a backend, too", async () => {
    files.write("bare.mjs", module("bare", "export default"));
    await files.load("drivers: [./bare.mjs]");
    expect((await findDriver("bare"))?.name).toBe("bare");
  });

  it.each([
    ["exports as a text", "exported", { exports: "./lib/main.mjs" }, "lib/main.mjs", ""],
    [
      "conditions",
      "@scope/pack",
      { exports: { ".": { types: "./x.d.ts", import: "./m.mjs" } } },
      "m.mjs",
      "",
    ],
    ["a main file", "plain-main", { main: "main.mjs" }, "main.mjs", ""],
    ["neither", "index-only", { type: "module" }, "index.js", ""],
    ["a part of it", "parts", { exports: { "./tape": "./t.mjs" } }, "t.mjs", "/tape"],
  ])("is loaded from a package with %s", async (_, name, manifest, file, subpath) => {
    const driver = name.replace(/\W/g, "");
    const home = `node_modules/${name}`;
    files.write(`${home}/package.json`, JSON.stringify({ name, ...manifest }));
    files.write(`${home}/${file}`, module(driver));
    const text = `backends: {x: {driver: "${name}${subpath}", library: 1}}`;
    const { backends } = await files.load(text, "deep/er/blockhaul.yaml");
    expect(backends.get("x")?.driver.name).toBe(driver);
  });

  it("is looked for in the configuration's folder, then in the working one, and nowhere else", async () => {
    files.write("work/node_modules/reach/index.js", module("reach"));
    files.write("work/node_modules/reach/package.json", '{"type": "module"}');
    files.write("global/reach/package.json", "{}");
    process.env.NODE_PATH = path.join(files.folder, "global");
    const text = "drivers: [reach]";
    expect(await files.faultsOf(text)).toEqual([
      expect.stringMatching(/^1:11 there is no driver "reach", and no package/),
    ]);
    const folder = process.cwd();
    process.chdir(path.join(files.folder, "work"));
    try {
      expect(await files.faultsOf(text)).toEqual([]);
    } finally {
      process.chdir(folder);
      delete process.env.NODE_PATH;
    }
  });

  it("has its settings' faults put where they stand", async () => {
    files.write("picky.mjs", module("picky"));
    expect(
      await files.faultsOf(
        "backends:\n  x:\n    driver: ./picky.mjs\n    library: one\n    shelf: 2\n  y: {driver: ./picky.mjs}\n",
      ),
    ).toEqual([
      "4:14 library: must be a number",
      "5:12 shelf: is not known",
      "6:3 library: is missing",
    ]);
  });

  it.each([
    ["missing.mjs", undefined, /missing\.mjs does not exist$/],
    ["throws.mjs", "throw new Error('no tapes here');", /cannot be loaded: no tapes here$/],
    ["syntax.mjs", "export const = 1;", /cannot be loaded: /],
    ["empty.mjs", "export const x = 1;", /exports no `driver`$/],
    ["number.mjs", "export const driver = 1;", /is no driver: it lacks/],
    [
      "half.mjs",
      "export const driver = {name: 'half', schemes: ['half']};",
      /is no driver: it lacks/,
    ],
    ["builtin.mjs", module("rbd"), /rbd: its name or a scheme is taken by the driver rbd$/],
    ["malformed.mjs", module("No"), /"No" cannot be the name or the scheme/],
  ])("%s is refused in its place", async (name, text, words) => {
    if (text !== undefined) files.write(name, text);
    expect(await files.faultsOf(`backends:\n  x: {driver: ./${name}}\n`)).toEqual([
      expect.stringMatching(/^2:15 /),
    ]);
    expect(await files.faultsOf(`drivers: [./${name}]\n`)).toEqual([expect.stringMatching(words)]);
  });

  it.each([
    ["itself", "open/driver.mjs"],
    ["what it imports", "open/helper.mjs"],
  ])("of which others can write to %s is not loaded", async (_what, name) => {
    files.write("open/driver.mjs", "globalThis.wasLoaded = true;\nimport './helper.mjs';");
    files.write("open/helper.mjs", "globalThis.wasLoaded = true;");
    files.write(name, "globalThis.wasLoaded = true;", 0o666);
    expect(await files.faultsOf("drivers: [./open/driver.mjs]")).toEqual([
      expect.stringMatching(
        new RegExp(`^1:11 the driver's code is not loaded: .*${name} can be written to by others`),
      ),
    ]);
    expect(globalThis).not.toHaveProperty("wasLoaded");
    files.write(name, "", 0o644);
  });

  it("is not looked for in a working folder in which others can put packages", async () => {
    using lent = new ConfigFiles();
    lent.write("work/node_modules/planted/index.js", "globalThis.wasLoaded = true;");
    lent.write("work/node_modules/planted/package.json", "{}");
    chmodSync(lent.folder, 0o777);
    const folder = process.cwd();
    process.chdir(path.join(lent.folder, "work"));
    try {
      expect(await files.faultsOf("drivers: [planted]")).toEqual([
        expect.stringMatching(/^1:11 there is no driver "planted"/),
      ]);
    } finally {
      process.chdir(folder);
    }
    expect(globalThis).not.toHaveProperty("wasLoaded");
  });

  it("keeps its scheme from being a backend's name", async () => {
    files.write("reel.mjs", module("reel"));
    const text = "backends:\n  reel: {driver: ./reel.mjs, library: 1}\n";
    expect(await files.faultsOf(text)).toEqual([
      expect.stringMatching(/^2:3 a backend cannot be called reel/),
    ]);
  });

  it("whose schema throws is a fault, and no other exception", async () => {
    files.write(
      "throwing.mjs",
      `${module("throwing", "const made =")}made.places.settings["~standard"].validate = () => { throw new TypeError("oops"); };
export const driver = made;`,
    );
    expect(await files.faultsOf("backends: {x: {driver: ./throwing.mjs}}")).toEqual([
      expect.stringMatching(/failed to check its settings: oops/),
    ]);
  });
});
