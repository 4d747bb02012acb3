/** Root's command in the folders of another user, who has put configurations and drivers there. */
import { chmodSync, lchownSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Stranger } from "../support/stranger.js";

const CONFIG = "drivers: [./evil.mjs]\n";

describeWhere(needsRoot, "a stranger who wants root to run code", () => {
  let stranger: Stranger;
  let env: Record<string, string | undefined> = {};
  beforeAll(() => {
    stranger = new Stranger();
    env = { XDG_CONFIG_HOME: stranger.path("xdg"), BLOCKHAUL_CONFIG: undefined };
  });
  beforeEach(() => {
    stranger.does('rm -rf ./* && printf %s "$1" > evil.mjs && printf %s "$2" > blockhaul.yaml', [
      stranger.code,
      CONFIG,
    ]);
  });
  afterAll(() => stranger[Symbol.dispose]());

  const list = (cwd: string, ...args: string[]) => blockhaul(["list", ...args], { cwd, env });

  async function isPassedOver(cwd: string, why: RegExp): Promise<void> {
    const { status, stdout, stderr } = await list(cwd);
    expect(stranger.hasRun).toBe(false);
    expect(stderr).toMatch(why);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^no backends/),
    });
  }

  it("could, if the folder were root's own: the code does run then", async () => {
    const own = stranger.path("own");
    mkdirSync(own);
    stranger.write("own/blockhaul.yaml", CONFIG);
    stranger.write("own/evil.mjs", stranger.code);
    expect((await list(own)).stderr).toContain("exports no `driver`");
    expect(stranger.hasRun).toBe(true);
  });

  it("finds that the configuration of a home is not read, which is said", async () => {
    await isPassedOver(
      stranger.home,
      /home\/blockhaul\.yaml is not read: it lies in .*home, which belongs to another user \(65534\)/,
    );
    const shown = await blockhaul(["config", "show"], { cwd: stranger.home, env });
    expect(shown.stdout).toContain(`# ${stranger.home}/blockhaul.yaml (not read)\n`);
    expect(stranger.hasRun).toBe(false);
  });

  it("finds it in a folder of root's below that home, too", async () => {
    const below = path.join(stranger.home, "roots");
    mkdirSync(below);
    stranger.write("home/roots/blockhaul.yaml", "drivers: [../evil.mjs]\n");
    await isPassedOver(below, /it lies in .*home, which belongs to another user/);
    rmSync(below, { recursive: true });
  });

  it("finds it in a sticky folder of root's, as /tmp is", async () => {
    const sticky = stranger.path("sticky");
    mkdirSync(sticky);
    chmodSync(sticky, 0o1777);
    stranger.does('cp "$1"/* .', [stranger.home], sticky);
    await isPassedOver(sticky, /belongs to another user/);
    // A link is the stranger's, whatever it leads to.
    stranger.write("roots.yaml", "drivers: [./home/evil.mjs]\n");
    stranger.does("rm blockhaul.yaml && ln -s ../roots.yaml blockhaul.yaml", [], sticky);
    await isPassedOver(
      sticky,
      /reached through the link .*blockhaul\.yaml, which belongs to another/,
    );
  });

  it("finds that a link in the home does not lead root's eyes elsewhere", async () => {
    stranger.write("roots.yaml", "drivers: [./home/evil.mjs]\n");
    stranger.does("rm blockhaul.yaml && ln -s ../roots.yaml blockhaul.yaml");
    await isPassedOver(stranger.home, /home, which belongs to another user/);
  });

  it("finds that a configuration is refused even where it is named", async () => {
    const file = path.join(stranger.home, "blockhaul.yaml");
    for (const how of [{ args: ["--config", file] }, { variable: file }]) {
      const { args = [], variable } = how;
      const options = { cwd: "/", env: { ...env, BLOCKHAUL_CONFIG: variable } };
      const { status, stderr } = await blockhaul(["list", ...args], options);
      expect({ status, ran: stranger.hasRun }).toEqual({ status: 2, ran: false });
      expect(stderr).toMatch(/home, which belongs to another user \(65534\)/);
    }
  });

  it.each([
    ["the driver", "drivers: [./home/evil.mjs]\n", "home/evil.mjs lies in"],
    ["what the driver imports", "drivers: [./good/driver.mjs]\n", "helper.mjs belongs to another"],
    ["a package for the working folder", "drivers: [planted]\n", 'no driver "planted"'],
  ])("finds that %s is not loaded for a configuration of root's", async (_what, text, why) => {
    const config = stranger.write("roots.yaml", text);
    mkdirSync(stranger.path("good"), { recursive: true });
    stranger.write("good/driver.mjs", "import './helper.mjs';\n");
    const helper = stranger.path("good/helper.mjs");
    rmSync(helper, { force: true });
    symlinkSync(path.join(stranger.home, "evil.mjs"), helper);
    lchownSync(helper, 65534, 65534);
    stranger.does(
      'mkdir -p node_modules/planted && cp evil.mjs node_modules/planted/index.js && echo \'{"type":"module"}\' > node_modules/planted/package.json',
    );
    const { status, stderr } = await list(stranger.home, "--config", config);
    expect({ status, ran: stranger.hasRun }).toEqual({ status: 2, ran: false });
    expect(stderr).toContain(why);
  });
});
