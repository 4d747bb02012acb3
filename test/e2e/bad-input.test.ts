/** What cannot be done is refused with one clear line and the right exit code, on real devices and a real cluster. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { blockhaul, type CommandOptions, RunningCommand } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { Oracle } from "../support/oracle.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const file = workspace.path("disk.img");
const content = new Random("bad input").bytes(8 * MiB);
const mounted: string[] = [];

beforeAll(() => {
  // An unprivileged user must get as far as the file itself.
  chmodSync(workspace.folder, 0o755);
  writeFileSync(file, content, { mode: 0o644 });
});

afterEach(() => {
  expect(readFileSync(file).equals(content), "the source is untouched").toBe(true);
});

afterAll(async () => {
  for (const place of mounted) execFileSync("umount", [place]);
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly says: RegExp;
}

/** Runs a command line for people and for programs: both are told the same. */
async function refuses(
  args: readonly string[],
  { status, code, says }: Refusal,
  options: CommandOptions = {},
) {
  const forPeople = await blockhaul(args, options);
  expectClear(forPeople.stderr, says);
  expect(forPeople).toMatchObject({ status, signal: null, stdout: "" });

  const forPrograms = await blockhaul([...args, "--json"], options);
  expect(forPrograms).toMatchObject({ status, signal: null });
  const events = forPrograms.stdout.trimEnd().split("\n");
  const event = JSON.parse(events.at(-1) ?? "");
  expect(event).toMatchObject({ type: "error", code, exitCode: status });
  expect(event.message).toMatch(says);
  return event;
}

/** One line that says what is wrong, and at the most one more that says what to do. */
function expectClear(stderr: string, says: RegExp) {
  const [line = "", hint, ...more] = stderr.trimEnd().split("\n");
  expect(line).toMatch(/^blockhaul: /);
  expect(line).toMatch(says);
  expect(line.length).toBeLessThan(400);
  if (hint !== undefined) expect(hint).toMatch(/^hint: /);
  expect(more).toEqual([]);
  expect(stderr).not.toMatch(/^\s+at |ERR_|Error:|undefined|\[object|\.cc\b/m);
}

function mount(place: string, ...args: readonly string[]): string {
  mkdirSync(place);
  execFileSync("mount", [...args, place]);
  mounted.push(place);
  return place;
}

describe("a path that leads to no volume", () => {
  test("a FIFO is not waited for", async () => {
    const fifo = workspace.path("fifo");
    execFileSync("mkfifo", [fifo]);
    const refusal = { status: 2, code: "ERR_NOT_A_VOLUME", says: /fifo: is neither an image/ };
    await refuses(["copy", fifo, "null:"], refusal);
    await refuses(["copy", file, fifo], refusal);
    await refuses(["info", fifo], refusal);
  });

  test("a socket", async () => {
    const socket = workspace.path("socket");
    const server = createServer().listen(socket);
    await refuses(["copy", socket, "null:"], {
      status: 2,
      code: "ERR_NOT_A_VOLUME",
      says: /source .*socket: is neither/,
    });
    server.close();
  });

  test("a link to nothing, and links in a circle", async () => {
    const dangling = workspace.path("dangling");
    symlinkSync(workspace.path("nothing"), dangling);
    const missing = { status: 3, code: "ERR_NOT_FOUND", says: /dangling: No such file/ };
    await refuses(["copy", dangling, "null:"], missing);

    const circle = workspace.path("circle");
    symlinkSync(circle, circle);
    const circular = { status: 2, code: "ERR_INVALID_REF", says: /circle: Too many levels/ };
    await refuses(["copy", circle, "null:"], circular);
  });

  test("a path through a file", async () => {
    const refusal = { status: 3, code: "ERR_NOT_FOUND", says: /disk\.img\/a: Not a directory/ };
    await refuses(["copy", path.join(file, "a"), "null:"], refusal);
    await refuses(["copy", file, path.join(file, "a")], refusal);
  });

  test("a device without any bytes", async () => {
    const empty = await loops.attachNew(workspace.path("empty"), 0);
    await refuses(["copy", file, empty.path], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /its 0 bytes are fewer than the source's 8388608/,
    });
  });

  test("what is a device is no file, and the other way round", async () => {
    const { path: device } = await loops.attachNew(workspace.path("plain"), MiB);
    await refuses(["info", `file:${device}`], {
      status: 2,
      code: "ERR_NOT_A_VOLUME",
      says: /is not an image file/,
    });
    await refuses(["info", `block:${file}`], {
      status: 2,
      code: "ERR_NOT_A_VOLUME",
      says: /is not a block device/,
    });
  });
});

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const checkout = fileURLToPath(new URL("../..", import.meta.url));
const isReachable =
  spawnSync("setpriv", [...NOBODY.slice(1), "test", "-r", `${checkout}package.json`]).status === 0;
