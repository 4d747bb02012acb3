import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";

import { runHook } from "../../../src/migrate/hooks.js";
import { SECRET_VARIABLES } from "../../../src/system/read-secret.js";
import { Workspace } from "../../support/workspace.js";

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());
afterEach(() => vi.unstubAllEnvs());

const facts = {
  hook: "beforeCopy",
  id: "k3v9q2ab",
  source: "a",
  frozen: "a",
  target: "b",
  openTarget: "b",
  size: 1,
} as const;

describe("a hook that is a program", () => {
  it("has the caller's environment, and none of the secrets in it", async () => {
    for (const variable of SECRET_VARIABLES) vi.stubEnv(variable, "sesame");
    vi.stubEnv("OF_THE_USER", "kept");
    const hook = workspace.path("hook");
    const seen = workspace.path("seen");
    writeFileSync(hook, `#!/bin/sh\nenv > '${seen}'\n`);
    chmodSync(hook, 0o755);
    await runHook([hook], facts, undefined);
    const lines = readFileSync(seen, "utf8").split("\n");
    expect(lines).toEqual(expect.arrayContaining(["OF_THE_USER=kept", `PATH=${process.env.PATH}`]));
    expect(lines.filter((line) => /SECRET|sesame/.test(line))).toEqual([]);
  });
});
