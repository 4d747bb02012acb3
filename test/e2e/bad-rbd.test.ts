/** What a cluster refuses, or never answers, and a host without librbd; on a real Ceph. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { blockhaul, RunningCommand } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { Oracle } from "../support/oracle.js";
import { RbdPool } from "../support/rbd-pool.js";
import { expectClear, refuses, UntouchedFile } from "../support/refusals.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const source = new UntouchedFile(workspace.path("disk.img"), 8 * MiB);
const { path: file } = source;

afterEach(() => source.check());
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
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

  test("what is refused leaves no image behind, and a dry run makes none", async () => {
    const target = ref("never");
    const many = { status: 2, code: "ERR_INVALID_ARGUMENT", says: /--requests: .* 4096/ };
    await refuses(["copy", "--create", "--requests", "5000", file, target], many);
    const plan = await blockhaul(["copy", "--create", "--dry-run", file, target]);
    expect(plan).toMatchObject({ status: 0, stderr: "" });
    expect(plan.stdout).toContain("a new volume (now: rbd:");
    expect(plan.stdout).toContain('image "never" does not exist)');
    expect(await pool.rbd("ls")).not.toContain("never");
  });

  test("a target that is too small, a snapshot, the source, or there already", async () => {
    await refuses(["copy", file, ref("small")], {
      status: 4,
      code: "ERR_TARGET_TOO_SMALL",
      says: /\(8388607 bytes\), less than/,
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

    test("by a keyring that is missing, of a monitor that is named by its address, at once", async () => {
      const conf = readFileSync(pool.conf, "utf8");
      const monitor = /v1:([\d.]+:\d+)/.exec(conf)?.[1] ?? /([\d.]+:\d+)/.exec(conf)?.[1] ?? "";
      const none = workspace.path("none.keyring");
      const env = { CEPH_CONF: "/dev/null", CEPH_ARGS: undefined };
      const address = monitor.replaceAll(":", "\\:");
      const began = performance.now();
      const { status, stderr } = await blockhaul(
        ["info", `rbd:${pool.name}/disk:mon_host=${address}:keyring=${none}`],
        { env },
      );
      expect({ status, stderr }).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`there is no keyring for client.admin at ${none}`),
      });
      // Far from the 30 seconds that a monitor has to answer.
      expect(performance.now() - began).toBeLessThan(25_000);
    });

    test("by capabilities that do not reach the parent, which is named", async () => {
      const parents = await RbdPool.create(pool.conf, "bad-parents");
      try {
        await parents.rbd("create", "--size", "8M", "golden");
        await parents.rbd("snap", "create", "--no-progress", "golden@base");
        await parents.rbd(
          ...["clone", "--rbd-default-clone-format", "2"],
          ...[`${parents.name}/golden@base`, `${pool.name}/child`],
        );
        const user = `client.${pool.name}-child`;
        const capabilities = ["mon", "profile rbd", "osd", `profile rbd pool=${pool.name}`];
        await pool.ceph("auth", "add", user, ...capabilities);
        const place = keyring("child.keyring", await pool.ceph("auth", "get", user));
        const { id } = JSON.parse(await parents.rbd("info", "--format", "json", "golden"));
        await refuses(["info", ref("child", `id=${pool.name}-child`, `keyring=${place}`)], {
          status: 1,
          code: "ERR_PERMISSION",
          says: new RegExp(
            `may not read the parent of image "child": the image with the id "${id}" in pool "${parents.name}"`,
          ),
        });
        await pool.ceph("auth", "rm", user);
        await pool.rbd("rm", "--no-progress", "child");
      } finally {
        await parents[Symbol.asyncDispose]();
      }
    });

    test.each([24, 32, 40])("while so few files may be open: %d", async (most) => {
      const under = ["prlimit", `--nofile=${most}`];
      const { status, signal, stderr } = await blockhaul(["info", ref("disk")], { under });
      expect({ status, signal }).toEqual({ status: 5, signal: null });
      expect(stderr).toMatch(/librados needs 32 more than there are now: raise `ulimit -n`/);
    });

    test("by a key that is none", async () => {
      const refusal = { status: 1, code: "ERR_AUTHENTICATION" };
      const place = keyring("nonsense.keyring", "[client.admin]\n\tkey = sesame\n");
      await refuses(["info", ref("disk", `keyring=${place}`)], {
        ...refusal,
        says: /key of client\.admin is malformed, in the keyring .*nonsense\.keyring$/,
      });
      const keyFile = keyring("nonsense.key", "sesame\n");
      await refuses(["info", ref("disk", `keyfile=${keyFile}`)], {
        ...refusal,
        says: /key of client\.admin is malformed, in the key file .*nonsense\.key$/,
      });
    });

    test("by capabilities that do not allow it", async () => {
      const user = `client.${pool.name}-reader`;
      const capabilities = ["mon", "profile rbd", "osd", "profile rbd-read-only"];
      await pool.ceph("auth", "add", user, ...capabilities);
      const place = keyring("reader.keyring", await pool.ceph("auth", "get", user));
      const disk = ref("disk", `id=${pool.name}-reader`, `keyring=${place}`);
      expect(await blockhaul(["info", disk])).toMatchObject({ status: 0 });
      const { hint } = await refuses(["copy", file, disk], {
        status: 1,
        code: "ERR_PERMISSION",
        says: /reader may not open image "disk"/,
      });
      expect(hint).toContain(`ceph auth get ${user}`);
      await pool.ceph("auth", "rm", user);
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
      const ended = await blockhaul(["copy", file, at(address())], {
        env: { BLOCKHAUL_CEPH_TIMEOUT: "2" },
      });
      expectClear(ended, /target rbd:.*: no monitor .*answered within 2 s/);
      expect(ended.status).toBe(5);
    });

    test("has an address, or that is said at once", async () => {
      const ended = await blockhaul(["info", at("no such host")]);
      // librados writes lines of its own beside it, on stdout too.
      expect(ended.stderr).toMatch(
        /^blockhaul: rbd:.*: no monitor's address can be made of "no such host" \(mon_host\)$/m,
      );
      expect(ended).toMatchObject({ status: 5, signal: null });
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
    await refuses(["info", "rbd:a"], missing, { env });
    await refuses(["copy", file, ref("disk")], missing, { env });
    await refuses(["copy", "--create", ref("disk"), workspace.path("never.img")], missing, { env });
    const { path: device } = await loops.attachNew(workspace.path("without-librbd"), 8 * MiB);
    expect(await blockhaul(["copy", "-q", file, device], { env })).toMatchObject({ status: 0 });
    execFileSync("cmp", [file, device]);
    expect(await blockhaul(["drivers"], { env })).toMatchObject({ status: 0 });
  });
});
