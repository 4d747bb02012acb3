import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { deviceOf, type HostNode, nodeAt } from "../../../src/usage/node.js";
import { Stack } from "../../../src/usage/stack.js";
import { usesOf, usesOfPath } from "../../../src/usage/uses.js";
import { FakeHost } from "../../support/fake-host.js";
import { itWhere } from "../../support/needs.js";

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host[Symbol.dispose]());

const device = (number: string) => deviceOf(number) as HostNode;
const usesIn = async (node: HostNode) => usesOf(node, new Stack(host));
const textsOf = async (number: string) => (await usesIn(device(number))).map(({ text }) => text);
const mountOf = (number: string, point: string, options = "rw") =>
  `30 1 ${number} / ${point} rw,relatime shared:9 - ext4 /dev/x ${options}\n`;

const LVM = { "dm/name": "vg0-a", "dm/uuid": "LVM-abc" };

describe("a disk", () => {
  beforeEach(() => {
    host.device("sda", { number: "8:0", partitions: { sda1: "8:1" } });
    host.device("sdb", { number: "8:16", partitions: { sdb1: "8:17", sdb2: "8:18" } });
  });

  it("that nobody uses has no uses, though others have", async () => {
    host.mounts(mountOf("8:1", "/") + mountOf("0:45", "/proc"));
    expect(await textsOf("8:16")).toEqual([]);
  });

  it("is used where it is mounted, or one of its partitions", async () => {
    host.mounts(mountOf("8:17", "/mnt/a") + mountOf("8:17", "/mnt/b") + mountOf("8:1", "/"));
    expect(await textsOf("8:16")).toEqual([
      "sdb1 is mounted on /mnt/a",
      "sdb1 is mounted on /mnt/b",
    ]);
    expect(await textsOf("8:17")).toEqual(["it is mounted on /mnt/a", "it is mounted on /mnt/b"]);
    expect(await textsOf("8:18"), "the other partition").toEqual([]);
  });

  it("is asked of for its partitions, by all of its paths, and not for what is on others of them", async () => {
    const attributes = { "device/wwid": "naa.6001405" };
    host.device("sdx", { number: "65:0", attributes, partitions: { sdx1: "65:1", sdx2: "65:2" } });
    host.device("sdy", { number: "65:16", attributes });
    host.mounts(mountOf("65:2", "/mnt/other"));
    expect((await new Stack(host).around(device("65:1"))).map(({ key }) => key)).toEqual([
      "65:0",
      "65:16",
    ]);
    expect(await textsOf("65:1")).toEqual([]);
  });

  it("is used where something that is built on it is mounted, through any layers", async () => {
    host.device("dm-0", { number: "253:0", on: ["sdb/sdb1"], attributes: LVM });
    host.device("md127", { number: "9:127", on: ["dm-0"] });
    host.mounts(mountOf("9:127", "/mnt/deep"));
    expect(await textsOf("8:16")).toEqual([
      "md127 is mounted on /mnt/deep",
      "sdb1 is held by the LVM volume vg0-a (dm-0)",
      "dm-0 is held by the md array md127",
    ]);
    expect(await textsOf("253:0")).toEqual([
      "md127 is mounted on /mnt/deep",
      "it is held by the md array md127",
    ]);
    expect(await textsOf("8:0"), "another disk").toEqual([]);
  });

  it.each([
    ["mpath-360", "the multipath map m (dm-1)"],
    ["CRYPT-LUKS2-1", "the encrypted device m (dm-1)"],
    ["part1-mpath-360", "the partition map m (dm-1)"],
    ["", "the device-mapper device m (dm-1)"],
  ])("is held by a device whose UUID is %j", async (uuid, words) => {
    const attributes = { "dm/name": "m", "dm/uuid": uuid };
    host.device("dm-1", { number: "253:1", on: ["sdb"], attributes });
    expect(await textsOf("8:16")).toEqual([`it is held by ${words}`]);
  });

  it("is written to by none of those that only read", async () => {
    host.device("dm-0", { number: "253:0", on: ["sdb"], attributes: LVM, readOnly: true });
    host.mounts(mountOf("253:0", "/mnt/ro", "ro,errors=continue"));
    expect(await usesIn(device("8:16"))).toEqual([
      { kind: "mount", text: "dm-0 is mounted read-only on /mnt/ro", writes: false },
      { kind: "holder", text: "it is held by the LVM volume vg0-a (dm-0)", writes: false },
    ]);
  });

  it("is used where another path to it is", async () => {
    const attributes = { "device/wwid": "naa.600140500000001" };
    host.device("sdc", { number: "8:32", attributes, partitions: { sdc1: "8:33" } });
    host.device("sdd", { number: "8:48", attributes });
    host.mounts(mountOf("8:33", "/mnt/other"));
    expect(await textsOf("8:48")).toEqual(["sdc1 is mounted on /mnt/other"]);
  });

  it("is not another one whose target made up the same WWID", async () => {
    const attributes = { "device/wwid": "t10.IET     00010001" };
    host.device("sdc", { number: "8:32", attributes });
    host.device("sdd", { number: "8:48", attributes });
    host.mounts(mountOf("8:32", "/mnt/other"));
    expect(await textsOf("8:48")).toEqual([]);
  });

  const real = readdirSync("/sys/class/block").find((name) => existsSync(`/dev/${name}`));
  itWhere(real === undefined ? "there is no block device here" : undefined)(
    "is used where a btrfs has it as one of several",
    async () => {
      // The mount names another of its devices, and a number that sysfs does not know.
      host.mounts(`30 1 0:52 /sub /mnt/b rw - btrfs /dev/${real} rw\n`);
      host.write("sys/fs/btrfs/11-22/devices/sdb/dev", "8:16\n");
      expect(await textsOf("8:16"), "of another btrfs").toEqual([]);
      const number = readFileSync(`/sys/class/block/${real}/dev`, "utf8");
      host.write(`sys/fs/btrfs/11-22/devices/${real}/dev`, number);
      expect(await textsOf("8:16")).toEqual(["it is mounted on /mnt/b"]);
    },
  );

  it("is used where it is mounted for others alone", async () => {
    host.mounts(mountOf("8:17", "/both"));
    host.mounts(mountOf("8:17", "/both") + mountOf("8:17", "/only/there"), "77");
    host.process(77, "container", "/dev/null", "0", "another");
    host.write("proc/self/ns/x", "");
    expect(await textsOf("8:16")).toEqual([
      "sdb1 is mounted on /both",
      "sdb1 is mounted on /only/there for process 77 and others",
    ]);
  });
});

