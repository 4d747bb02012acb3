/** Names that strangers gave to their things, on root's terminal and in root's logs: they do nothing there. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { blockhaul, type CommandOptions } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { run } from "../support/mounted.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const NOBODY = 65_534;
const ESC = "\u001b";
/** Sets the window's title, ends the line, lies on the next one, turns it around, and clears the screen by a C1 control. */
const HOSTILE = "x\u001b]0;pwned\u0007\r\nFORGED\u202egmi\u009b2J\u2028.img";
const SHOWN = "x\\x1b]0;pwned\\x07\\x0d\\x0aFORGED\\u202egmi\\u009b2J\\u2028.img";
/** In an error, which is one line by itself. */
const IN_ERROR = SHOWN.replace("\\x0d\\x0a", " ");
const workspace = new Workspace();
const loops = new LoopDevices();
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const config = workspace.path("blockhaul.yaml");
const strangers = workspace.path("strangers");
const source = workspace.path("source.img");
const env = {
  BLOCKHAUL_STATE_DIR: workspace.path("state"),
  BLOCKHAUL_CONFIG: config,
  XDG_CONFIG_HOME: workspace.path("xdg"),
  TERM: "xterm",
  LC_ALL: "C.UTF-8",
};

beforeAll(() => {
  mkdirSync(strangers);
  mkdirSync(workspace.path("store"));
  writeFileSync(source, "content ".repeat(MiB / 8));
  chmodSync(workspace.folder, 0o755);
  // Whatever lies in a driver's folder is code, too: a stranger must not be able to write to it.
  mkdirSync(workspace.path("drivers"));
  const driver = workspace.path("drivers/failing.mjs");
  const support = new URL("../support/plain-driver.mjs", import.meta.url).href;
  writeFileSync(
    driver,
    `import { plainDriver } from ${JSON.stringify(support)};
const fail = async () => { throw new Error(${JSON.stringify(HOSTILE)}, { cause: new Error(${JSON.stringify(HOSTILE)}) }); };
export const driver = {
  ...plainDriver({ name: "failing", summary: "for tests", write: false }, () => ({ size: 0, read: () => {} })),
  openVolume: fail,
  status: fail,
  places: { settings: { "~standard": { version: 1, vendor: "tests", validate: (value) => ({ value }) } },
    locate: (_, name) => \`failing:\${name}\` },
};
`,
  );
  writeFileSync(
    config,
    `backends:
  strangers: {driver: file, directory: ${strangers}}
  store: {driver: file, directory: ${workspace.path("store")}}
  fails: {driver: ${driver}, note: ${JSON.stringify(HOSTILE)}}
`,
  );
});
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

/** What this command writes itself: colours, and lines that it draws over. */
const OURS = new RegExp(`${ESC}\\[(?:\\d+A|K|J|0m|3[123]m)`, "g");

/** Nothing of a stranger's is left that a terminal would heed, and none of it begins a line. */
function expectHarmless(text: string, how: "terminal" | "log"): void {
  const rest =
    how === "log" ? text : text.replaceAll("\r\n", "\n").replace(OURS, "").replaceAll("\r", "");
  for (const line of rest.split("\n")) {
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(line).not.toMatch(/^FORGED/);
  }
}

/** All that a command writes to a terminal. */
function onTerminal(args: readonly string[]): string {
  const words = [process.execPath, main, ...args].map(
    (word) => `'${word.replaceAll("'", "'\\''")}'`,
  );
  const { stdout } = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], {
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    input: "",
    encoding: "utf8",
  });
  return stdout;
}

/** Runs it on a terminal, into a log, and for a program: the name is seen in each, and harmless. */
async function shows(args: readonly string[], what = SHOWN, options: CommandOptions = {}) {
  const log = await blockhaul(args, { env, ...options });
  const said = log.stdout + log.stderr;
  expect(said).toContain(what);
  expectHarmless(said, "log");
  if (options.under === undefined) {
    const text = onTerminal(args);
    expect(text).toContain(what);
    expectHarmless(text, "terminal");
  }
  const told = await blockhaul([...args, "--json"], { env, ...options });
  expect(told.stdout).toMatch(/^[^\u007f-\u009f\u2028\u202e]+\n$/);
  expectHarmless(told.stdout, "log");
  const events = told.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { log, events };
}

const nobody = needsRoot === undefined ? { uid: NOBODY, gid: NOBODY } : {};

