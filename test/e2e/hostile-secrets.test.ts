/** Secrets, looked for wherever a stranger, or whoever finds a core dump or a log, could come upon one. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { native } from "../../src/native.js";
import { blockhaul, RunningCommand } from "../support/command.js";
import { MigrationSite } from "../support/migration-site.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { findInMemory } from "../support/process-memory.js";
import { Workspace } from "../support/workspace.js";

const NOBODY = 65_534;
const PATIENT = { timeout: 240_000, interval: 100 };
const IN_FILE = "canary-of-the-file-7d1f";
const IN_ENVIRONMENT = "canary-of-the-environment-93c2";
const workspace = new Workspace();
const state = workspace.path("state");
const lockFile = `${state}/locks/attach.lock`;
const secretFile = workspace.path("secret");
const dumps = workspace.path("dumps");

beforeAll(() => {
  chmodSync(workspace.folder, 0o755);
  for (const folder of [state, `${state}/locks`, dumps]) mkdirSync(folder);
  writeFileSync(secretFile, `${IN_FILE}\n`, { mode: 0o600 });
  writeFileSync(lockFile, "", { mode: 0o600 });
  if (needsRoot !== undefined) return;
  for (const one of [state, `${state}/locks`, dumps, secretFile, lockFile]) {
    chownSync(one, NOBODY, NOBODY);
  }
});
afterAll(() => workspace[Symbol.dispose]());

const asNobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] as const;
const dumping = ["sh", "-c", 'ulimit -c unlimited && exec "$@"', "sh"] as const;

/** Another process of the same user. */
function nobodyReads(file: string): { status: number | null; stdout: Buffer } {
  const [program = "", ...args] = [...asNobody, "head", "-c", "4096", file];
  return spawnSync(program, args);
}

/** Every file below a folder that holds a text. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => {
    const file = `${folder}/${name}`;
    return statSync(file).isFile() && readFileSync(file).includes(text);
  });
}

/**
 * A command of nobody's that has loaded a secret of a file and one of the environment, and waits for a lock that others
 * have.
 */
async function loaded(
  ...more: readonly string[]
): Promise<RunningCommand & { readonly pid: number }> {
  const ends = [...more, "--user", "me", "--secret-file", secretFile, "--target-user", "target"];
  const command = new RunningCommand(["targets", ...ends, "127.0.0.1"], {
    cwd: dumps,
    under: [...asNobody, ...dumping],
    env: {
      BLOCKHAUL_STATE_DIR: state,
      BLOCKHAUL_CHAP_TARGET_SECRET: IN_ENVIRONMENT,
      HOME: dumps,
      XDG_CONFIG_HOME: dumps,
    },
  });
  const pid = command.process.pid ?? 0;
  await vi.waitFor(() => expect(findInMemory(pid, IN_FILE)).not.toEqual([]), PATIENT);
  return Object.assign(command, { pid });
}

/** A process of nobody's that has a text in its environment, and does nothing about it. */
async function careless(text: string): Promise<ChildProcess & { readonly pid: number }> {
  const script = "console.log('there'); setInterval(() => {}, 1000)";
  const [program = "", ...args] = [...asNobody, ...dumping, process.execPath, "-e", script];
  const child = spawn(program, args, {
    cwd: dumps,
    env: { PATH: process.env.PATH, CARELESS: text },
  });
  await once(child.stdout, "data");
  return child as ChildProcess & { readonly pid: number };
}

