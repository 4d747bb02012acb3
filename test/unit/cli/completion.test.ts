import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { COMMANDS } from "../../../src/cli/commands.js";
import { bashScript } from "../../../src/cli/completion/bash.js";
import { fishScript } from "../../../src/cli/completion/fish.js";
import { REF_SCHEMES } from "../../../src/cli/completion/words.js";
import { zshScript } from "../../../src/cli/completion/zsh.js";
import { itWhere } from "../../support/needs.js";
import { completions, isInstalled, type Shell, typed } from "../../support/shells.js";
import { Workspace } from "../../support/workspace.js";

const scripts: Readonly<Record<Shell, string>> = {
  bash: bashScript(COMMANDS),
  zsh: zshScript(COMMANDS),
  fish: fishScript(COMMANDS),
};
const shells = Object.keys(scripts) as Shell[];
const whyNotIn = (shell: Shell) => (isInstalled(shell) ? undefined : `${shell} is not installed`);
const workspace = new Workspace();
const commands = COMMANDS.map(({ name }) => name);

beforeAll(() => {
  mkdirSync(workspace.path("images"));
  for (const name of ["disk.img", "my disk.img"]) writeFileSync(workspace.path(name), "");
});
afterAll(() => workspace[Symbol.dispose]());

it.each(shells)("%s completes every option of every command that it has", (shell) => {
  for (const { name, options } of COMMANDS) {
    expect(scripts[shell]).toContain(name);
    for (const option of options) {
      expect(scripts[shell]).toContain(
        shell === "fish" ? `-l ${option.name} ` : `--${option.name}`,
      );
    }
  }
});

/** The command as the completion asks it for jobs and backends. */
const WORDS = {
  "jobs --quiet": ["k3v9q2ab", "kx7abcde", "zz222222"],
  "list --quiet": ["san1", "vault"],
};
const stub = (clause: (asked: string, words: string) => string) =>
  Object.entries(WORDS).map(([asked, words]) => clause(asked, words.join(" ")));
const posix = `blockhaul() { case "$*" in ${stub((asked, words) => `"${asked}") printf "%s\\n" ${words} ;;`).join(" ")} esac; }`;
const STUB: Readonly<Record<Shell, string>> = {
  bash: posix,
  zsh: posix,
  fish: `function blockhaul; ${stub((asked, words) => `test "$argv" = "${asked}"; and printf "%s\\n" ${words};`).join(" ")} end`,
};

/** What each line is completed to, in any order, in every shell; else by shell. */
const expected: Readonly<Record<string, readonly string[] | Readonly<Record<Shell, string[]>>>> = {
  "blockhaul co": ["copy", "completion", "config"],
  "blockhaul --v": ["--version"],
  "blockhaul copy --requ": ["--requests", "--request-size", "--request-timeout"],
  "blockhaul copy --no-extents --dr": ["--dry-run"],
  "blockhaul copy --digest ": ["xxh3", "sha256", "none"],
  "blockhaul copy --digest=s": ["--digest=sha256"],
  "blockhaul copy --progress json di": ["disk.img"],
  "blockhaul copy --memory ": [],
  "blockhaul map --s": ["--summary"],
  "blockhaul completion ": ["bash", "zsh", "fish"],
  "blockhaul copy di": ["disk.img"],
  "blockhaul copy my": ["my disk.img"],
  "blockhaul copy disk.img r": ["rbd:"],
  "blockhaul copy file:d": ["file:disk.img"],
  // Zsh and fish offer a folder as what it is.
  "blockhaul verify --mani": ["--manifest"],
  "blockhaul verify disk.img r": ["rbd:"],
  "blockhaul jobs thr": ["throttle"],
  "blockhaul jobs rm k": ["k3v9q2ab", "kx7abcde"],
  "blockhaul list sa": ["san1"],
  "blockhaul copy va": ["vault:"],
  "blockhaul verify disk.img san": ["san1:"],
  "blockhaul config ch": ["check"],
  "blockhaul resume ": ["k3v9q2ab", "kx7abcde", "zz222222"],
  "blockhaul copy im": { bash: ["images"], zsh: ["images"], fish: ["images/"] },
};

describe.each(shells)("the completion in %s", (shell) => {
  const setting = { script: `${scripts[shell]}\n${STUB[shell]}`, folder: workspace.folder };
  // CI has all three: scripts/lib/packages.mjs.
  const inShell = itWhere(whyNotIn(shell));

  inShell("is what the line can go on with", async () => {
    const found = await completions(shell, setting, Object.keys(expected));
    const wanted = Object.values(expected).map((words) =>
      "bash" in words ? words[shell] : [...words],
    );
    const sorted = (all: readonly string[][]) =>
      Object.fromEntries(Object.keys(expected).map((line, index) => [line, all[index]?.sort()]));
    expect(sorted(found)).toEqual(sorted(wanted));
  });

  inShell("begins with the commands, and a ref with a scheme or a path", async () => {
    const [first, ref] = await completions(shell, setting, ["blockhaul ", "blockhaul copy "]);
    expect(first).toEqual(expect.arrayContaining(commands));
    expect(first).not.toContain("disk.img");
    expect(ref).toEqual(expect.arrayContaining([...REF_SCHEMES, "disk.img", "my disk.img"]));
  });
});

describe.each(["bash", "zsh"] as const)("a word completed in %s", (shell) => {
  const inShell = itWhere(whyNotIn(shell));

  inShell("is finished, unless it is a scheme", async () => {
    const setting = { script: scripts[shell], folder: workspace.folder };
    const lines = ["blockhaul inf\tx", "blockhaul copy rb\tvms/a", "blockhaul copy my\tnull:"];
    expect(await typed(shell, setting, lines)).toEqual([
      ["blockhaul", "info", "x"],
      ["blockhaul", "copy", "rbd:vms/a"],
      ["blockhaul", "copy", "my disk.img", "null:"],
    ]);
  });
});

itWhere(whyNotIn("zsh"))("zsh finds the completion as a file in its fpath, too", async () => {
  mkdirSync(workspace.path("functions"));
  writeFileSync(workspace.path("functions/_blockhaul"), scripts.zsh);
  const script = `fpath=(${workspace.path("functions")} $fpath); compinit -D -u`;
  const setting = { script, folder: workspace.folder };
  expect(await completions("zsh", setting, ["blockhaul ma", "blockhaul map --s"])).toEqual([
    ["map"],
    ["--summary"],
  ]);
});

it.each(shells.filter(isInstalled))("the script for %s is one that it understands", (shell) => {
  const file = path.join(workspace.folder, `script.${shell}`);
  writeFileSync(file, scripts[shell]);
  const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
