/** SIGUSR1, which people send to `dd`: it is answered with the progress, and never opens Node's debugger to the host. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { RunningCommand } from "../support/command.js";
import { cutCopy } from "../support/copy-jobs.js";
import { MigrationSite } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIGUSR1 = 10;
const PATIENT = { timeout: 240_000, interval: 50 };
const workspace = new Workspace();
const state = workspace.path("state");
const env = { BLOCKHAUL_STATE_DIR: state, XDG_CONFIG_HOME: workspace.path("xdg") };
const SLOW = ["--bwlimit", "2MiB", "--progress", "none"];
let source: string;
const site = new MigrationSite();

beforeAll(() => {
  source = workspace.path("source.img");
  writeFileSync(source, new Random("signals").bytes(64 * MiB));
  for (const name of ["a", "b"]) writeFileSync(site.image(name), new Random(name).bytes(64 * MiB));
});
afterAll(() => {
  site[Symbol.dispose]();
  workspace[Symbol.dispose]();
});

/** Where a process listens: address and port in hexadecimal, as the kernel has them. */
function listening(pid: number | undefined): string[] {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return "";
    }
  });
  const sockets = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const rows = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "latin1").trim().split("\n").slice(1),
  );
  return rows.flatMap((row) => {
    const [, local = "", , status, , , , , , inode] = row.trim().split(/\s+/);
    return status === "0A" && sockets.has(inode) ? [local] : [];
  });
}

/** Asks again and again until the answer is one: before anything is ready to answer, nothing is said. */
async function ask(command: RunningCommand, answer: RegExp): Promise<string> {
  let heard = "";
  const hear = (data: Buffer) => {
    heard += data.toString();
  };
  for (const stream of [command.process.stdout, command.process.stderr]) stream.on("data", hear);
  await untilCaught(command.process.pid);
  const said = await vi.waitFor(() => {
    const whole = heard.split("\n").slice(0, -1);
    const found = whole.find((line) => answer.test(line));
    if (found !== undefined) return found;
    // One that has ended says nothing more: there is nothing to wait for.
    if (!command.process.kill("SIGUSR1")) return undefined;
    throw new Error(`it never said ${answer}, but: ${heard}`);
  }, PATIENT);
  if (said === undefined) throw new Error(`it ended, and never said ${answer}, but: ${heard}`);
  return said;
}

async function stop(command: RunningCommand): Promise<{ stdout: string; stderr: string }> {
  command.process.kill("SIGINT");
  const { stdout, stderr, status } = await command.ended;
  expect(status).toBe(130);
  return { stdout, stderr };
}