it("a device is held by LIO", async () => {
  host.device("sdb", { number: "8:16" }).device("sdc", { number: "8:32" });
  const backstore = "sys/kernel/config/target/core/iblock_0/disk";
  host.write(`${backstore}/enable`, "1\n");
  host.write(
    `${backstore}/info`,
    "Status: ACTIVATED  Max Queue Depth: 128\n        iBlock device: sdb  UDEV PATH: /dev/x  readonly: 0\n        Major: 8 Minor: 16  CLAIMED: IBLOCK\n",
  );
  expect(await textsOf("8:16")).toEqual([
    "it is offered by this host's iSCSI target as iblock_0/disk",
  ]);
  expect(await textsOf("8:32")).toEqual([]);
});

describe("a file", () => {
  const file = async (name = "disk.img") => {
    host.write(name, "content");
    return (await nodeAt(host.path(name))) as HostNode;
  };

  it("that nobody uses has no uses", async () => {
    expect(await usesIn(await file())).toEqual([]);
  });

  it("is held by a loop device, whatever its name is there, and used by all that is on that", async () => {
    const node = await file();
    linkSync(host.path("disk.img"), host.path("hard link"));
    const attributes = { "loop/backing_file": host.path("hard link") };
    host.device("loop7", { number: "7:7", attributes, partitions: { loop7p1: "259:0" } });
    host.device("loop8", { number: "7:8", attributes: { "loop/backing_file": "/gone (deleted)" } });
    host.mounts(mountOf("259:0", "/mnt/image"));
    expect((await usesIn(node)).map(({ text }) => text)).toEqual([
      "loop7p1 is mounted on /mnt/image",
      "it is held by the loop device loop7",
    ]);
  });

  it("is used as swap", async () => {
    const node = await file("swap file");
    host.write("proc/swaps", `Filename\n${host.path("swap\\040file")} file\t\t12\t\t0\t\t-2\n`);
    expect(await usesIn(node)).toEqual([
      { kind: "swap", text: "it is used as swap", writes: true },
    ]);
  });

  it("is held by processes that may write to it, and only by those", async () => {
    const node = await file();
    host.process(4001, "qemu-system-x86", host.path("disk.img"), "0100002");
    host.process(4002, "cat", host.path("disk.img"), "0100000");
    host.process(4003, "other", "/dev/zero", "02");
    expect(await usesIn(node)).toEqual([
      {
        kind: "writer",
        text: "process 4001 (qemu-system-x86) has it open for writing",
        writes: true,
      },
    ]);
  });

  it("is a loop device whose file a process may write to", async () => {
    await file();
    host.process(4001, "qemu-system-x86", host.path("disk.img"), "0100002");
    const attributes = { "loop/backing_file": host.path("disk.img") };
    host.device("loop7", { number: "7:7", attributes, partitions: { loop7p1: "259:0" } });
    for (const number of ["7:7", "259:0"]) {
      expect((await usesIn(device(number))).map(({ text }) => text)).toEqual([
        "process 4001 (qemu-system-x86) has the file that it lies on open for writing",
      ]);
    }
  });

  it("is held by LIO, which has no process", async () => {
    const node = await file();
    const core = "sys/kernel/config/target/core";
    const info = `Status: ACTIVATED\n        TCM FILEIO ID: 0        File: ${host.path("disk.img")}  Size: 7  Mode: Buffered-WCE Async: 0\n`;
    host.write(`${core}/fileio_0/lun/info`, info).write(`${core}/fileio_0/lun/enable`, "1\n");
    host.write(`${core}/fileio_1/off/info`, info).write(`${core}/fileio_1/off/enable`, "0\n");
    expect((await usesIn(node)).map(({ text }) => text)).toEqual([
      "it is offered by this host's iSCSI target as fileio_0/lun",
    ]);
  });
});