if (!isReachable) console.warn(`not tested: another user cannot reach ${checkout} to run it`);

describe.skipIf(!isReachable)("a user without permission", () => {
  const nobody = { under: NOBODY };
  const denied = { status: 1, code: "ERR_PERMISSION", says: /Permission denied/ };

  test("may not read a file", async () => {
    const secret = workspace.path("secret.img");
    writeFileSync(secret, "secret", { mode: 0o600 });
    await refuses(["copy", secret, "null:"], denied, nobody);
  });

  test("may not write to a file, nor make one", async () => {
    await refuses(["copy", "zero:8MiB", file], denied, nobody);
    await refuses(["copy", file, workspace.path("new.img")], denied, nobody);
    expect(existsSync(workspace.path("new.img"))).toBe(false);
  });

  test("may not open a device", async () => {
    const { path: device } = await loops.attachNew(workspace.path("others"), MiB);
    const { hint } = await refuses(["info", device], denied, nobody);
    expect(hint).toMatch(/root or the group/);
  });
});

describe("a target that is the source", () => {
  const refusal = { status: 4, code: "ERR_SAME_VOLUME", says: /are the same volume/ };

  test("by another path, a link of either kind, another scheme", async () => {
    const soft = workspace.path("soft.img");
    const hard = workspace.path("hard.img");
    symlinkSync(file, soft);
    linkSync(file, hard);
    const relative = path.relative(process.cwd(), file);
    for (const other of [file, relative, soft, hard, `file:${file}`, `file://${file}`]) {
      await refuses(["copy", file, other], refusal);
    }
  });

  test("by a loop device over it, and between two such devices", async () => {
    const one = await loops.attach(file);
    const two = await loops.attach(file, { sectorSize: 4096 });
    await refuses(["copy", file, one.path], refusal);
    await refuses(["copy", one.path, file], refusal);
    await refuses(["copy", one.path, two.path], refusal);
    await refuses(["copy", one.path, one.path], refusal);
  });

  test("by a loop device over a loop device", async () => {
    const one = await loops.attach(file);
    const two = await loops.attach(one.path);
    await refuses(["copy", file, two.path], refusal);
    await refuses(["copy", two.path, one.path], refusal);
    await loops.detach(two);
  });

  test("in part: a piece of a file, a partition of a disk", async () => {
    const overlap = { ...refusal, says: /overlap/ };
    const backing = workspace.path("partitioned");
    writeFileSync(backing, Buffer.concat([content, content]));
    const disk = await loops.attach(backing);
    const piece = await loops.attach(backing, { offset: 64 * 1024, size: 4 * MiB });
    const sectors = (bytes: number) => String(bytes / 512);
    execFileSync("addpart", [disk.path, "1", sectors(MiB), sectors(4 * MiB)]);
    execFileSync("addpart", [disk.path, "2", sectors(8 * MiB), sectors(4 * MiB)]);
    const [first, second] = [`${disk.path}p1`, `${disk.path}p2`];
    const before = readFileSync(backing);
    for (const [source, target] of [
      [piece.path, backing],
      [piece.path, disk.path],
      [first, disk.path],
      [first, backing],
    ] as const) {
      // The target begins before the source, and reaches into it.
      await refuses(["copy", source, target], overlap);
    }
    expect(readFileSync(backing).equals(before)).toBe(true);
    // Neighbours on one disk are different volumes.
    expect(await blockhaul(["copy", "-q", first, second])).toMatchObject({ status: 0, stderr: "" });
    execFileSync("cmp", [first, second]);
    for (const number of ["1", "2"]) execFileSync("delpart", [disk.path, number]);
  });

  test("but a copy between two files of the same content is none", async () => {
    const twin = workspace.path("twin.img");
    writeFileSync(twin, content);
    expect(await blockhaul(["copy", "-q", file, twin])).toMatchObject({ status: 0 });
  });
});

