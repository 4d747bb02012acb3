import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  type CopyOptions,
  copyVolume,
  openVolume,
  type ResumedJob,
  type ResumeOptions,
  resumeCopy,
} from "blockhaul";
import { afterAll, describe, expect, it } from "vitest";

import { regionOf } from "../../../src/guards/exclusion.js";
import { JobStore } from "../../../src/jobs/store.js";
import { takeHostLock } from "../../../src/system/host-lock.js";
import { flipByte } from "../../support/flip.js";
import { Random } from "../../support/random.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 24 * MiB + 513;
/** What is read back of both ends in any case. */
const WINDOW = 256 * MiB;
const workspace = new Workspace();
const stateDirectory = workspace.path("state");
afterAll(() => workspace[Symbol.dispose]());

const code = (name: string) => expect.objectContaining({ code: name });
let count = 0;

/** A copy within this process that was stopped on its way. */
async function cut(options: CopyOptions = {}, afterMiB = 13, before = 0) {
  count += 1;
  const [from, to] = [workspace.path(`${count}.source`), workspace.path(`${count}.target`)];
  // A hole is copied in no time: what is to be stopped lies behind it.
  writeFileSync(from, "");
  truncateSync(from, before);
  appendFileSync(from, new Random(`copy-resume ${count}`).bytes(SIZE));
  const size = before + SIZE;
  await using source = await openVolume(from);
  await using target = await openVolume(to, { mode: "write", create: { size } });
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
      if (done >= afterMiB * MiB + before) stop.abort();
    },
    signal: stop.signal,
  });
  await expect(copying).rejects.toEqual(code("ERR_CANCELLED"));
  return { id, from, to };
}

/** Goes on with a job, at full speed; what was dropped of it, and the report. */
async function resume(id: string, options: ResumeOptions = {}) {
  let resumed: ResumedJob | undefined;
  const report = await resumeCopy(id, {
    stateDirectory,
    bandwidthLimit: 0,
    ...options,
    onResume: (job) => {
      resumed = job;
    },
  });
  return { dropped: resumed?.dropped, checked: resumed?.checked, report };
}

describe("a copy that goes on", () => {
  it("begins where it stood, and ends as the source is", async () => {
    const { id, from, to } = await cut();
    const { dropped, checked, report } = await resume(id);
    expect(dropped).toBe(0);
    expect(checked).toBe(report.begin);
    expect(report.begin).toBeGreaterThanOrEqual(12 * MiB);
    expect(report.written).toBe(SIZE - report.begin);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    await expect(resume(id)).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });

  it.each([0, 5, 11])(
    "with `overwrite` copies again what the target does not hold any more, from %i MiB on",
    async (place) => {
      const { id, from, to } = await cut();
      flipByte(to, place * MiB);
      const { dropped, report } = await resume(id, { overwrite: true });
      expect(report.begin).toBe(Math.floor(place / 4) * 4 * MiB);
      expect(dropped).toBeGreaterThan(0);
      expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    },
  );

  it("compares both ends with each other where no digest was taken", async () => {
    const { id, from, to } = await cut({ digest: "none" });
    const { checked, report } = await resume(id);
    expect(report.begin).toBeGreaterThanOrEqual(12 * MiB);
    expect(checked).toBe(report.begin);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  });

  it("copies again from where the two are not alike, with `overwrite`", async () => {
    const { id, from, to } = await cut({ digest: "none" });
    flipByte(to, 5 * MiB);
    expect((await resume(id, { overwrite: true })).report.begin).toBe(4 * MiB);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  });
});

