/** The control path on a cluster whose storage answers nothing: given up in time, and nothing comes of it later. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import {
  createSnapshot,
  deleteVolume,
  listVolumes,
  openVolume,
  registerBackend,
  renameVolume,
  resizeVolume,
} from "blockhaul";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { rbdDriver } from "../../src/drivers/rbd.js";
import { waitFor } from "../../src/system/wait.js";
import { SecondCeph } from "../support/second-ceph.js";

const execute = promisify(execFile);
const MiB = 1024 ** 2;
const SIZE = 64 * MiB;
const TIMEOUT = 2;
let cluster: SecondCeph;
let settings: string;

const tool = async (name: string, ...args: readonly string[]) =>
  (await execute(name, ["-c", cluster.conf, ...args])).stdout;
const ref = (image: string) => `rbd:${image}${settings}`;
const snapshotsOf = async (image: string): Promise<unknown[]> =>
  JSON.parse(await tool("rbd", "snap", "ls", "--format", "json", image));

const countThreads = () => readdirSync("/proc/self/task").length;

/** While something is done, requests to the storage are kept waiting. */
async function whilePaused(action: () => Promise<void>): Promise<void> {
  await tool("ceph", "osd", "pause");
  try {
    await action();
  } finally {
    await tool("ceph", "osd", "unpause");
  }
}

const unanswered = () =>
  expect.objectContaining({
    code: "ERR_UNREACHABLE",
    message: expect.stringContaining(`did not answer within ${TIMEOUT} s`),
  });

beforeAll(async () => {
  cluster = await SecondCeph.start();
  settings = `:conf=${cluster.conf}:timeout=${TIMEOUT}`;
  await tool("rbd", "create", "--size", `${SIZE}B`, "disk");
  await registerBackend("hung", {
    driver: "rbd",
    pool: "rbd",
    conf: cluster.conf,
    timeout: TIMEOUT,
  });
  await using volume = await openVolume(ref("disk"), { mode: "write" });
  await volume.write(Buffer.alloc(SIZE, 7), { position: 0 });
  await tool("rbd", "snap", "create", "--no-progress", "disk@then");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe("storage that answers nothing", () => {
  it("is given up by all that asks it, and nothing is done later that was reported as failed", async () => {
    await tool("rbd", "create", "--size", "8M", "removable");
    await listVolumes("hung");
    const before = countThreads();
    await whilePaused(async () => {
      const disk = rbdDriver.parseRef(ref("disk"));
      const asked = [
        listVolumes("hung"),
        deleteVolume(ref("removable")),
        renameVolume(ref("disk"), "renamed"),
        resizeVolume(ref("disk"), 2 * SIZE),
        rbdDriver.listSnapshots?.(disk),
        rbdDriver.changedExtents?.(disk, "then"),
      ];
      await Promise.all(asked.map((one) => expect(one).rejects.toEqual(unanswered())));
    });
    // What hung goes on, each on a thread of its own, and closes what it opened.
    const isQuiet = async () => (countThreads() <= before ? true : undefined);
    expect(await waitFor(isQuiet, { deadlineMs: 240_000 })).toBe(true);
    expect((await tool("rbd", "ls")).split("\n")).toEqual(["disk", "removable", ""]);
    expect(JSON.parse(await tool("rbd", "info", "--format", "json", "disk")).size).toBe(SIZE);
  });

  it("takes no snapshot later that nobody waits for", async () => {
    await whilePaused(async () => {
      await expect(createSnapshot(ref("disk"), { name: "late" })).rejects.toEqual(unanswered());
    });
    const isGone = async () => ((await snapshotsOf("disk")).length === 1 ? true : undefined);
    expect(await waitFor(isGone, { deadlineMs: 240_000 })).toBe(true);
  });

  it("removes a clone that was given up, once it can", async () => {
    const slow = `${ref("clone")}:rbd_concurrent_management_ops=1`;
    const [from, to] = [ref("disk@then"), slow].map(rbdDriver.parseRef);
    const options = { size: SIZE, objectSize: 16 * 1024 };
    const way = from && to && (await rbdDriver.shortWay?.(from, to, options));
    let begun = () => {};
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const run = way?.run({ onProgress: (done) => done > 0 && begun() });
    const failure = expect(run).rejects.toMatchObject({
      code: "ERR_UNREACHABLE",
      message: expect.stringContaining('once it does, "clone" is removed'),
    });
    await isBegun;
    await whilePaused(async () => failure);
    const images = async () => (await tool("rbd", "ls")).split("\n");
    const isGone = async () => ((await images()).includes("clone") ? undefined : true);
    expect(await waitFor(isGone, { deadlineMs: 30_000 })).toBe(true);
    // Nothing of it holds on to the source.
    await tool("rbd", "snap", "rm", "--no-progress", "disk@then");
    await waitFor(async () => ((await snapshotsOf("disk")).length === 0 ? true : undefined), {
      deadlineMs: 240_000,
    });
    await deleteVolume(ref("disk"));
  });
});
