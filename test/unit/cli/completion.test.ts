import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

import { COMMANDS } from "../../../src/cli/commands.js";
import { bashScript } from "../../../src/cli/completion/bash.js";
import { fishScript } from "../../../src/cli/completion/fish.js";
import { zshScript } from "../../../src/cli/completion/zsh.js";

const scripts = {
  bash: bashScript(COMMANDS),
  zsh: zshScript(COMMANDS),
  fish: fishScript(COMMANDS),
};

describe.each(Object.entries(scripts))("the completion for %s", (shell, script) => {
  it("knows every command and every option", () => {
    for (const { name, options } of COMMANDS) {
      expect(script).toContain(name);
      for (const option of options) {
        expect(script).toContain(shell === "fish" ? `-l ${option.name} ` : `--${option.name}`);
      }
    }
  });

  const isInstalled = spawnSync(shell, ["-c", "true"]).status === 0;
  it.skipIf(!isInstalled)(
    `is a script that ${shell} understands (skipped where it is missing)`,
    () => {
      const { status, stderr } = spawnSync(shell, ["-n"], { input: script, encoding: "utf8" });
      expect(stderr).toBe("");
      expect(status).toBe(0);
    },
  );
});

describe("the completion for bash", () => {
  /** What bash offers for a command line whose last word is being typed. */
  const complete = (...words: string[]) => {
    const program = `${scripts.bash}
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _blockhaul; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync("bash", ["-c", program, "bash", ...words], { encoding: "utf8" });
    return output.split("\n").filter((line) => line !== "");
  };

  it("offers commands", () => {
    expect(complete("blockhaul", "")).toEqual(expect.arrayContaining(["copy", "info", "--help"]));
    expect(complete("blockhaul", "co")).toEqual(["copy", "completion"]);
  });

  it("offers the options of the command, and of an option its choices", () => {
    expect(complete("blockhaul", "copy", "--re")).toEqual(["--requests", "--request-size"]);
    expect(complete("blockhaul", "info", "--re")).toEqual([]);
    expect(complete("blockhaul", "copy", "--digest", "")).toEqual(["xxh3", "sha256", "none"]);
    expect(complete("blockhaul", "completion", "f")).toEqual(["fish"]);
  });

  it("offers paths and the beginnings of refs", () => {
    expect(complete("blockhaul", "copy", "/etc/pass")).toContain("/etc/passwd");
    expect(complete("blockhaul", "copy", "x", "rb")).toContain("rbd:");
  });
});