describe("a copy that cannot go on", () => {
  it("has a source that was written to since", async () => {
    const { id, from } = await cut();
    flipByte(from, 9 * MiB);
    await expect(resume(id)).rejects.toMatchObject({ code: "ERR_JOURNAL", side: "source" });
  });

  it.each([{}, { digest: "none" as const }])(
    "has a target that somebody else wrote to since, anywhere: %o",
    async (options) => {
      for (const place of [0, 5, 11]) {
        const { id, to } = await cut(options);
        flipByte(to, place * MiB);
        const before = readFileSync(to);
        const error = await resume(id).catch((thrown) => thrown);
        expect(error).toMatchObject({ code: "ERR_JOURNAL", side: "target" });
        expect(error.offset).toBe(Math.floor(place / 4) * 4 * MiB);
        expect(error.hint).toContain(`blockhaul resume ${id} --overwrite`);
        expect(readFileSync(to).equals(before)).toBe(true);
      }
    },
  );

  it("has a target that a file system was made on, before anything was recorded or after", async () => {
    for (const done of [0, 13]) {
      const { id, to } = await cut({}, done);
      execFileSync("mkfs.ext4", ["-qFL", "PRECIOUS", to]);
      const before = readFileSync(to);
      const error = await resume(id).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "ERR_NOT_EMPTY", side: "target" });
      expect(error.message).toContain("PRECIOUS");
      expect(readFileSync(to).equals(before)).toBe(true);
    }
  });

  it("has a target whose end somebody made a member of an array, behind what was recorded", async () => {
    const { id, to } = await cut();
    const file = openSync(to, "r+");
    // An md superblock of version 0.90 lies in the last whole 64 KiB but one.
    const superblock = Buffer.alloc(4096);
    superblock.writeUInt32LE(0xa92b4efc, 0);
    superblock.writeUInt32LE(90, 8);
    writeSync(file, superblock, 0, 4096, (Math.floor(SIZE / 65536) - 1) * 65536);
    closeSync(file);
    await expect(resume(id)).rejects.toMatchObject({ code: "ERR_NOT_EMPTY", side: "target" });
  });

  it("has another volume in its target's place, or one of another size", async () => {
    const { id, to } = await cut();
    truncateSync(to, SIZE + MiB);
    await expect(resume(id)).rejects.toMatchObject({ code: "ERR_JOURNAL", side: "target" });
    const other = await cut();
    copyFileSync(other.to, `${other.to}.new`);
    renameSync(`${other.to}.new`, other.to);
    await expect(resume(other.id)).rejects.toMatchObject({
      code: "ERR_JOURNAL",
      side: "target",
      message: expect.stringContaining("it is another volume: "),
    });
  });

  it("has had its target copied onto since", async () => {
    const { id, to } = await cut();
    await using source = await openVolume(`pattern:${SIZE}:1`);
    await using target = await openVolume(to, { mode: "write" });
    await copyVolume(source, target, { stateDirectory });
    await target.close();
    const error = await resume(id).catch((thrown) => thrown);
    expect(error).toEqual(code("ERR_JOURNAL"));
    expect(error.message).toMatch(/another job has written to the target/);
  });

  it("is worked on by somebody else", async () => {
    const { id, to } = await cut();
    const hold = await new JobStore(stateDirectory).hold(id);
    await expect(resume(id)).rejects.toEqual(code("ERR_IN_USE"));
    hold?.release();
    await using target = await openVolume(`file:${to}`);
    const region = regionOf(target.info);
    const lock = region && (await takeHostLock("volumes.lock", region, "exclusive"));
    await expect(resume(id)).rejects.toEqual(code("ERR_IN_USE"));
    lock?.release();
    await resume(id);
  });
});

describe("the source of a copy that goes on", () => {
  const reads = async (id: string, options: ResumeOptions = {}) => {
    const phases = new Map<string, number>();
    await resume(id, {
      ...options,
      onProgress: ({ phase, read }) => phases.set(phase, Math.max(read, phases.get(phase) ?? 0)),
    });
    return phases;
  };

  it.each([
    ["was written to outside what is read back", (from: string) => flipByte(from, 1 * MiB)],
    [
      "was written to by one who sets its time back",
      (from: string) => {
        const { atime, mtime } = statSync(from);
        flipByte(from, 1 * MiB);
        utimesSync(from, atime, mtime);
      },
    ],
  ])("%s: all of it is read, and the job refused", async (_, write) => {
    const { id, from } = await cut({}, 13, WINDOW);
    write(from);
    await expect(resume(id)).rejects.toMatchObject({
      code: "ERR_JOURNAL",
      side: "source",
      offset: 0,
    });
  });

  it("was touched, and holds what it held: all of it is read, and the copy goes on", async () => {
    const { id, from, to } = await cut({}, 13, WINDOW);
    utimesSync(from, 1, 1);
    const phases = await reads(id);
    expect(phases.get("verify")).toBeGreaterThan(WINDOW);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  });

  it("is not read again where its stamp says that nobody wrote, but for the end", async () => {
    const { id, to } = await cut({}, 13, WINDOW);
    flipByte(to, 1 * MiB);
    // With --fast neither is the target.
    const { checked } = await resume(id, { fast: true });
    expect(checked).toBe(WINDOW);
  });
});