/** The first chance there is: the signal would end a process that has no handler yet, not even Node's. */
async function untilCaught(pid: number | undefined): Promise<void> {
  for (;;) {
    const text = readFileSync(`/proc/${pid}/status`, "latin1");
    const mask = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(text)?.[1] ?? "0"}`);
    // Until it is the command, it has the handlers of this process.
    const isCommand = readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("cli/main.js");
    if (isCommand && (mask >> BigInt(SIGUSR1 - 1)) & 1n) return;
    await turn();
  }
}

const share = String.raw`: +\d+%, [\d.]+ \w+ of [\d.]+ \w+`;

let started: RunningCommand[] = [];
const kept = (command: RunningCommand) => {
  started.push(command);
  return command;
};
const start = (...args: readonly string[]) => kept(new RunningCommand(args, { env }));
afterEach(() => {
  for (const command of started) command.process.kill("SIGKILL");
  started = [];
});

const cases: readonly (readonly [
  name: string,
  start: () => Promise<RunningCommand> | RunningCommand,
  label: RegExp,
])[] = [
  ["copy", () => start("copy", source, workspace.path("copy.img"), ...SLOW), /copy\.img/],
  [
    "resume",
    async () => {
      const { id } = await cutCopy(state, [source, workspace.path("resumed.img")]);
      return start("resume", id, ...SLOW);
    },
    /job \w+/,
  ],
  [
    "verify",
    () => start("verify", "zero:10TiB", "zero:10TiB", "--progress", "none"),
    /zero:10TiB and/,
  ],
  ["digest", () => start("digest", "zero:10TiB", "--progress", "none"), /zero:10TiB/],
  ["migrate", () => kept(site.start("migrate", "images:a", "store", ...SLOW)), /images:a to store/],
  [
    "a plan of many",
    () => {
      site.write(
        "plan.yaml",
        "moves: [{source: 'images:a', target: 'store:x'}, {source: 'images:b', target: 'store:y'}]\n",
      );
      return kept(site.start("migrate", "--plan", "plan.yaml", ...SLOW));
    },
    /0 of 2 moves/,
  ],
];

describe("SIGUSR1", () => {
  it.each(cases)("is answered by %s with a line, and opens no port", async (_, begin, label) => {
    const command = await begin();
    const line = await ask(command, new RegExp(`${label.source}.*${share}`));
    expect(listening(command.process.pid)).toEqual([]);
    const { stderr } = await stop(command);
    expect(stderr).toContain(line);
  });

  it("is an event for programs, also where no progress was asked for", async () => {
    const command = start("copy", source, workspace.path("json.img"), "--json", ...SLOW);
    await command.said(/"exclusion"/);
    const line = await ask(command, /^\{"type":"progress"/);
    expect(JSON.parse(line)).toMatchObject({ type: "progress", phase: "copy", total: 64 * MiB });
    expect(listening(command.process.pid)).toEqual([]);
    const { stdout } = await stop(command);
    for (const one of stdout.trimEnd().split("\n")) expect(() => JSON.parse(one)).not.toThrow();
  });

  it("is said to be about nothing where nothing is copied", async () => {
    const driver = workspace.path("hanging.mjs");
    const support = new URL("../support/plain-driver.mjs", import.meta.url).href;
    writeFileSync(
      driver,
      `import { plainDriver } from ${JSON.stringify(support)};
export const driver = {
  ...plainDriver({ name: "hanging", summary: "for tests", write: false }, () => ({ size: 0, read: () => {} })),
  openVolume: () => new Promise(() => setInterval(() => {}, 1000)),
  places: { settings: { "~standard": { version: 1, vendor: "tests", validate: (value) => ({ value }) } },
    locate: (_, name) => \`hanging:\${name}\` },
};
`,
    );
    const config = workspace.path("hanging.yaml");
    writeFileSync(config, `backends:\n  hangs: {driver: ${driver}}\n`);
    const command = start("info", "--config", config, "hangs:x");
    expect(await ask(command, /^[a-z]/)).toBe("nothing is being copied");
    expect(listening(command.process.pid)).toEqual([]);
    command.process.kill("SIGKILL");
    expect(await command.ended).toMatchObject({ stdout: "", signal: "SIGKILL" });
  });

  it("of the moment before our handler is there leaves no port open", async ({ skip }) => {
    let opened = 0;
    for (let round = 0; round < 30 && opened < 2; round += 1) {
      const command = start("digest", "zero:10TiB", "--progress", "none");
      await ask(command, new RegExp(share));
      expect(listening(command.process.pid)).toEqual([]);
      command.process.kill("SIGKILL");
      if (/^Debugger listening on /m.test((await command.ended).stderr)) opened += 1;
    }
    if (opened === 0) skip("Node's own handler, which is there for some 20 ms, was never met");
  });

  it("opens Node's debugger to everybody where nothing answers it: what the others show is no accident", async () => {
    const child = spawn(
      process.execPath,
      ["-e", "console.log('there'); setInterval(() => {}, 1000)"],
      {
        env: { ...process.env, NODE_OPTIONS: undefined },
      },
    );
    await once(child.stdout, "data");
    child.kill("SIGUSR1");
    await once(child.stderr, "data");
    const [place = ""] = listening(child.pid);
    const socket = connect(Number.parseInt(place.split(":")[1] ?? "", 16), "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    child.kill("SIGKILL");
    await once(child, "exit");
  });
});
