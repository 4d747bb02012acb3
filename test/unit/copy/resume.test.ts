import { copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { type CopyOptions, copyVolume, openVolume, resumeCopy } from "blockhaul";
import { afterAll, describe, expect, it } from "vitest";

import { JobStore } from "../../../src/jobs/store.js";
import { lockTarget } from "../../../src/jobs/target-lock.js";
import { flipByte } from "../../support/flip.js";
import { Random } from "../../support/random.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 24 * MiB + 513;
const workspace = new Workspace();
const stateDirectory = workspace.path("state");
afterAll(() => workspace[Symbol.dispose]());

const code = (name: string) => expect.objectContaining({ code: name });
let count = 0;

/** A copy within this process that was stopped on its way. */
async function cut(options: CopyOptions = {}) {
  count += 1;
  const [from, to] = [workspace.path(`${count}.source`), workspace.path(`${count}.target`)];
  writeFileSync(from, new Random(`copy-resume ${count}`).bytes(SIZE));
  await using source = await openVolume(from);
  await using target = await openVolume(to, { mode: "write", create: { size: SIZE } });
  const stop = new AbortController();
  let id = "";
  const copying = copyVolume(source, target, {
    bandwidthLimit: 100 * MiB,
    requestSize: 256 * 1024,
    ...options,
    journal: true,
    stateDirectory,
    onJob: (job) => {
      id = job;
    },
    progressIntervalMs: 5,
    onProgress: ({ done }) => {
      if (done > 13 * MiB) stop.abort();
    },
    signal: stop.signal,
  });
  await expect(copying).rejects.toEqual(code("ERR_CANCELLED"));
  return { id, from, to };
}

/** Goes on with a job, at full speed; what was dropped of it, and the report. */
async function resume(id: string) {
  let dropped: number | undefined;
  const report = await resumeCopy(id, {
    stateDirectory,
    bandwidthLimit: 0,
    onResume: (job) => {
      dropped = job.dropped;
    },
  });
  return { dropped, report };
}

describe("a copy that goes on", () => {
  it("begins where it stood, and ends as the source is", async () => {
    const { id, from, to } = await cut();
    const { dropped, report } = await resume(id);
    expect(dropped).toBe(0);
    expect(report.begin).toBeGreaterThanOrEqual(12 * MiB);
    expect(report.written).toBe(SIZE - report.begin);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    await expect(resume(id)).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });

  it.each([0, 5, 11])(
    "copies again what the target does not hold any more, from %i MiB on",
    async (place) => {
      const { id, from, to } = await cut();
      flipByte(to, place * MiB);
      const { dropped, report } = await resume(id);
      expect(report.begin).toBe(Math.floor(place / 4) * 4 * MiB);
      expect(dropped).toBeGreaterThan(0);
      expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    },
  );

  it("copies all of the window again where nothing says what it held", async () => {
    const { id, from, to } = await cut({ digest: "none" });
    flipByte(to, 5 * MiB);
    expect((await resume(id)).report.begin).toBe(0);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  });
});

describe("a copy that cannot go on", () => {
  it("has a source that was written to since", async () => {
    const { id, from } = await cut();
    flipByte(from, 9 * MiB);
    await expect(resume(id)).rejects.toMatchObject({ code: "ERR_JOURNAL", side: "source" });
  });

  it("has another volume in its target's place, or one of another size", async () => {
    const { id, to } = await cut();
    truncateSync(to, SIZE + MiB);
    await expect(resume(id)).rejects.toMatchObject({ code: "ERR_JOURNAL", side: "target" });
    const other = await cut();
    copyFileSync(other.to, `${other.to}.new`);
    renameSync(`${other.to}.new`, other.to);
    await expect(resume(other.id)).rejects.toMatchObject({ code: "ERR_JOURNAL", side: "target" });
  });

  it("has had its target copied onto since", async () => {
    const { id, to } = await cut();
    await using source = await openVolume(`pattern:${SIZE}:1`);
    await using target = await openVolume(to, { mode: "write" });
    await copyVolume(source, target, { stateDirectory });
    await target.close();
    await expect(resume(id)).rejects.toEqual(code("ERR_JOURNAL"));
  });

  it("is worked on by somebody else", async () => {
    const { id, to } = await cut();
    const hold = await new JobStore(stateDirectory).hold(id);
    await expect(resume(id)).rejects.toEqual(code("ERR_IN_USE"));
    hold?.release();
    await using target = await openVolume(`file:${to}`);
    const lock = await lockTarget(target);
    await expect(resume(id)).rejects.toEqual(code("ERR_IN_USE"));
    lock?.release();
    await resume(id);
  });
});
