/** A volume that is opened as a snapshot of itself: it does not change, and nothing stays behind, not even after a kill. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { openVolume } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { blockhaul, RunningCommand } from "../support/command.js";
import { RbdPool } from "../support/rbd-pool.js";
import { StateDirectory } from "../support/state-directory.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 16 * MiB;
const workspace = new Workspace();
const state = new StateDirectory();
const content = workspace.path("content");
let pool: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "snapshot");
  writeFileSync(content, randomBytes(SIZE));
});
afterAll(async () => {
  workspace[Symbol.dispose]();
  state[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

async function newImage(): Promise<string> {
  count += 1;
  await pool.rbd("import", "--no-progress", content, `image-${count}`);
  return `image-${count}`;
}

const snapshotsOf = async (image: string): Promise<{ name: string }[]> =>
  JSON.parse(await pool.rbd("snap", "ls", "--format", "json", image));

describe("an image opened as a snapshot", () => {
  it("holds what it held, and the snapshot goes with the close", async () => {
    const image = await newImage();
    const snapshot = await openVolume(pool.ref(image), { snapshot: true });
    expect(await snapshotsOf(image)).toMatchObject([
      { name: expect.stringMatching(/^blockhaul-snap-[0-9a-f]{12}$/) },
    ]);
    expect(state.records).toMatchObject([{ steps: [{ kind: "rbd-snapshot" }] }]);
    {
      await using head = await openVolume(pool.ref(image), { mode: "write" });
      await head.write(Buffer.alloc(SIZE), { position: 0 });
    }
    expect(snapshot.info.snapshot).toBe(true);
    const buffer = Buffer.alloc(SIZE);
    await snapshot.read(buffer, { position: 0 });
    writeFileSync(workspace.path("read"), buffer);
    execFileSync("cmp", [content, workspace.path("read")]);
    await snapshot.close();
    expect(await snapshotsOf(image)).toEqual([]);
    expect(state.files).toEqual([]);
  });

  it("leaves nothing where there is no such image, and takes none of a snapshot", async () => {
    await expect(openVolume(pool.ref("none"), { snapshot: true })).rejects.toMatchObject({
      code: "ERR_NOT_FOUND",
    });
    const image = await newImage();
    await pool.rbd("snap", "create", "--no-progress", `${image}@then`);
    await using _ = await openVolume(pool.ref(`${image}@then`), { snapshot: true });
    expect(await snapshotsOf(image)).toMatchObject([{ name: "then" }]);
    expect(state.files).toEqual([]);
  });

  it("is what --snapshot copies", async () => {
    const [image, target] = [await newImage(), workspace.path("copy.img")];
    const ended = await blockhaul(["copy", "--snapshot", pool.ref(image), target]);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    execFileSync("cmp", [content, target]);
    expect(await snapshotsOf(image)).toEqual([]);
  });
});

describe("a copy of a snapshot that is killed", () => {
  it("leaves a snapshot that `cleanup` knows and removes, whatever its environment", async () => {
    const image = await newImage();
    const args = ["copy", "--snapshot", "--bwlimit", "1MiB", `rbd:${pool.name}/${image}`];
    const env = { CEPH_ARGS: `--id admin -c ${pool.conf}`, BLOCKHAUL_STATE_DIR: state.folder };
    const copy = new RunningCommand([...args, workspace.path("killed.img"), "--json"], { env });
    await copy.said(/"type":"progress"/);
    const [taken] = await snapshotsOf(image);
    expect(taken?.name).toMatch(/^blockhaul-snap-/);
    copy.process.kill("SIGKILL");
    await copy.ended;
    const mine = { env: { BLOCKHAUL_STATE_DIR: state.folder, CEPH_CONF: "/nonexistent" } };
    const { stdout } = await blockhaul(["attachments", "--verbose"], mine);
    expect(stdout).toContain(`@${taken?.name}`);
    expect(await snapshotsOf(image)).toHaveLength(1);
    const cleaned = await blockhaul(["cleanup"], mine);
    expect(cleaned).toMatchObject({ status: 0 });
    expect(await snapshotsOf(image)).toEqual([]);
    expect(state.files.filter((name) => name.endsWith(".json"))).toEqual([]);
  });

  it("leaves a record of what is not there any more, or never was", async () => {
    const image = await newImage();
    const step = (ref: string) => ({ kind: "rbd-snapshot", data: { ref } });
    const at = (spec: string) => pool.ref(spec).replaceAll("/tmp", "\\/tmp");
    state.put({ id: "0123456789ab", steps: [step(at(`${image}@blockhaul-snap-gone`))] });
    state.put({ id: "0123456789ac", steps: [step(at("none@blockhaul-snap-gone"))] });
    // Not by a name of ours: left alone.
    await pool.rbd("snap", "create", "--no-progress", `${image}@theirs`);
    state.put({ id: "0123456789ad", steps: [step(at(`${image}@theirs`))] });
    const env = { BLOCKHAUL_STATE_DIR: state.folder };
    expect(await blockhaul(["cleanup"], { env })).toMatchObject({ status: 0 });
    expect(await snapshotsOf(image)).toMatchObject([{ name: "theirs" }]);
    expect(state.records).toEqual([]);
  });
});
