/** A GPT's backup is moved as sgdisk has it; what cannot be understood is left alone. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { moveGptBackup, openVolume } from "blockhaul";
import { afterAll, describe, expect, it } from "vitest";

import { LoopDevices } from "../support/loop.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
let count = 0;
afterAll(() => workspace[Symbol.dispose]());

/** 16 MiB with one partition that takes all of it. */
function partitioned(): string {
  count += 1;
  const file = workspace.path(`disk-${count}`);
  writeFileSync(file, "");
  truncateSync(file, 16 * MiB);
  execFileSync("sgdisk", ["--new=1", file]);
  return file;
}

async function move(ref: string) {
  await using volume = await openVolume(ref, { mode: "write" });
  return await moveGptBackup(volume);
}

const problemsOf = (ref: string) => spawnSync("sgdisk", ["-v", ref]).stdout.toString();
const SOUND = /No problems found\. [1-9]\d* free sectors/;

describe("the backup of a GPT", () => {
  it("is moved to the end, once", async () => {
    const file = partitioned();
    truncateSync(file, 40 * MiB);
    expect(problemsOf(file)).not.toMatch(SOUND);
    expect(await move(file)).toBe("moved");
    expect(problemsOf(file)).toMatch(SOUND);
    const moved = readFileSync(file);
    expect(await move(file)).toBe("in place");
    expect(readFileSync(file).equals(moved)).toBe(true);
  });

  it("is moved as sgdisk moves it", async () => {
    const [ours, theirs] = [partitioned(), workspace.path("theirs")];
    truncateSync(ours, 40 * MiB);
    execFileSync("cp", [ours, theirs]);
    execFileSync("sgdisk", ["-e", theirs]);
    await move(ours);
    const [one, other] = [readFileSync(ours), readFileSync(theirs)];
    expect(one.subarray(512, 17 * 1024).equals(other.subarray(512, 17 * 1024))).toBe(true);
    expect(one.subarray(-33 * 512).equals(other.subarray(-33 * 512))).toBe(true);
  });

  it("is moved where a volume ends within a sector", async () => {
    const file = partitioned();
    truncateSync(file, 20 * MiB + 100);
    expect(await move(file)).toBe("moved");
    truncateSync(file, 20 * MiB);
    expect(problemsOf(file)).toMatch(SOUND);
  });

  it("is none of a volume without a GPT, however small", async () => {
    for (const size of [0, 100, 1024, 8192, MiB]) {
      const file = workspace.path(`plain-${size}`);
      writeFileSync(file, Buffer.alloc(size, 7));
      expect(await move(file)).toBe("none");
      expect(readFileSync(file).equals(Buffer.alloc(size, 7))).toBe(true);
    }
  });

  it.each<[string, number, RegExp]>([
    ["the header", 512 + 56, /header is damaged/],
    ["the length of the header", 512 + 12, /header is damaged/],
    ["an entry", 1024 + 60, /entries are damaged/],
  ])("is left alone where a bit of %s is another", async (_, at, says) => {
    const file = partitioned();
    truncateSync(file, 40 * MiB);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    writeFileSync(file, bytes);
    await expect(move(file)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching(says),
    });
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it("is left alone where a partition lies where it would", async () => {
    const file = partitioned();
    truncateSync(file, 16 * MiB - 4096);
    const before = readFileSync(file);
    await expect(move(file)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringMatching(/a partition where its GPT's backup would lie/),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});

describeWhere(needsRoot, "of a device with sectors of 4096 bytes", () => {
  it("is moved, too", async () => {
    await using loops = new LoopDevices();
    const backing = workspace.path("sectors");
    const small = await loops.attachNew(backing, 16 * MiB, { sectorSize: 4096 });
    execFileSync("sgdisk", ["--new=1", small.path]);
    await loops.detach(small);
    truncateSync(backing, 40 * MiB);
    const { path } = await loops.attach(backing, { sectorSize: 4096 });
    expect(await move(path)).toBe("moved");
    expect(problemsOf(path)).toMatch(SOUND);
  });
});
