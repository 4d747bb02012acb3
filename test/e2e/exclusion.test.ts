/** Copies that want the same volume, of users and namespaces that know nothing of each other. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { blockhaul, type CommandOptions, RunningCommand } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { run } from "../support/mounted.js";
import { RbdPool } from "../support/rbd-pool.js";
import { besidesHidden } from "../support/sight.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 4 * MiB;
const workspace = new Workspace();
const loops = new LoopDevices();
const lent: { readonly node: string; readonly mode: number }[] = [];
const partitioned: string[] = [];
const copier = fileURLToPath(new URL("fixtures/copier.mjs", import.meta.url));

/** In a mount namespace of its own, after commands that change it alone. */
function apart(...commands: readonly string[]): readonly string[] {
  const script = [
    "mount --make-rprivate / 2>&-; :",
    // What is mounted below a shared mount is mounted for the host as well.
    "grep -Eq '^([^ ]+ ){4}(/|/sys|/run) .* shared:' /proc/self/mountinfo && exit 99",
    // What other tests have mounted, they could unmount for themselves alone.
    `cut -d' ' -f5 /proc/self/mountinfo | grep '^${tmpdir()}/' | while read -r place; do`,
    `  umount -l "$(printf %b "$place")"; done 2>&-; :`,
    ...commands,
    'exec "$@"',
  ].join("\n");
  const own = ["--mount", "--propagation", "unchanged", "--pid", "--fork", "--kill-child"];
  return ["unshare", ...own, "sh", "-c", script, "sh"];
}

const ownProcesses = "mount -t proc proc /proc";
const ownLocks = "mkdir -p /run/blockhaul && mount -t tmpfs -o mode=700 tmpfs /run/blockhaul";

function asUser(id: number): readonly string[] {
  return ["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups"];
}

const WHO = {
  root: [],
  "user A": asUser(65_534),
  "user B": asUser(65_533),
  "namespaces of its own": apart(ownProcesses, ownLocks),
  "a container without /sys": apart(ownProcesses, ownLocks, "mount -t tmpfs tmpfs /sys"),
  "another state directory": [],
} as const;
type Who = keyof typeof WHO;
const everybody = Object.keys(WHO) as Who[];

function optionsOf(who: Who): CommandOptions {
  const folder = workspace.path(`state of ${who}`.replace("/", ""));
  mkdirSync(folder, { recursive: true });
  const user = /^user/.test(who) ? Number(/--reuid=(\d+)/.exec(WHO[who].join(" "))?.[1]) : 0;
  chownSync(folder, user, user);
  return { under: WHO[who], env: { BLOCKHAUL_STATE_DIR: folder, HOME: folder } };
}

interface Answer {
  /** "done", or an error's. */
  readonly code?: string;
  readonly message?: string;
  readonly notExcluded?: readonly string[];
  /** It has its locks, and moves nothing. */
  readonly waiting?: boolean;
}

