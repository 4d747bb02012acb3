import { readdirSync, writeFileSync } from "node:fs";
import { copyVolume, findResumable, listJobs, openVolume, removeJob, showJob } from "blockhaul";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import { Job } from "../../../src/jobs/job.js";
import type { EndState } from "../../../src/jobs/record.js";
import { JobStore } from "../../../src/jobs/store.js";
import { pruneJobs } from "../../../src/jobs.js";
import { jobOptions } from "../../support/job-options.js";
import { Workspace } from "../../support/workspace.js";

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

let count = 0;
let stateDirectory: string;
let store: JobStore;
beforeEach(() => {
  stateDirectory = workspace.path(`state-${++count}`);
  store = new JobStore(stateDirectory);
});

const end = (identity: string) => ({ ref: identity, identity, size: 5, blockSize: 1 });

/** A job that ended, or was killed. */
async function makeJob(target: string, state?: EndState, size = 5): Promise<string> {
  const job = await Job.create(
    store,
    { source: end("file:0:0"), target: end(target), options: jobOptions },
    { size, digest: "xxh3" },
    { client: undefined, sourceStamp: undefined },
  );
  if (state !== undefined) await job.end(state);
  job.close();
  return job.id;
}

describe("old jobs", () => {
  it("that can never go on are removed, the oldest first; others never", async () => {
    const made: string[] = [];
    const kinds = ["done", "failed", "superseded", undefined, "interrupted", "done", "done"];
    for (const [index, kind] of kinds.entries()) {
      made.push(await makeJob(`file:1:${index}`, kind as EndState | undefined));
    }
    const [first, failed, superseded, killed, interrupted, , last] = made;
    await pruneJobs(store, 2, 0);
    const left = await store.ids();
    expect(left).toHaveLength(5);
    expect(left).toEqual(expect.arrayContaining([failed, killed, interrupted, last]));
    expect(left).not.toContain(first);
    expect(left).not.toContain(superseded);
    await pruneJobs(store, 2, 0);
    expect(await store.ids()).toHaveLength(5);
  });

  it("are removed after 90 days, however few there are; others never", async () => {
    const day = 24 * 3600 * 1000;
    const done = await makeJob("file:1:1", "done");
    const killed = await makeJob("file:1:2");
    const failed = await makeJob("file:1:3", "failed");
    await pruneJobs(store, 200, 50, Date.now() + 89 * day);
    expect(await store.ids()).toContain(done);
    await pruneJobs(store, 200, 50, Date.now() + 91 * day);
    const left = await store.ids();
    expect(left.sort()).toEqual([killed, failed].sort());
  });

  it("are removed by a later copy, many at a time: two hundred stay", async () => {
    for (let index = 0; index < 253; index += 1) await makeJob(`file:2:${index}`, "done");
    const oldest = (await listJobs({ stateDirectory })).slice(0, 53).map(({ id }) => id);
    await using source = await openVolume("pattern:64KiB");
    await using target = await openVolume(workspace.path("target.img"), {
      mode: "write",
      create: { size: 65536 },
    });
    const { job } = await copyVolume(source, target, { journal: true, stateDirectory });
    const left = await store.ids();
    expect(left).toHaveLength(201);
    expect(left).toContain(job);
    expect(left.filter((id) => oldest.includes(id))).toEqual([]);
  });
});

describe("a job between two volumes", () => {
  it("is found by what they are, as long as it can go on", async () => {
    const image = workspace.path("image");
    writeFileSync(image, Buffer.alloc(65536));
    await using source = await openVolume("pattern:64KiB");
    await using larger = await openVolume("pattern:128KiB");
    await using target = await openVolume(image, { mode: "write" });
    const place = { stateDirectory };
    expect(await findResumable(source, target, place)).toBeUndefined();
    const stopped = copyVolume(source, target, {
      journal: true,
      stateDirectory,
      onJob: () => {
        throw new Error("stop here");
      },
    });
    await expect(stopped).rejects.toThrow("stop here");
    const [job] = await listJobs(place);
    expect((await findResumable(source, target, place))?.id).toBe(job?.id);
    expect(await findResumable(larger, target, place)).toBeUndefined();
    await copyVolume(source, target, { journal: true, stateDirectory });
    expect(await findResumable(source, target, place)).toBeUndefined();
    expect(await showJob(job?.id ?? "", place)).toMatchObject({ state: "superseded" });
  });

  it("is not gone on with where its journal and its record are not of one copy", async () => {
    const id = await makeJob("file:4:0", undefined, 4096);
    await expect(Job.open(store, id)).rejects.toMatchObject({
      code: "ERR_JOURNAL",
      message: expect.stringContaining(
        "it was damaged: it is about 4096 bytes from 0 on, and its source has 5",
      ),
    });
  });

  it("is removed with all that was said to it", async () => {
    const id = await makeJob("file:3:0", "failed");
    writeFileSync(store.controlOf(id), "{}");
    await removeJob(id.slice(0, 7), { stateDirectory });
    expect(readdirSync(store.folder).filter((name) => name.startsWith(id))).toEqual([]);
    await expect(showJob(id, { stateDirectory })).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
  });
});