describeWhere(needsRoot, "a process that has loaded secrets", () => {
  let lock: { release(): void } | null;
  let command: Awaited<ReturnType<typeof loaded>>;

  beforeAll(async () => {
    lock = native().lockFile(lockFile);
    expect(lock).not.toBeNull();
    command = await loaded();
  });
  afterAll(async () => {
    command.process.kill("SIGKILL");
    await command.ended;
    lock?.release();
  });

  it.each([IN_FILE, IN_ENVIRONMENT])(
    "has %s in memory alone that no dump has and no swap",
    (text) => {
      const found = findInMemory(command.pid, text);
      expect(found).not.toEqual([]);
      for (const { mapping, flags } of found) {
        expect(flags, mapping).toContain("dd");
        expect(flags, mapping).toContain("lo");
      }
    },
  );

  it("shows none in its environment and its arguments, not even to root", () => {
    for (const file of ["environ", "cmdline"]) {
      const text = readFileSync(`/proc/${command.pid}/${file}`, "latin1");
      expect(text).toMatch(file === "environ" ? /BLOCKHAUL_STATE_DIR=/ : /--secret-file/);
      expect(text).not.toMatch(/canary/);
    }
  });

  it("is looked into by no other process of its user", async () => {
    for (const file of ["environ", "mem", "maps", "fd/0"]) {
      const { status, stdout } = nobodyReads(`/proc/${command.pid}/${file}`);
      expect({ file, status, read: stdout.length }).toEqual({ file, status: 1, read: 0 });
    }
    // One that takes no care is: what the others show is no accident.
    const other = await careless("seen");
    expect(nobodyReads(`/proc/${other.pid}/environ`).stdout.toString()).toContain("CARELESS=seen");
    other.kill("SIGKILL");
    await once(other, "exit");
  });

  it("leaves no core dump when it crashes", async ({ skip }) => {
    const cores = () => readdirSync(dumps).filter((name) => name.startsWith("core"));
    const other = await careless("dumped-with-all-else");
    other.kill("SIGABRT");
    await once(other, "exit");
    const isTold = cores().length > 0;
    if (isTold) expect(filesWith(dumps, "dumped-with-all-else")).toEqual(cores());
    execFileSync("rm", ["-f", ...cores().map((name) => `${dumps}/${name}`)]);

    command.process.kill("SIGABRT");
    const ended = await command.ended;
    expect(ended.signal).toBe("SIGABRT");
    expect(cores()).toEqual([]);
    expect(ended.stdout + ended.stderr).not.toMatch(/canary/);
    if (!isTold) skip("this kernel writes core dumps into no file");
  });
});

describeWhere(needsRoot, "a copy of a user's with a secret in the environment", () => {
  it("is the same as without one, though nobody may look into it", async () => {
    const findings: unknown[] = [];
    for (const secret of [undefined, IN_ENVIRONMENT]) {
      const target = `${dumps}/target-${findings.length}`;
      writeFileSync(target, Buffer.alloc(8 * 1024 ** 2));
      chownSync(target, NOBODY, NOBODY);
      const folders = { BLOCKHAUL_STATE_DIR: state, HOME: dumps, TMPDIR: dumps };
      const { status, stdout, stderr } = await blockhaul(
        ["copy", "pattern:8MiB:1", target, "--verify", "--json", "--progress", "none"],
        { env: { ...folders, BLOCKHAUL_CHAP_SECRET: secret }, under: asNobody, cwd: dumps },
      );
      expect(status, stderr).toBe(0);
      const events = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      findings.push(
        events.flatMap(({ type, guard, state }) => (type === "guard" ? [[guard, state]] : [])),
      );
      execFileSync("rm", [target]);
    }
    expect(findings[0]).toHaveLength(9);
    expect(findings[1]).toEqual(findings[0]);
  });
});

describeWhere(needsRoot, "a command that has loaded secrets and fails", () => {
  it("says none, and leaves none behind", async () => {
    for (const more of [[], ["--json"], ["-v"]]) {
      const lock = native().lockFile(lockFile);
      const command = await loaded(...more);
      lock?.release();
      const { status, stdout, stderr } = await command.ended;
      expect(status, stderr).toBe(1);
      expect(stderr).toMatch(/only root can/);
      expect(stdout + stderr).not.toMatch(/canary/);
    }
    expect(filesWith(state, "canary")).toEqual([]);
  });
});

