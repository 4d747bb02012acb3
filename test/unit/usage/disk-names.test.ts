/** Which disks a device lies on, by what those say when they are asked now. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { BlockhaulError } from "blockhaul";
import { describe, expect, it } from "vitest";

import { diskNamesOf } from "../../../src/usage/disk-names.js";
import { NAMES_PAGE, namesOf, SERIAL_PAGE } from "../../../src/usage/scsi-names.js";
import { Workspace } from "../../support/workspace.js";

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
  /** A host of devices: sda, sdb, a partition of sda, and what is mapped to them. */
  class Host {
    readonly sysfs: string;
    readonly says = new Map<string, string | Error>();

    constructor(workspace: Workspace) {
      this.sysfs = workspace.path("sys");
      mkdirSync(path.join(this.sysfs, "dev/block"), { recursive: true });
    }

    add(name: string, number: string, attributes: Record<string, string> = {}, inside = "block") {
      const folder = path.join(this.sysfs, inside, name);
      for (const [file, text] of Object.entries({ dev: number, ...attributes })) {
        mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
        writeFileSync(path.join(folder, file), `${text}\n`);
      }
      symlinkSync(folder, path.join(this.sysfs, "dev/block", number));
    }

    addDisk(name: string, number: string, said: string | Error, state = "running") {
      const attributes = { "device/vpd_pg80": "cached", "device/state": state };
      this.add(name, number, { ...attributes, diskseq: number.slice(2) });
      this.says.set(`/dev/${name}`, said);
    }

    addMapped(name: string, number: string, uuid: string, below: readonly string[]) {
      this.add(name, number, { "dm/uuid": uuid });
      const slaves = path.join(this.sysfs, "block", name, "slaves");
      mkdirSync(slaves);
      for (const each of below) {
        symlinkSync(path.join(this.sysfs, "block", each), path.join(slaves, each));
      }
    }

    /** Of a disk itself only the node that was opened is asked. */
    namesOf(number: string, own = "") {
      const [major = 0, minor = 0] = number.split(":").map(Number);
      return diskNamesOf({ major, minor }, "/dev/opened", this.sysfs, async (file, code) => {
        const said = this.says.get(file === "/dev/opened" ? own : file);
        if (said === undefined || code !== SERIAL_PAGE) throw new Error(`asked ${file}`);
        if (said instanceof Error) throw said;
        return serial(said);
      });
    }
  }

  const one = 'serial number "one"';

  it("are those of a partition's disk", async () => {
    using workspace = new Workspace();
    const host = new Host(workspace);
    host.addDisk("sda", "8:0", "one");
    host.add("sda1", "8:1", { partition: "1" }, "block/sda");
    expect(await host.namesOf("8:1")).toEqual({ "8:0 0": one });
  });

  it("are those of all disks that a volume is spread over, but for what is silent", async () => {
    using workspace = new Workspace();
    const host = new Host(workspace);
    host.addDisk("sda", "8:0", "one");
    host.addDisk("sdb", "8:16", "two");
    host.addMapped("dm-0", "253:0", "LVM-a", ["sdb", "sda"]);
    expect(await host.namesOf("253:0")).toEqual({ "8:0 0": one, "8:16 16": 'serial number "two"' });
    host.says.set("/dev/sdb", new Error("it is dead, and the array goes on"));
    expect(await host.namesOf("253:0")).toEqual({ "8:0 0": one });
  });

  it("are what each working path of a map says", async () => {
    using workspace = new Workspace();
    const host = new Host(workspace);
    host.addDisk("sda", "8:0", "one");
    host.addDisk("sdb", "8:16", "one");
    host.addDisk("sdc", "8:32", "other", "transport-offline");
    host.addMapped("dm-0", "253:0", "mpath-a", ["sda", "sdb", "sdc"]);
    expect(await host.namesOf("253:0")).toEqual({ "8:0 0": one, "8:16 16": one });
    host.says.set("/dev/sda", new Error("the path is down"));
    expect(await host.namesOf("253:0")).toEqual({ "8:16 16": one });
  });

  it("are unknown, and not none, where nothing that has any answers", async () => {
    using workspace = new Workspace();
    const host = new Host(workspace);
    host.addDisk("sda", "8:0", "one", "offline");
    host.addDisk("sdb", "8:16", "one", "offline");
    host.addMapped("dm-0", "253:0", "mpath-a", ["sda", "sdb"]);
    await expect(host.namesOf("253:0")).rejects.toMatchObject({ code: "ERR_IO" });
    host.addMapped("dm-1", "253:1", "mpath-b", []);
    await expect(host.namesOf("253:1")).rejects.toMatchObject({ code: "ERR_IO" });
    host.addDisk("sdc", "8:32", new Error("no answer"));
    await expect(host.namesOf("8:32", "/dev/sdc")).rejects.toThrow("no answer");
  });

  it("are none of what is no SCSI disk", async () => {
    using workspace = new Workspace();
    const host = new Host(workspace);
    host.add("vda", "254:0", { size: "8" });
    expect(await host.namesOf("254:0")).toBeUndefined();
  });

  it.each(["ENOENT", "EACCES", "EPERM", "ENOTTY"] as const)(
    "are none of a disk that cannot be asked here: %s",
    async (errnoName) => {
      using workspace = new Workspace();
      const host = new Host(workspace);
      const refused = new BlockhaulError("ERR_IO", { errno: constants.errno[errnoName] });
      host.addDisk("sda", "8:0", refused);
      host.addMapped("dm-0", "253:0", "LVM-a", ["sda"]);
      expect(await host.namesOf("253:0")).toBeUndefined();
      host.says.set("/dev/sda", new BlockhaulError("ERR_IO", { errno: constants.errno.EIO }));
      await expect(host.namesOf("253:0")).rejects.toMatchObject({ errnoName: "EIO" });
    },
  );

  it("are asked of the node that was opened: a container may have no other", async () => {
    using workspace = new Workspace();
    const host = new Host(workspace);
    host.addDisk("sda", "8:0", "one");
    expect(await host.namesOf("8:0", "/dev/sda")).toEqual({ "8:0 0": one });
  });
});
