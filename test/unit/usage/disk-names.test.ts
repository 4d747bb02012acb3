/** Which disks a device lies on, by what those say when they are asked now. */
import { constants } from "node:os";
import { BlockhaulError } from "blockhaul";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { diskNamesOf } from "../../../src/usage/disk-names.js";
import { deviceOf, type HostNode } from "../../../src/usage/node.js";
import { NAMES_PAGE, namesOf, SERIAL_PAGE } from "../../../src/usage/scsi-names.js";
import { FakeHost } from "../../support/fake-host.js";

const BINARY = 1;
const ASCII = 2;

function page(code: number, content: Buffer, type = 0): Buffer {
  return Buffer.concat([Buffer.from([type, code, content.length >> 8, content.length]), content]);
}

function serial(text: string, type = 0): Buffer {
  return page(SERIAL_PAGE, Buffer.from(text), type);
}

function name(set: number, kind: number, content: Buffer, association = 0): Buffer {
  const head = Buffer.from([set, (association << 4) | kind, 0, content.length]);
  return Buffer.concat([head, content]);
}

describe("what a SCSI disk says of itself", () => {
  const naa = name(BINARY, 3, Buffer.from("600140500000000a", "hex"));

  it("is its names and its serial number, in words", () => {
    const names = page(
      NAMES_PAGE,
      Buffer.concat([name(ASCII, 1, Buffer.from("IET  0001\0")), naa]),
    );
    expect(namesOf([serial("beaf11  "), names])).toBe(
      'NAA 600140500000000a, T10 "IET 0001", serial number "beaf11"',
    );
  });

  it("is the same on each path: names of ports and targets do not count", () => {
    const port = name(BINARY, 4, Buffer.from([0, 0, 0, 7]), 1);
    const target = name(3, 8, Buffer.from("iqn.2024-01.org.example:a"), 2);
    const group = name(BINARY, 5, Buffer.from([0, 0, 0, 1]));
    expect(namesOf([page(NAMES_PAGE, Buffer.concat([port, naa, target, group]))])).toBe(
      "NAA 600140500000000a",
    );
  });

  it("is another where the target says that the unit is gone, and not where a path stands by", () => {
    const there = namesOf([serial("a")]);
    expect(namesOf([serial("a", 0x7f)])).not.toBe(there);
    expect(namesOf([serial("a", 0x20)])).toBe(there);
  });

  it.each([
    ["without a header", Buffer.from([0, SERIAL_PAGE])],
    ["shorter than its header says", serial("abcdef").subarray(0, 7)],
    ["that was not asked for", page(0, Buffer.from([0, SERIAL_PAGE, NAMES_PAGE]))],
    ["with half a name", page(NAMES_PAGE, naa.subarray(0, naa.length - 1))],
    ["with half a name's header", page(NAMES_PAGE, Buffer.concat([naa, naa.subarray(0, 3)]))],
  ])("is nothing of a page %s", (_, bytes) => {
    expect(() => namesOf([bytes])).toThrow(expect.objectContaining({ code: "ERR_IO" }));
  });
});

describe("the names of what a device lies on", () => {
  let host: FakeHost;
  /** By the node's path. */
  const says = new Map<string, string | Error>();
  beforeEach(() => {
    host = new FakeHost();
  });
  afterEach(() => {
    host[Symbol.dispose]();
    says.clear();
  });

  function addDisk(
    disk: string,
    number: string,
    said: string | Error,
    { state = "running", partitions = {} } = {},
  ) {
    const attributes = { "device/vpd_pg80": "cached", "device/state": state };
    host.device(disk, {
      number,
      attributes: { ...attributes, diskseq: number.slice(2) },
      partitions,
    });
    says.set(`/dev/${disk}`, said);
  }

  function addMapped(mapped: string, number: string, uuid: string, on: readonly string[]) {
    host.device(mapped, { number, attributes: { "dm/uuid": uuid }, on });
  }

  /** Of a disk itself only the node that was opened is asked. */
  function namesAt(number: string, own = "") {
    const node = deviceOf(number) as HostNode;
    return diskNamesOf(node, "/dev/opened", host.sysfs, async (file, code) => {
      const said = says.get(file === "/dev/opened" ? own : file);
      if (said === undefined || code !== SERIAL_PAGE) throw new Error(`asked ${file}`);
      if (said instanceof Error) throw said;
      return serial(said);
    });
  }

  const one = 'serial number "one"';

  it("are those of a partition's disk", async () => {
    addDisk("sda", "8:0", "one", { partitions: { sda1: "8:1" } });
    expect(await namesAt("8:1")).toEqual({ "8:0 0": one });
  });

  it("are those of all disks that a volume is spread over, but for what is silent", async () => {
    addDisk("sda", "8:0", "one");
    addDisk("sdb", "8:16", "two");
    addMapped("dm-0", "253:0", "LVM-a", ["sdb", "sda"]);
    expect(await namesAt("253:0")).toEqual({ "8:0 0": one, "8:16 16": 'serial number "two"' });
    says.set("/dev/sdb", new Error("it is dead, and the array goes on"));
    expect(await namesAt("253:0")).toEqual({ "8:0 0": one });
  });

  it("are what each working path of a map says", async () => {
    addDisk("sda", "8:0", "one");
    addDisk("sdb", "8:16", "one");
    addDisk("sdc", "8:32", "other", { state: "transport-offline" });
    addMapped("dm-0", "253:0", "mpath-a", ["sda", "sdb", "sdc"]);
    expect(await namesAt("253:0")).toEqual({ "8:0 0": one, "8:16 16": one });
    says.set("/dev/sda", new Error("the path is down"));
    expect(await namesAt("253:0")).toEqual({ "8:16 16": one });
  });

  it("are unknown, and not none, where nothing that has any answers", async () => {
    addDisk("sda", "8:0", "one", { state: "offline" });
    addDisk("sdb", "8:16", "one", { state: "offline" });
    addMapped("dm-0", "253:0", "mpath-a", ["sda", "sdb"]);
    await expect(namesAt("253:0")).rejects.toMatchObject({ code: "ERR_IO" });
    addMapped("dm-1", "253:1", "mpath-b", []);
    await expect(namesAt("253:1")).rejects.toMatchObject({ code: "ERR_IO" });
    addDisk("sdc", "8:32", new Error("no answer"));
    await expect(namesAt("8:32", "/dev/sdc")).rejects.toThrow("no answer");
  });

  it("are none of what is no SCSI disk", async () => {
    host.device("vda", { number: "254:0", attributes: { size: "8" } });
    expect(await namesAt("254:0")).toBeUndefined();
  });

  it.each(["ENOENT", "EACCES", "EPERM", "ENOTTY"] as const)(
    "are none of a disk that cannot be asked here: %s",
    async (errnoName) => {
      const refused = new BlockhaulError("ERR_IO", { errno: constants.errno[errnoName] });
      addDisk("sda", "8:0", refused);
      addMapped("dm-0", "253:0", "LVM-a", ["sda"]);
      expect(await namesAt("253:0")).toBeUndefined();
      says.set("/dev/sda", new BlockhaulError("ERR_IO", { errno: constants.errno.EIO }));
      await expect(namesAt("253:0")).rejects.toMatchObject({ errnoName: "EIO" });
    },
  );

  it("are asked of the node that was opened: a container may have no other", async () => {
    addDisk("sda", "8:0", "one");
    expect(await namesAt("8:0", "/dev/sda")).toEqual({ "8:0 0": one });
  });
});