describe("a file of a stranger's", () => {
  beforeAll(() => {
    chmodSync(strangers, 0o777);
    const script = 'printf content > "$1"; printf content > "$2"';
    execFileSync(
      "sh",
      ["-c", script, "sh", `${strangers}/${HOSTILE}`, `${strangers}/a\\x0ab`],
      nobody,
    );
  });

  it("is listed by the name that it has", async () => {
    const { events } = await shows(["list", "strangers"]);
    expect(
      events
        .filter(({ type }) => type === "listed")
        .map(({ name }) => name)
        .sort(),
    ).toEqual([HOSTILE, "a\\x0ab"].sort());
  });

  it("is a line for scripts, from which `printf %b` makes the name", async () => {
    const { stdout } = await blockhaul(["list", "-q", "strangers"], { env });
    expectHarmless(stdout, "log");
    const names = stdout.trimEnd().split("\n");
    expect(names).toHaveLength(2);
    const decoded = names.map((name) =>
      execFileSync("bash", ["--norc", "-c", 'printf "%b" "$1"', "bash", name], {
        env,
        encoding: "utf8",
      }),
    );
    expect(decoded.sort()).toEqual([HOSTILE, "a\\x0ab"].sort());
  });

  it("is refused by name as a ref", async () => {
    const quoted = /FORGED\\u202e/;
    for (const ref of [`strangers:${HOSTILE}`, `${strangers}/${HOSTILE}`]) {
      for (const args of [
        ["info", ref],
        ["copy", ref, "null:"],
        ["migrate", ref, "store"],
      ]) {
        const { stdout, stderr, status } = await blockhaul(args, { env });
        expect(status).not.toBe(0);
        expect(stderr).toMatch(quoted);
        expectHarmless(stdout + stderr, "log");
        expectHarmless(onTerminal(args), "terminal");
      }
    }
  });
});

describe("what a driver says", () => {
  it("of a failure is one line, and so are its causes", async () => {
    const { events } = await shows(["info", "fails:x", "-v"], IN_ERROR);
    expect(events.at(-1)).toMatchObject({
      type: "error",
      message: expect.stringContaining("pwned"),
    });
  });

  it("of itself is none of a table", async () => {
    await shows(["list"]);
  });

  it("is YAML still in what `config show` prints", async () => {
    const escaped = '"x\\e]0;pwned\\a\\r\\nFORGED\\u202egmi\\u009b2J\\u2028.img"';
    const { log, events } = await shows(["config", "show"], escaped);
    const { parse } = await import("yaml");
    expect(parse(log.stdout).backends.fails.note).toBe(HOSTILE);
    expect(events[0].settings.backends.fails.note).toBe(HOSTILE);
  });
});

describe("a command line", () => {
  it.each<[string[]]>([
    [[HOSTILE]],
    [["copy", `--${HOSTILE}`]],
    [["jobs", HOSTILE]],
    [["resume", HOSTILE]],
  ])("with it in is refused harmlessly: %j", async (args) => {
    const { stdout, stderr, status } = await blockhaul(args, { env });
    expect([2, 3]).toContain(status);
    expect(stderr).toMatch(/pwned/);
    expectHarmless(stdout + stderr, "log");
    expectHarmless(onTerminal(args), "terminal");
  });
});

it("a bar is drawn, and nothing else is, with a stranger's plan", async () => {
  const plan = workspace.path("plan.yaml");
  const moves = [{ name: HOSTILE, source: "store:a", target: "strangers:b" }];
  writeFileSync(`${workspace.path("store")}/a`, Buffer.alloc(4 * MiB, 7));
  writeFileSync(plan, JSON.stringify({ moves }));
  const text = onTerminal(["migrate", "--plan", plan]);
  expect(text).toContain(SHOWN.slice(0, 20));
  expectHarmless(text, "terminal");
});

describeWhere(needsRoot, "in use", () => {
  it("by a process of a stranger's is named harmlessly", async () => {
    const target = workspace.path("held.img");
    writeFileSync(target, Buffer.alloc(MiB));
    chmodSync(target, 0o666);
    // What a process is called, it says itself: 15 bytes.
    const name = "\\033]0;x\\007\\302\\2332J\\342\\200\\256";
    const script = `printf '${name}' > /proc/$$/comm; exec 3<>"$1"; echo there; read -r line`;
    const holder = spawn("sh", ["-c", script, "sh", target], nobody);
    await once(holder.stdout, "data");
    try {
      const { log, events } = await shows(
        ["copy", source, target],
        "\\x1b]0;x\\x07\\u009b2J\\u202e",
      );
      expect(log.status).toBe(4);
      expect(events.at(-1)).toMatchObject({ code: "ERR_IN_USE" });
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
  });

  it("by a mount is named harmlessly", async () => {
    const { path } = await loops.attachNew(workspace.path("mounted.img"), 16 * MiB);
    run("mkfs.ext4", "-q", path);
    const place = workspace.path(HOSTILE);
    mkdirSync(place);
    // In a mount namespace of its own: the host's table is not to hold such a name.
    const script = 'mount "$1" "$2" && shift 2 && exec "$@"';
    const own = ["unshare", "--mount", "--propagation", "private"];
    const under = [...own, "sh", "-c", script, "sh", path, place];
    const { log } = await shows(["copy", source, path], IN_ERROR, { under });
    expect(log.status).toBe(4);
    expect(log.stderr).toMatch(/mounted on/);
  });

  it("by a file system is named harmlessly by its label", async () => {
    const image = workspace.path("labelled.img");
    writeFileSync(image, Buffer.alloc(8 * MiB));
    run("mkfs.ext4", "-q", "-L", "\u001b]0;x\u0007\u009b2J", image);
    const { log } = await shows(["copy", source, image], "ext4");
    expect(log.status).toBe(4);
    expect(log.stderr).toMatch(/]0;x/);
  });
});