describe("a program that is run", () => {
  it("as a hook has no secret in its environment, and all else", async () => {
    using site = new MigrationSite();
    writeFileSync(site.image("a"), "content ".repeat(1024));
    const seen = site.path("seen");
    const hook = site.path("hook");
    writeFileSync(
      hook,
      `#!/bin/sh\ncat > '${seen}.facts'\nenv > '${seen}'\ntr '\\0' '\\n' < /proc/$PPID/environ > '${seen}.parent'\n`,
    );
    chmodSync(hook, 0o755);
    const { status, stdout, stderr } = await blockhaul(
      ["migrate", "images:a", "store", "--before-copy", hook, "-v"],
      {
        cwd: site.folder,
        env: {
          BLOCKHAUL_STATE_DIR: site.state,
          BLOCKHAUL_CONFIG: undefined,
          BLOCKHAUL_CHAP_SECRET: IN_FILE,
          BLOCKHAUL_CHAP_TARGET_SECRET: IN_ENVIRONMENT,
          OF_THE_USER: "kept",
        },
      },
    );
    expect(status, stderr).toBe(0);
    for (const file of [seen, `${seen}.parent`]) {
      expect(readFileSync(file, "utf8")).toContain("OF_THE_USER=kept");
      expect(readFileSync(file, "utf8")).not.toMatch(/canary/);
    }
    expect(readFileSync(seen, "utf8")).not.toMatch(/_SECRET/);
    expect(existsSync(`${seen}.facts`)).toBe(true);
    expect(stdout + stderr).not.toMatch(/canary/);
    expect(filesWith(site.folder, "canary")).toEqual([]);
  });
});

describe("a ref with a secret in it", () => {
  const KEY = "AQBSdFRfAAAAABAAkCvSiLNQ5p5jYnJUWzZzZA==";
  const refs = [
    "iscsi://me:canary-1@10.0.0.1/iqn.2026-01.test:a/1",
    "iscsi://me%canary-2@10.0.0.1/iqn.2026-01.test:a/1",
    "iscsi://10.0.0.1/iqn.2026-01.test:a/1?target_password=canary-3",
    `rbd:vms/disk:key=${KEY}`,
  ];
  const site = new MigrationSite();
  afterAll(() => site[Symbol.dispose]());

  const lines: readonly (readonly [name: string, args: (ref: string) => string[]])[] = [
    ["migrate", (ref) => ["migrate", ref, "store"]],
    ["migrate, as the target", (ref) => ["migrate", "images:a", ref]],
    ["migrate --dry-run", (ref) => ["migrate", ref, "store", "--dry-run"]],
    [
      "migrate --plan",
      (ref) => {
        const moves = [{ name: `of ${ref}`, source: ref, target: "store:x" }];
        return ["migrate", "--plan", site.path(site.write("plan.yaml", JSON.stringify({ moves })))];
      },
    ],
    ["copy", (ref) => ["copy", ref, "null:"]],
    ["copy -v, as the target", (ref) => ["copy", "zero:1MiB", ref, "-v"]],
    ["copy --dry-run", (ref) => ["copy", "zero:1MiB", ref, "--create", "--dry-run", "-v"]],
    ["info", (ref) => ["info", ref]],
    ["verify", (ref) => ["verify", ref, "zero:1MiB"]],
    ["list", (ref) => ["list", ref]],
    ["jobs", (ref) => ["jobs", "show", ref]],
    ["resume", (ref) => ["resume", ref]],
    ["targets", (ref) => ["targets", ref]],
    ["attach", (ref) => ["attach", ref]],
    ["an unknown command", (ref) => [ref, "x"]],
    ["an unknown command with it", (ref) => ["frobnicate", ref]],
    ["an unknown option", (ref) => ["copy", `--${ref}`]],
    ["too many arguments", (ref) => ["info", "a", ref]],
    ["a hook", (ref) => ["migrate", "images:a", "store", "--before-copy", `["${ref}`]],
  ];

  it.each(lines)("is printed by none of %s, whatever is asked for", async (_, args) => {
    for (const ref of refs) {
      for (const more of [[], ["--json"], ["-v"]]) {
        const line = [...args(ref), ...more];
        const { status, stdout, stderr } = await site.blockhaul(...line);
        expect(status, line.join(" ")).not.toBe(0);
        expect(stdout + stderr, line.join(" ")).not.toMatch(/canary|AQBSdFRf/);
        // Both say something, and with --json it is still JSON.
        expect(stdout + stderr).not.toBe("");
        if (more[0] !== "--json") continue;
        for (const one of stdout.split("\n").filter(Boolean))
          expect(() => JSON.parse(one)).not.toThrow();
      }
    }
    expect(existsSync(site.state) ? filesWith(site.state, "canary") : []).toEqual([]);
  });
});
