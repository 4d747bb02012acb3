/** What shows that a volume was written to, without reading it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { openVolume, type Volume } from "blockhaul";
import { describe, expect, it } from "vitest";

import { stampOfDevice, stampOfFile } from "../../../src/usage/write-stamp.js";
import { LoopDevices } from "../../support/loop.js";
import { Workspace } from "../../support/workspace.js";

function nodeOf({ info }: Volume) {
  if (info.node === undefined) throw new Error("no file");
  return info.node;
}

describe("the stamp of a file", () => {
  it("stays until it is written to, however soon that is", async () => {
    using workspace = new Workspace();
    const file = workspace.path("disk");
    writeFileSync(file, "before");
    const volume = await openVolume(file);
    const look = () => stampOfFile(nodeOf(volume), file);
    const before = await look();
    expect(before).toBeTypeOf("string");
    expect(await look()).toBe(before);
    writeFileSync(file, "beside", { flag: "r+" });
    expect(await look()).not.toBe(before);
    await volume.close();
  });

  it("is none where its path leads to another", async () => {
    using workspace = new Workspace();
    const [file, other] = [workspace.path("disk"), workspace.path("other")];
    writeFileSync(file, "ours");
    writeFileSync(other, "somebody's");
    const volume = await openVolume(file);
    expect(await stampOfFile(nodeOf(volume), other)).toBeUndefined();
    await volume.close();
  });
});

describe("the stamp of a device", () => {
  /** A sysfs whose device has a name that can be opened and flushed. */
  function host() {
    const workspace = new Workspace();
    const name = `shm/blockhaul-stamp-${process.pid}`;
    writeFileSync(`/dev/${name}`, "");
    const fileOf = (file: string) => workspace.path(`sys/dev/block/8:16/${file}`);
    const put = (file: string, text: string) => {
      const whole = fileOf(file);
      mkdirSync(path.dirname(whole), { recursive: true });
      writeFileSync(whole, text);
    };
    put("uevent", `MAJOR=8\nDEVNAME=${name}\n`);
    put("queue/iostats", "1\n");
    put("diskseq", "9\n");
    put("stat", STAT.join("  "));
    const node = { major: 8, minor: 16 };
    const look = (read?: () => Promise<void>) => stampOfDevice(node, workspace.path("sys"), read);
    const end = () => {
      rmSync(`/dev/${name}`);
      workspace[Symbol.dispose]();
    };
    return { put, look, fileOf, [Symbol.dispose]: end };
  }

  const STAT = Array.from({ length: 17 }, (_, index) => 100 + index);

  it("counts what was written and discarded, and not what was read", async () => {
    using device = host();
    const before = await device.look();
    expect(before).toBe("9 106 111 113");
    device.put("stat", STAT.with(0, 999).with(2, 999).with(4, 999).with(9, 999).join(" "));
    expect(await device.look()).toBe(before);
    for (const index of [6, 11, 13]) {
      device.put("stat", STAT.with(index, 999).join(" "));
      expect(await device.look(), `field ${index}`).not.toBe(before);
    }
  });

  it("is another once the device was attached anew", async () => {
    using device = host();
    const before = await device.look();
    device.put("diskseq", "10\n");
    expect(await device.look()).not.toBe(before);
  });

  it("is none of a device that does not count, or cannot be flushed", async () => {
    using device = host();
    device.put("queue/iostats", "0\n");
    expect(await device.look()).toBeUndefined();
    device.put("queue/iostats", "1\n");
    device.put("uevent", "DEVNAME=shm/blockhaul-not-there\n");
    expect(await device.look()).toBeUndefined();
  });

  it("is there of a device that counts, and says that it does not, as device-mapper's", async () => {
    using device = host();
    device.put("queue/iostats", "0\n");
    const counting = async () => device.put("stat", STAT.with(0, (STAT[0] ?? 0) + 1).join(" "));
    const silent = async () => device.put("stat", STAT.with(4, 999).join(" "));
    expect(await device.look(counting)).toBe("9 106 111 113");
    expect(await device.look(silent)).toBeUndefined();
  });

  it("of a partition is asked of its disk whether it counts", async () => {
    using device = host();
    rmSync(device.fileOf("queue"), { recursive: true });
    expect(await device.look()).toBeUndefined();
    device.put("../queue/iostats", "1\n");
    expect(await device.look()).toBeDefined();
  });
});

it("is none of a device whose counting is switched off", async () => {
  using workspace = new Workspace();
  await using loops = new LoopDevices();
  const { path: device } = await loops.attachNew(workspace.path("disk"), 1024 ** 2);
  const volume = await openVolume(device);
  const node = nodeOf(volume);
  expect(await stampOfDevice(node)).toBeTypeOf("string");
  writeFileSync(`/sys/dev/block/${node.major}:${node.minor}/queue/iostats`, "0");
  expect(await stampOfDevice(node)).toBeUndefined();
  writeFileSync(`/sys/dev/block/${node.major}:${node.minor}/queue/iostats`, "1");
  await volume.close();
});

it("of a loop device counts what is written to its file past the device", async () => {
  using workspace = new Workspace();
  await using loops = new LoopDevices();
  const { path: device, backing } = await loops.attachNew(workspace.path("disk"), 1024 ** 2);
  const volume = await openVolume(device);
  const look = () => stampOfDevice(nodeOf(volume));
  const before = await look();
  expect(before).toBeTypeOf("string");
  expect(await look()).toBe(before);
  writeFileSync(backing, "past the device", { flag: "r+" });
  expect(await look()).not.toBe(before);
  await volume.close();
});