describe("what lies below", () => {
  it("a file is its file system's device, and all that this is built on", async () => {
    host.device("sdb", { number: "8:16", partitions: { sdb1: "8:17" } });
    host.device("dm-0", { number: "253:0", on: ["sdb/sdb1"], attributes: LVM });
    const node = { major: 253, minor: 0, inode: "12" };
    expect([...(await new Stack(host).below(node, "/x"))]).toEqual([
      "253:0/12",
      "253:0",
      "8:17",
      "8:16",
    ]);
  });

  it("a loop device is the file behind it, and the file system of that", async () => {
    host.write("disk.img", "content");
    const node = (await nodeAt(host.path("disk.img"))) as HostNode;
    const attributes = { "loop/backing_file": host.path("disk.img") };
    host.device("loop7", { number: "7:7", attributes });
    const { dev } = statSync(host.path("disk.img"), { bigint: true });
    const below = await new Stack(host).below(device("7:7"), "/dev/loop7");
    expect([...below]).toContain(`${node.major}:${node.minor}/${node.inode}`);
    expect([...below].length, String(dev)).toBeGreaterThan(2);
  });

  it("a file on btrfs is found by its path: its number is a subvolume's", async () => {
    host.mounts(
      "30 1 8:1 / / rw - ext4 /dev/x rw\n31 1 8:17 / /usr rw - btrfs /dev/y rw\n32 1 8:18 / /usr/share/d rw - ext4 /dev/z rw\n",
    );
    const node = { major: 0, minor: 77, inode: "12" };
    const below = await new Stack(host).below(node, "/usr/bin/env");
    expect([...below]).toEqual(["0:77/12", "8:17"]);
  });
});

describe("what would break if a device went", () => {
  it("is whoever has it open, to read it only, too", async () => {
    const file = openSync(process.execPath, "r");
    const reader = spawn("sleep", ["infinity"], { stdio: [file, "ignore", "ignore"] });
    closeSync(file);
    await once(reader, "spawn");
    const node = await nodeAt(process.execPath);
    if (node === undefined) throw new Error("no node");
    const text = `process ${reader.pid} (sleep) has it open`;
    expect(await usesOfPath(node)).toContainEqual({ kind: "reader", text, writes: false });
    expect((await usesOf(node)).map((use) => use.text)).not.toContain(text);
    reader.kill();
    await once(reader, "exit");
  });

  it("is not who uses another path to the same disk", async () => {
    const attributes = { "device/wwid": "naa.6001405aaaaaaaaa" };
    host.device("sdc", { number: "8:32", attributes });
    host.device("sdd", { number: "8:48", attributes });
    host.mounts(mountOf("8:48", "/mnt/other"));
    const node = device("8:32");
    expect(await usesOf(node, new Stack(host))).toHaveLength(1);
    expect(await usesOfPath(node, new Stack(host))).toEqual([]);
  });
});