/** A process that does copies, one after another: to start one for each would take most of this test's time. */
class Copier implements AsyncDisposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;
  #errors = "";

  constructor(who: Who) {
    const { env } = optionsOf(who);
    const [program = "", ...args] = [...WHO[who], process.execPath, copier];
    this.#process = spawn(program, args, {
      env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    });
    this.#process.stderr.on("data", (data: Buffer) => {
      this.#errors += data.toString();
    });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  async ask(what: "copy" | "digest" | "end", request: object = {}): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify({ what, ...request })}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the copier ended: ${this.#errors}`);
    return JSON.parse(value);
  }

  copy(from: string, to: string, ...allow: readonly string[]): Promise<Answer> {
    return this.ask("copy", { from, to, allow });
  }

  /** Begins a copy that has its locks until the answer to "end". */
  hold(from: string, to: string): Promise<Answer> {
    return this.ask("copy", { from, to, allow: ["signature"], waits: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}

let count = 0;
function newImage(content = "", size = SIZE): string {
  count += 1;
  const file = workspace.path(`image-${count}`);
  writeFileSync(file, content);
  truncateSync(file, size);
  chmodSync(file, 0o666);
  return file;
}

async function newLoop(content?: string, size?: number): Promise<string> {
  const { path } = await loops.attach(newImage(content, size));
  lend(path);
  return path;
}

/** Lets every user open a device. Its node outlives it, and may be the next one's. */
function lend(node: string): void {
  lent.push({ node, mode: statSync(node).mode & 0o777 });
  chmodSync(node, 0o666);
}

/** A disk with a partition. */
async function newDisk(): Promise<{ disk: string; part: string }> {
  const file = newImage("", 16 * MiB);
  run("sgdisk", "--new=1:2048:+8M", file);
  const { path } = await loops.attach(file);
  run("partx", "--update", path);
  partitioned.push(path);
  for (const node of [path, `${path}p1`]) lend(node);
  return { disk: path, part: `${path}p1` };
}

beforeAll(() => chmodSync(workspace.folder, 0o1777));
afterAll(async () => {
  for (const { node, mode } of lent.reverse()) chmodSync(node, mode);
  for (const path of partitioned) run("partx", "--delete", path);
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

const refusal = expect.stringMatching(/^(ERR_IN_USE|ERR_LIVE_SOURCE)$/);
const CONTENT = "content ".repeat(SIZE / 8);

/** Who tries to come between; started once for all. */
const others = new Map<Who, Copier>();
beforeAll(() => {
  for (const who of everybody) others.set(who, new Copier(who));
});
afterAll(async () => {
  for (const other of others.values()) await other[Symbol.asyncDispose]();
});
const other = (who: Who): Copier => {
  const found = others.get(who);
  if (found === undefined) throw new Error(who);
  return found;
};

/** While one has its locks on both ends, each of the others tries. */
async function whileHeld(
  first: Who,
  [source, target]: readonly [source: string, target: string],
  attempt: (second: Who, copy: Copier, held: Answer) => Promise<void>,
): Promise<void> {
  await using holder = new Copier(first);
  const held = await holder.hold(source, target);
  expect(held, `${first} has its locks`).toMatchObject({ waiting: true });
  for (const second of everybody) await attempt(second, other(second), held);
  expect(await holder.ask("end"), "it ran all the time").toMatchObject({ code: "ERR_CANCELLED" });
}

describe.each(["file", "loop device"] as const)("a %s", (medium) => {
  const newVolume = medium === "file" ? async (content?: string) => newImage(content) : newLoop;

  it.each(everybody)("that a copy of %s uses is nobody else's", async (first) => {
    const [source, target] = [await newVolume(CONTENT), await newVolume()];
    const [another, elsewhere] = [newImage("other"), newImage()];
    await whileHeld(first, [source, target], async (second, copier) => {
      const cell = `${first}, then ${second}`;
      const inUse = { code: "ERR_IN_USE" };
      const onto = await copier.copy(another, target, "signature");
      expect(onto, `${cell}: both onto one`).toMatchObject(inUse);
      const from = await copier.copy(target, elsewhere, "live-source", "signature");
      expect(from, `${cell}: from what is written to`).toMatchObject(inUse);
      const into = await copier.copy(another, source, "signature");
      expect(into, `${cell}: onto what is read`).toMatchObject(inUse);
      const digest = await copier.ask("digest", { from: target });
      expect(digest, `${cell}: the digest of half a copy`).toMatchObject(inUse);
      const again = await copier.copy(source, elsewhere, "signature");
      expect(again, `${cell}: two may read`).toMatchObject({ code: "done" });
    });
    run("cmp", source, elsewhere);
  });
});

/** Of two that met, one was refused, or what could not be excluded stands in the report of one. */
function expectRefusedOrSaid(
  cell: string,
  [first, firstEnd]: readonly [Answer, string],
  [second, secondEnd]: readonly [Answer, string],
) {
  const isRefused = /^(ERR_IN_USE|ERR_LIVE_SOURCE)$/.test(second.code ?? "");
  if (isRefused) return;
  expect(second, cell).toMatchObject({ code: "done" });
  const said = [
    ...(first.notExcluded ?? []).filter((text) => text.startsWith(firstEnd)),
    ...(second.notExcluded ?? []).filter((text) => text.startsWith(secondEnd)),
  ].filter((text) => /not kept away|are kept away only/.test(text));
  expect(said, `${cell}: neither refused nor said`).not.toEqual([]);
}

describe("a disk and its partition", () => {
  it.each(everybody)("are one volume to whom meets a copy of %s", async (first) => {
    const { disk, part } = await newDisk();
    const [another, elsewhere] = [newImage("other"), newImage("", 16 * MiB)];
    for (const [held, wanted] of [
      [disk, part],
      [part, disk],
    ] as const) {
      await whileHeld(first, [newImage(CONTENT), held], async (second, copier, answer) => {
        const cell = `${first} onto ${held}, then ${second}`;
        const onto = await copier.copy(another, wanted, "signature");
        expect(onto, `${cell} onto ${wanted}`).toMatchObject({ code: "ERR_IN_USE" });
        const from = await copier.copy(wanted, elsewhere, "signature", "live-source");
        expectRefusedOrSaid(`${cell} from ${wanted}`, [answer, "target"], [from, "source"]);
      });
      await whileHeld(first, [held, newImage("", 16 * MiB)], async (second, copier, answer) => {
        const cell = `${first} from ${held}, then ${second}`;
        const into = await copier.copy(another, wanted, "signature");
        expectRefusedOrSaid(`${cell} onto ${wanted}`, [answer, "source"], [into, "target"]);
      });
    }
  });
});

describe("an RBD image", () => {
  let pool: RbdPool;
  let conf: string;
  beforeAll(async () => {
    pool = await RbdPool.create(inject("cephConf"), "exclusion");
    // What every user may read.
    const [, hosts] = /^mon host *= *(.+)$/m.exec(readFileSync(pool.conf, "utf8")) ?? [];
    const [, keys = ""] = /^keyring *= *(.+)$/m.exec(readFileSync(pool.conf, "utf8")) ?? [];
    const keyring = workspace.path("keyring");
    conf = workspace.path("ceph.conf");
    writeFileSync(keyring, readFileSync(keys));
    writeFileSync(conf, `[global]\nmon host = ${hosts}\nkeyring = ${keyring}\n`);
    for (const file of [keyring, conf]) chmodSync(file, 0o644);
  });
  afterAll(() => pool?.[Symbol.asyncDispose]());

  async function newImageInPool(): Promise<string> {
    count += 1;
    await pool.rbd("create", "--size", "4M", `image-${count}`);
    return `rbd:${pool.name}/image-${count}:conf=${conf}`;
  }

  it.each(everybody)("that a copy of %s uses is refused, or the report says so", async (first) => {
    const [source, target] = [await newImageInPool(), await newImageInPool()];
    const [another, elsewhere] = [newImage("other"), newImage()];
    await whileHeld(first, [source, target], async (second, copier, held) => {
      const cell = `${first}, then ${second}`;
      const onto = await copier.copy(another, target, "signature");
      expect(onto, `${cell}: both onto one`).toMatchObject({ code: "ERR_IN_USE" });
      const from = await copier.copy(target, elsewhere, "signature");
      expect(from, `${cell}: from what is written to`).toMatchObject({ code: refusal });
      const into = await copier.copy(another, source, "signature");
      expectRefusedOrSaid(`${cell}: onto what is read`, [held, "source"], [into, "target"]);
    });
  });
});

it("says which job and process it is", async () => {
  const [source, target] = [newImage(CONTENT.repeat(8), 32 * MiB), newImage("", 32 * MiB)];
  const slow = ["--bwlimit", "64KiB", "--request-size", "64KiB", "--json"];
  const copy = new RunningCommand(
    ["copy", ...slow, source, target],
    optionsOf("another state directory"),
  );
  await copy.said(/"type":"progress".*"done":[1-9]/);
  const { message } = await outcome("root", ["copy", newImage(), target]);
  expect(message).toMatch(
    new RegExp(`another copy to it is under way: job [a-z0-9]{8} of process ${copy.process.pid} `),
  );
  const hidden = await outcome("user A", ["copy", newImage(), target]);
  expect(hidden.message).toMatch(/under way, of a process that this user may not look into$/);
  copy.process.kill("SIGINT");
  await copy.ended;
});

/** What the command's last line says. */
async function outcome(who: Who, args: readonly string[]) {
  const { status, stdout } = await blockhaul([...args, "--json"], optionsOf(who));
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "{}");
  return { status, code: last.code, message: last.message, notExcluded: last.notExcluded };
}

describe("the report", () => {
  it("says of a device's other node that copies through it are not kept away", async () => {
    const target = await newLoop();
    const node = workspace.path("node");
    run("cp", "-a", target, node);
    const { status, notExcluded } = await outcome("root", ["copy", node, newImage()]);
    expect(status).toBe(0);
    expect(besidesHidden(notExcluded)).toEqual([
      expect.stringMatching(/^source: its node is not in the kernel's own /),
    ]);
  });

  it("says of an overlay's file that the one below it is another", async () => {
    const folders = ["below", "above", "work", "both"].map((name) => workspace.path(name));
    for (const folder of folders) mkdirSync(folder);
    const [below = "", above = "", work = "", both = ""] = folders;
    run("cp", newImage(CONTENT), `${below}/disk`);
    const layers = `lowerdir=${below},upperdir=${above},workdir=${work}`;
    run("mount", "-t", "overlay", "overlay", "-o", layers, both);
    try {
      const { code, notExcluded } = await other("root").copy(`${both}/disk`, newImage());
      expect(code).toBe("done");
      expect(notExcluded).toContainEqual(
        expect.stringMatching(/^source: its file system may not show locks to all /),
      );
    } finally {
      run("umount", both);
    }
  });

  it("says of a device without /sys that its other names and its users are not known", async () => {
    const device = await newLoop();
    const who = "a container without /sys";
    const { code, notExcluded = [] } = await other(who).copy(device, newImage(), "signature");
    expect(code).toBe("done");
    expect(notExcluded).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^source: \/sys does not show it: copies /),
        expect.stringMatching(/^source: \/sys does not show it: what is built on it/),
        expect.stringMatching(/^target: \/sys shows no devices: loop devices over it /),
      ]),
    );
  });

  it.each([
    ["namespaces of its own", /^source: processes outside this container do not show: /],
    ["user A", /^source: this user may not look into processes of others: /],
  ] as const)("says of %s that not all processes show", async (who, says) => {
    const { code, notExcluded } = await other(who).copy(await newLoop(), newImage(), "signature");
    expect(code).toBe("done");
    expect(notExcluded).toContainEqual(expect.stringMatching(says));
  });

  it("has nothing to say where all is seen and locked", async () => {
    const { code, notExcluded } = await other("root").copy(await newLoop(), newImage());
    expect(code).toBe("done");
    expect(besidesHidden(notExcluded)).toEqual([]);
  });
});

