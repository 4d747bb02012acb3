/** The command on a real Ceph cluster: images, snapshots, settings, and what can be wrong with them. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { blockhaul, RunningCommand } from "../support/command.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const disk = workspace.path("disk.img");
let pool: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "cli");
  writeFileSync(disk, randomBytes(3_000_000));
  truncateSync(disk, 40 * MiB + 512);
});
afterAll(async () => {
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

const newImage = () => {
  count += 1;
  return `image-${count}`;
};
const environment = () => ({ CEPH_CONF: pool.conf });
const imageInfo = async (image: string) =>
  JSON.parse(await pool.rbd("info", "--format", "json", image));

/** What the cluster holds, by its own tool. */
function exported(image: string): Buffer {
  const args = ["-c", pool.conf, "-p", pool.name, "export", "--no-progress", image, "-"];
  return execFileSync("rbd", args, { maxBuffer: 100 * MiB });
}

/** Until librados is at work, by the names of its threads: after the command took over the signals. */
async function talksToMonitors(pid: number | undefined) {
  const tasks = `/proc/${pid}/task`;
  for (;;) {
    const names = readdirSync(tasks).map((task) => {
      try {
        return readFileSync(path.join(tasks, task, "comm"), "utf8");
      } catch {
        return ""; // it ended in the meantime
      }
    });
    if (names.some((name) => name.startsWith("msgr-worker"))) return;
    await sleep(20);
  }
}

describe("blockhaul copy with rbd:", () => {
  it("takes an image file to a new image and back, identical and thin", async () => {
    const image = newImage();
    const target = `rbd:${pool.name}/${image}`;
    const back = workspace.path("back.img");
    const env = environment();
    const there = await blockhaul(["copy", "--create", disk, target], { env });
    expect(there).toMatchObject({ status: 0, stderr: "" });
    expect(there.stdout).toMatch(/zeros skipped/);
    expect(exported(image).equals(readFileSync(disk))).toBe(true);
    const again = await blockhaul(["copy", target, back], { env });
    expect(again.status).toBe(0);
    execFileSync("cmp", [disk, back]);
    const digest = /xxh3:\w+/;
    expect(digest.exec(again.stdout)?.[0]).toBe(digest.exec(there.stdout)?.[0]);
    const { stdout } = await blockhaul(["info", "--json", target], { env });
    expect(JSON.parse(stdout).usage.data).toBeLessThanOrEqual(4 * MiB);
  });

  it("overwrites an existing image only when it is not told to create one", async () => {
    const image = newImage();
    await pool.rbd("create", "--size", `${48 * MiB}B`, image);
    const args = [disk, pool.ref(image)];
    const refused = await blockhaul(["copy", "--create", ...args]);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toMatch(/^blockhaul: target .*exists already\nhint: .*--create/);
    expect((await blockhaul(["copy", ...args])).status).toBe(0);
    expect(
      exported(image)
        .subarray(0, 40 * MiB + 512)
        .equals(readFileSync(disk)),
    ).toBe(true);
  });

  it("asks for --create where there is no image", async () => {
    const { status, stderr } = await blockhaul(["copy", disk, pool.ref("none")]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^blockhaul: target .*none.*does not exist\nhint: --create/);
    const dry = await blockhaul(["copy", "-n", "--create", disk, pool.ref("none")]);
    expect(dry.stdout).toContain("a new volume");
    expect(await pool.rbd("ls")).not.toContain("none");
  });

  it("creates an image as it is told", async () => {
    const image = newImage();
    const flags = ["--object-size", "8MiB", "--features", "layering,exclusive-lock"];
    const striped = ["--stripe-unit", "64KiB", "--stripe-count", "4"];
    const args = ["copy", "--create", ...flags, ...striped, disk, pool.ref(image)];
    expect(await blockhaul(args)).toMatchObject({ status: 0 });
    expect(await imageInfo(image)).toMatchObject({
      size: 40 * MiB + 512,
      object_size: 8 * MiB,
      features: expect.arrayContaining(["layering", "exclusive-lock"]),
      stripe_unit: 65536,
      stripe_count: 4,
    });
    expect(exported(image).equals(readFileSync(disk))).toBe(true);
  });

  it("puts the data into the data pool", async () => {
    await using data = await RbdPool.create(pool.conf, "cli-data");
    const image = newImage();
    const args = ["copy", "--create", "--data-pool", data.name, disk, pool.ref(image)];
    expect(await blockhaul(args)).toMatchObject({ status: 0 });
    expect(await imageInfo(image)).toMatchObject({ data_pool: data.name });
    await pool.rbd("rm", "--no-progress", image);
  });

  it("copies a snapshot as it was, in a namespace, too", async () => {
    await pool.rbd("namespace", "create", "--namespace", "team");
    const ref = `rbd:${pool.name}/team/disk`;
    const env = environment();
    expect(await blockhaul(["copy", "--create", disk, ref], { env })).toMatchObject({ status: 0 });
    await pool.rbd("snap", "create", "--no-progress", "--namespace", "team", "disk@before");
    await blockhaul(["copy", "pattern:40MiB:1", ref], { env });
    const back = workspace.path("snapshot.img");
    expect(await blockhaul(["copy", `${ref}@before`, back], { env })).toMatchObject({ status: 0 });
    execFileSync("cmp", [disk, back]);
    const written = await blockhaul(["copy", disk, `${ref}@before`], { env });
    expect(written.status).toBe(4);
    expect(written.stderr).toMatch(/a snapshot cannot be written to/);
    await pool.rbd("snap", "rm", "--no-progress", "--namespace", "team", "disk@before");
    await pool.rbd("rm", "--no-progress", "--namespace", "team", "disk");
    await pool.rbd("namespace", "remove", "--namespace", "team");
  });

  it("is the same image under every ref", async () => {
    const image = newImage();
    await pool.rbd("create", "--size", "4M", image);
    const env = environment();
    const other = `rbd:${pool.name}/${image}:id=admin`;
    const { status, stderr } = await blockhaul(["copy", other, pool.ref(image)], { env });
    expect(stderr).toMatch(/are the same volume/);
    expect(status).toBe(4);
  });
});