describe("a target that cannot take it", () => {
  test("a smaller device", async () => {
    const { path: device } = await loops.attachNew(workspace.path("small"), 8 * MiB - 512);
    await refuses(["copy", file, device], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /target \/dev\/loop\d+: its 8388096 bytes are fewer than the source's 8388608/,
    });
  });

  test("a write-protected device", async () => {
    const backing = workspace.path("protected");
    writeFileSync(backing, "");
    truncateSync(backing, 8 * MiB);
    const { path: device } = await loops.attach(backing, { readOnly: true });
    await refuses(["copy", file, device], {
      status: 4,
      code: "ERR_READ_ONLY",
      says: /target \/dev\/loop\d+: /,
    });
    expect(await blockhaul(["copy", "-q", device, "null:"])).toMatchObject({ status: 0 });
  });

  test("a read-only file system", async () => {
    const place = mount(workspace.path("read-only"), "-t", "tmpfs", "-o", "ro", "tmpfs");
    await refuses(["copy", file, path.join(place, "new.img")], {
      status: 4,
      code: "ERR_READ_ONLY",
      says: /Read-only file system/,
    });
  });

  test("a mounted device", async () => {
    const { path: device } = await loops.attachNew(workspace.path("mounted"), 16 * MiB);
    execFileSync("mkfs.ext4", ["-q", device]);
    mount(workspace.path("mount"), device);
    await refuses(["copy", file, device], {
      status: 4,
      code: "ERR_IN_USE",
      says: /target \/dev\/loop\d+: .*busy/,
    });
    // Nobody is kept from reading it.
    expect(await blockhaul(["info", device])).toMatchObject({ status: 0 });
  });

  test("a file system whose files cannot be that large", async () => {
    await refuses(["copy", "zero:7PiB", workspace.path("huge.img")], {
      status: 2,
      code: "ERR_INVALID_ARGUMENT",
      says: /File too large/,
    });
    expect(existsSync(workspace.path("huge.img"))).toBe(false);
  });

  describe.each(["uring", "threads"])("a disk that fills up in mid-copy, %s", (io) => {
    const full = {
      status: 1,
      code: "ERR_NO_SPACE",
      says: /target .*: (write|zero|flush)( at offset \d+)?: No space left on device/,
    };

    test("under a new file", async () => {
      const place = mount(workspace.path(`full-${io}`), "-t", "tmpfs", "-o", "size=4m", "tmpfs");
      const copy = path.join(place, "copy.img");
      const event = await refuses(["copy", file, copy], full, { env: { BLOCKHAUL_IO: io } });
      expect(event).toMatchObject({ side: "target", errnoName: "ENOSPC" });
      expect(event.hint).toMatch(/make room/);
    });

    test("under a device", async () => {
      const options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
      const place = mount(workspace.path(`full-device-${io}`), ...options);
      const device = await loops.attachNew(path.join(place, "backing"), 8 * MiB);
      const event = await refuses(["copy", file, device.path], full, { env: { BLOCKHAUL_IO: io } });
      expect(event).toMatchObject({ side: "target", operation: "write" });
      await loops.detach(device);
    });
  });
});

describe("settings that make no sense", () => {
  test.each<[string, string, RegExp]>([
    ["BLOCKHAUL_IO", "fibres", /BLOCKHAUL_IO is "fibres": say uring or threads/],
    ["BLOCKHAUL_MEMORY", "-1", /BLOCKHAUL_MEMORY: "-1" is not a size/],
    ["BLOCKHAUL_REQUESTS", "0", /BLOCKHAUL_REQUESTS: "0" is not a whole number/],
  ])("%s=%s", async (name, value, says) => {
    const { stderr, status } = await blockhaul(["copy", file, "null:"], { env: { [name]: value } });
    expectClear(stderr, says);
    expect(status).toBe(2);
  });

  test.each([
    ["--memory", "1e9"],
    ["--memory", "99999PiB"],
    ["--request-size", "1000"],
    ["--requests", "1.5"],
    ["--threads", "65"],
    ["--bwlimit", "fast"],
    ["--digest", "crc32"],
    ["--progress", "loud"],
  ])("%s %s", async (flag, value) => {
    const { stderr, status } = await blockhaul(["copy", flag, value, file, "null:"]);
    expectClear(stderr, new RegExp(`${flag.slice(2)}|${flag.slice(2, 9)}`, "i"));
    expect(status).toBe(2);
  });
});

