import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import { requireTrustedCode } from "../../../src/system/trusted-code.js";
import { itWhere, needsRoot } from "../../support/needs.js";
import { Workspace } from "../../support/workspace.js";

const STRANGER = 65534;
const workspace = new Workspace();
let count = 0;
let top = "";
afterAll(() => workspace[Symbol.dispose]());
beforeEach(() => {
  top = workspace.path(`top-${count++}`);
});

function write(name: string, mode = 0o644): string {
  const file = path.join(top, name);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, "");
  chmodSync(file, mode);
  return file;
}

const faultOf = (file: string, home?: string) =>
  requireTrustedCode(file, home).then(
    () => "none",
    ({ message }: Error) => message,
  );

describe("code", () => {
  it("is loaded by its real path, where all beside it is one's own", async () => {
    const file = write("drivers/tape.mjs");
    write("drivers/lib/deep/helper.mjs");
    symlinkSync("drivers", path.join(top, "linked"));
    expect(await requireTrustedCode(path.join(top, "linked/tape.mjs"))).toBe(file);
    await expect(requireTrustedCode(path.join(top, "none.mjs"))).rejects.toThrow("does not exist");
    await expect(requireTrustedCode(top)).rejects.toThrow("is no file");
  });

  it.each([
    ["a file that it may import", "lib/deep/helper.mjs"],
    ["a package in its own folder", "node_modules/pack/index.js"],
    ["what says how it is read", "package.json"],
  ])("is not loaded where others can write to %s", async (_what, name) => {
    const file = write("drivers/tape.mjs");
    const open = write(`drivers/${name}`, 0o664);
    expect(await faultOf(file)).toBe(
      `${open} can be written to by others (mode 0664): chmod go-w ${open}`,
    );
  });

  it("is not loaded where others can write to a folder below its own", async () => {
    const file = write("drivers/tape.mjs");
    write("drivers/lib/helper.mjs");
    chmodSync(path.join(top, "drivers/lib"), 0o1777);
    expect(await faultOf(file)).toContain("drivers/lib can be written to by others (mode 1777)");
  });

  itWhere(needsRoot)("is not loaded beside what is another user's", async () => {
    const file = write("drivers/tape.mjs");
    const helper = write("drivers/lib/helper.mjs");
    chownSync(helper, STRANGER, STRANGER);
    expect(await faultOf(file)).toBe(
      `${helper} belongs to another user (${STRANGER}): it has to be root's`,
    );
    rmSync(helper);
    const link = path.join(top, "drivers/lib/helper.mjs");
    symlinkSync("../tape.mjs", link);
    expect(await faultOf(file)).toBe("none");
    lchownSync(link, STRANGER, STRANGER);
    expect(await faultOf(file)).toContain(`${link} belongs to another user`);
  });

  it("is looked at behind links, as packages are linked to where they are kept", async () => {
    const home = path.join(top, "node_modules/drv");
    const file = write("store/drv/index.js");
    write("store/drv/package.json");
    mkdirSync(path.join(top, "node_modules"));
    symlinkSync("../store/drv", home);
    expect(await requireTrustedCode(path.join(home, "index.js"), home)).toBe(file);
    write("store/dep/index.js");
    mkdirSync(path.join(top, "store/drv/node_modules"));
    symlinkSync("../../dep", path.join(top, "store/drv/node_modules/dep"));
    expect(await faultOf(path.join(home, "index.js"), home)).toBe("none");
    chmodSync(path.join(top, "store/dep/index.js"), 0o666);
    expect(await faultOf(path.join(home, "index.js"), home)).toContain("store/dep/index.js can be");
  });

  it("is not loaded beside a link to where others can put a file", async () => {
    const file = write("drivers/tape.mjs");
    write("open/.keep");
    chmodSync(path.join(top, "open"), 0o1777);
    symlinkSync("../open/none.mjs", path.join(top, "drivers/none.mjs"));
    expect(await faultOf(file)).toMatch(
      /drivers\/none\.mjs lies in .*\/open, which can be written/,
    );
  });

  it("of a package is looked at as a whole, and not what lies beside the package", async () => {
    const file = write("node_modules/drv/lib/index.js");
    write("node_modules/drv/package.json");
    write("node_modules/other/data", 0o666);
    const home = path.join(top, "node_modules/drv");
    expect(await faultOf(file, home)).toBe("none");
    write("node_modules/drv/open.js", 0o666);
    expect(await faultOf(file, home)).toContain("drv/open.js can be written to by others");
  });

  it.each(["node_modules/dep", "node_modules/@scope/dep"])(
    "is not loaded where others can write to a package above it: %s",
    async (name) => {
      const file = write("drivers/tape.mjs");
      write(`${name}/index.js`);
      expect(await faultOf(file)).toBe("none");
      chmodSync(path.join(top, name), 0o775);
      expect(await faultOf(file)).toContain(`${name} can be written to by others`);
    },
  );

  itWhere(needsRoot)("is not loaded below a sticky folder with settings of another's", async () => {
    const file = write("sticky/drivers/tape.mjs");
    chmodSync(path.join(top, "sticky"), 0o1777);
    expect(await faultOf(file)).toBe("none");
    const settings = write("sticky/package.json");
    chownSync(settings, STRANGER, STRANGER);
    expect(await faultOf(file)).toContain(`${settings} belongs to another user`);
    rmSync(settings);
    write("sticky/node_modules/blockhaul/index.js");
    chownSync(path.join(top, "sticky/node_modules"), STRANGER, STRANGER);
    expect(await faultOf(file)).toContain("sticky/node_modules belongs to another user");
  });
});