describe("the cluster that rbd: talks to", () => {
  it("is found by the ref, by CEPH_ARGS and by CEPH_CONF", async () => {
    const image = newImage();
    await pool.rbd("create", "--size", "4M", image);
    const ref = `rbd:${pool.name}/${image}`;
    const none = { CEPH_CONF: undefined, CEPH_ARGS: undefined };
    const statusWith = async (name: string, env: Record<string, string | undefined>) =>
      (await blockhaul(["info", name], { env: { ...none, ...env } })).status;
    expect(await statusWith(`${ref}:conf=${pool.conf}`, {})).toBe(0);
    expect(await statusWith(ref, { CEPH_CONF: pool.conf })).toBe(0);
    expect(await statusWith(ref, { CEPH_ARGS: `-c ${pool.conf} --id admin` })).toBe(0);
    // The ref wins over CEPH_ARGS, and that over CEPH_CONF.
    expect(await statusWith(`${ref}:conf=${pool.conf}`, { CEPH_ARGS: "-c /none" })).toBe(0);
    expect(await statusWith(ref, { CEPH_ARGS: "-c /none", CEPH_CONF: pool.conf })).not.toBe(0);
  });

  it("knows a user by id and keyring", async () => {
    const image = newImage();
    await pool.rbd("create", "--size", "4M", image);
    const user = `reader-${pool.name}`;
    const keyring = workspace.path("reader.keyring");
    const caps = ["mon", "profile rbd", "osd", `profile rbd-read-only pool=${pool.name}`];
    await pool.ceph("auth", "get-or-create", `client.${user}`, ...caps, "-o", keyring);
    const ref = `${pool.ref(image)}:id=${user}:keyring=${keyring}`;
    expect(await blockhaul(["info", ref])).toMatchObject({ status: 0 });
    const written = await blockhaul(["copy", "pattern:1MiB", ref]);
    expect(written.status).toBe(1);
    expect(written.stderr).toMatch(/^blockhaul: target /);
    await pool.ceph("auth", "rm", `client.${user}`);
  });
});

describe("what can be wrong with rbd:", () => {
  it.each<[string, (conf: string) => string, number, RegExp]>([
    ["an unknown pool", (conf) => `rbd:nopool/x:conf=${conf}`, 3, /pool "nopool" does not exist/],
    [
      "an unknown image",
      (conf) => `rbd:${pool.name}/none:conf=${conf}`,
      3,
      /image "none" does not exist/,
    ],
    ["an unknown user", (conf) => `rbd:x:id=nobody:conf=${conf}`, 1, /client\.nobody/],
    ["no configuration", () => "rbd:x:conf=/no/ceph.conf", 3, /\/no\/ceph\.conf: No such file/],
    ["an unknown option", (conf) => `rbd:x:colour=red:conf=${conf}`, 2, /colour/],
  ])("%s", async (_what, ref, status, message) => {
    const ended = await blockhaul(["info", ref(pool.conf)]);
    expect(ended.stderr).toMatch(/^blockhaul: /);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(ended.status).toBe(status);
  });

  it("a wrong key", async () => {
    const keyring = workspace.path("wrong.keyring");
    const key = execFileSync("ceph-authtool", ["--gen-print-key"], { encoding: "utf8" }).trim();
    writeFileSync(keyring, `[client.admin]\n\tkey = ${key}\n`);
    const { status, stderr } = await blockhaul(["info", `${pool.ref("x")}:keyring=${keyring}`]);
    expect(stderr).toMatch(/^blockhaul: .*client\.admin/);
    expect(stderr).not.toContain(key);
    expect(status).toBe(1);
  });

  const unreachable = "rbd:x:mon_host=127.0.0.1\\:1:timeout=2";

  it("no monitor within the deadline", async () => {
    const { status, stderr } = await blockhaul(["info", `${unreachable}:conf=${pool.conf}`]);
    expect(stderr).toMatch(/^blockhaul: .*no monitor .*answered within 2 s/);
    expect(status).toBe(5);
  });

  it("no monitor, and no patience either", async () => {
    const ref = `${unreachable.replace("=2", "=3600")}:conf=${pool.conf}`;
    const command = new RunningCommand(["copy", ref, "null:"]);
    await talksToMonitors(command.process.pid);
    command.process.kill("SIGINT");
    // It would wait an hour for the monitor.
    expect((await command.ended).status).toBe(130);
  });
});