describe("rbd:", () => {
  let pool: RbdPool;
  let oracle: Oracle;

  beforeAll(async () => {
    pool = await RbdPool.create(inject("cephConf"), "bad-input");
    oracle = new Oracle({ conf: pool.conf, pool: pool.name });
    await oracle.create("disk", 8 * MiB);
    await oracle.write({ image: "disk" }, file, [[0, 8 * MiB]]);
    await oracle.change("disk", ["snapshot", "before"]);
    await oracle.create("small", 8 * MiB - 1);
  });

  afterAll(async () => {
    await oracle?.[Symbol.asyncDispose]();
    await pool?.[Symbol.asyncDispose]();
  });

  /** A ref into the pool with further options. */
  const ref = (image: string, ...options: string[]) => [pool.ref(image), ...options].join(":");

  test.each<[string, RegExp]>([
    ["rbd:", /empty name/],
    ["rbd:/x", /empty name/],
    ["rbd:pool/", /empty name/],
    ["rbd:a/b/c/d", /more than POOL\/NAMESPACE\/IMAGE/],
    ["rbd:a@", /empty snapshot/],
    ["rbd:a@b@c", /more than one @/],
    ["rbd:a@b/c", /slash in its snapshot/],
    ["rbd:a:b", /malformed option "b"|without a value/],
    ["rbd:a:conf=", /conf without a value/],
    ["rbd:a:conf=x:conf=y", /conf twice/],
    ["rbd:a:timeout=soon", /timeout of "soon"/],
    ["rbd:a\\", /ends in a backslash/],
  ])("malformed: %s", async (malformed, says) => {
    const refusal = { status: 2, code: "ERR_INVALID_REF", says };
    await refuses(["info", malformed], refusal);
    await refuses(["copy", file, malformed], refusal);
  });

  test("what does not exist is named", async () => {
    const conf = `conf=${pool.conf}`;
    for (const [missing, says] of [
      [`rbd:nopool/x:${conf}`, /pool "nopool" does not exist/],
      [`rbd:${pool.name}/none/x:${conf}`, /namespace "none" of pool .* does not exist/],
      [ref("none"), /image "none" does not exist/],
      [ref("none@s"), /image "none" does not exist/],
      [ref("disk@after"), /snapshot "after" does not exist/],
    ] as const) {
      await refuses(["copy", missing, "null:"], { status: 3, code: "ERR_NOT_FOUND", says });
    }
    const create = ["copy", "--create", file, `rbd:nopool/x:${conf}`];
    await refuses(create, { status: 3, code: "ERR_NOT_FOUND", says: /target .*pool "nopool"/ });
  });

  test("a target that is too small, a snapshot, the source, or there already", async () => {
    await refuses(["copy", file, ref("small")], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /its 8388607 bytes are fewer/,
    });
    await refuses(["copy", file, ref("disk@before")], {
      status: 4,
      code: "ERR_READ_ONLY",
      says: /a snapshot cannot be written to/,
    });
    const samePlace = `rbd:${pool.name}/disk:id=admin:conf=${pool.conf}`;
    await refuses(["copy", ref("disk"), samePlace], {
      status: 4,
      code: "ERR_SAME_VOLUME",
      says: /are the same volume/,
    });
    await refuses(["copy", "--create", file, ref("disk")], {
      status: 4,
      code: "ERR_EXISTS",
      says: /image "disk" exists already/,
    });
    expect(await oracle.compare({ image: "disk" }, file, 8 * MiB)).toBeNull();
  });

  describe("a cluster that does not let us in", () => {
    function keyring(name: string, text: string, mode = 0o644): string {
      const place = workspace.path(name);
      writeFileSync(place, text, { mode });
      return place;
    }
    const newKey = () =>
      execFileSync("ceph-authtool", ["--gen-print-key"], { encoding: "utf8" }).trim();

    test("by the wrong key, which is not shown", async () => {
      const key = newKey();
      const place = keyring("wrong.keyring", `[client.admin]\n\tkey = ${key}\n`);
      for (const args of [
        ["info", ref("disk", `keyring=${place}`)],
        ["copy", file, ref("disk", `keyring=${place}`)],
      ]) {
        const event = await refuses(args, {
          status: 1,
          code: "ERR_AUTHENTICATION",
          says: /client\.admin/,
        });
        expect(JSON.stringify(event)).not.toContain(key);
      }
    });

    test("by a keyring that is missing, unreadable, or another user's", async () => {
      const other = keyring("other.keyring", `[client.other]\n\tkey = ${newKey()}\n`);
      const none = workspace.path("none.keyring");
      const refusal = { status: 1, code: "ERR_AUTHENTICATION" };
      await refuses(["info", ref("disk", `keyring=${none}`)], {
        ...refusal,
        says: /there is no keyring for client\.admin at .*none\.keyring/,
      });
      await refuses(["info", ref("disk", `keyring=${other}`)], {
        ...refusal,
        says: /other\.keyring has no key for client\.admin/,
      });
    });

    test("by an unknown user with a key of its own", async () => {
      const place = keyring("ghost.keyring", `[client.ghost]\n\tkey = ${newKey()}\n`);
      await refuses(["info", ref("disk", "id=ghost", `keyring=${place}`)], {
        status: 1,
        code: "ERR_AUTHENTICATION",
        says: /client\.ghost/,
      });
    });

    test("by a configuration that is missing, or nonsense", async () => {
      await refuses(["info", "rbd:disk:conf=/no/ceph.conf"], {
        status: 3,
        code: "ERR_NOT_FOUND",
        says: /\/no\/ceph\.conf: No such file/,
      });
      const nonsense = keyring("nonsense.conf", "[global\nmon host = ");
      await refuses(["info", `rbd:disk:conf=${nonsense}`], {
        status: 2,
        code: "ERR_INVALID_ARGUMENT",
        says: /nonsense\.conf has an error/,
      });
    });
  });

  describe("a monitor that does not answer", () => {
    const sockets: Socket[] = [];
    let server: Server;
    let port: number;

    beforeAll(async () => {
      server = createServer((socket) => sockets.push(socket));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      port = (server.address() as AddressInfo).port;
    });

    afterAll(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });

    const at = (address: string) => ref("disk", `mon_host=${address.replaceAll(":", "\\:")}`);

    test.each([
      ["on a closed port", () => "127.0.0.1:1"],
      ["on a port that says nothing", () => `v1:127.0.0.1:${port}`],
      ["on a port that says nothing, by the second protocol", () => `v2:127.0.0.1:${port}`],
    ])("%s is given up within the deadline", async (_what, address) => {
      const begin = Date.now();
      const { status, stderr } = await blockhaul(["copy", file, at(address())], {
        env: { BLOCKHAUL_CEPH_TIMEOUT: "2" },
      });
      expectClear(stderr, /target rbd:.*: no monitor .*answered within 2 s/);
      expect(status).toBe(5);
      expect(Date.now() - begin).toBeLessThan(12_000);
    });

    test("ends at once when told to", async () => {
      const connected = new Promise((resolve) => server.once("connection", resolve));
      const command = new RunningCommand(["copy", at(`v1:127.0.0.1:${port}`), "null:"]);
      await connected;
      command.process.kill("SIGTERM");
      const { status, stderr } = await command.ended;
      expect(status).toBe(143);
      expect(stderr).toMatch(/^blockhaul: stopped before the copy began$/m);
    });
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s in mid-copy ends with %i, and leaves the source alone", async (name, status) => {
    for (const [from, to] of [
      [ref("disk@before"), workspace.path(`stopped-${name}`)],
      [file, ref("disk")],
    ] as const) {
      const command = new RunningCommand([
        "copy",
        "--progress",
        "json",
        "--bwlimit",
        "512KiB",
        "--request-size",
        "64KiB",
        from,
        to,
      ]);
      await command.said(/"state":"copying".*"done":[1-9]/);
      command.process.kill(name);
      const ended = await command.ended;
      expect(ended).toMatchObject({ status, signal: null, stdout: "" });
      expect(ended.stderr).toMatch(
        /^blockhaul: stopped; the target .* is incomplete: .* of 8 MiB/m,
      );
    }
    const snapshot = { image: "disk", snapshot: "before" };
    expect(await oracle.compare(snapshot, file, 8 * MiB)).toBeNull();
  });

  test("without librbd names the package, and everything else works", async () => {
    const env = { BLOCKHAUL_LIBRBD: "/no/librbd.so.1" };
    const missing = {
      status: 8,
      code: "ERR_DRIVER_UNAVAILABLE",
      says: /install the package librbd1/,
    };
    await refuses(["copy", file, ref("disk")], missing, { env });
    await refuses(["copy", "--create", ref("disk"), workspace.path("never.img")], missing, { env });
    const { path: device } = await loops.attachNew(workspace.path("without-librbd"), 8 * MiB);
    expect(await blockhaul(["copy", "-q", file, device], { env })).toMatchObject({ status: 0 });
    execFileSync("cmp", [file, device]);
    expect(await blockhaul(["drivers"], { env })).toMatchObject({ status: 0 });
  });
});