describe("QEMU", () => {
  const io = (...args: readonly string[]) => {
    try {
      return run("qemu-io", "-f", "raw", ...args);
    } catch (error) {
      return String((error as { stderr?: unknown }).stderr);
    }
  };

  it("is refused an image that is copied, and may read along with a copy", async () => {
    const [source, target] = [newImage(CONTENT), newImage()];
    await using holder = new Copier("root");
    expect(await holder.hold(source, target)).toMatchObject({ waiting: true });
    expect(io("-c", "write 0 512", source)).toMatch(/Failed to get "write" lock/);
    expect(io("-r", "-c", "read 0 512", target)).toMatch(/Failed to get .* lock/);
    expect(io("-r", "-c", "read 0 512", source)).toMatch(/read 512\/512/);
    await holder.ask("end");
    expect(io("-c", "write 0 512", source)).toMatch(/wrote 512\/512/);
  });

  it.each(["root", "user A"] as const)("that has an image is seen by %s", async (who) => {
    const image = newImage();
    const machine = spawn("qemu-io", ["-f", "raw", image]);
    machine.stdin.write("write 0 512\n");
    await once(machine.stdout, "data");
    const copier = other(who);
    expect(await copier.copy(newImage(), image)).toMatchObject({ code: "ERR_IN_USE" });
    expect(await copier.copy(image, newImage())).toMatchObject({ code: "ERR_LIVE_SOURCE" });
    const allowed = await copier.copy(image, newImage(), "live-source");
    expect(allowed).toMatchObject({ code: "done" });
    machine.stdin.end();
    await once(machine, "close");
  });
});
