import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { checkRootDisk } from "../../../src/guards/root-disk.js";
import { deviceOf } from "../../../src/usage/node.js";
import { Stack } from "../../../src/usage/stack.js";
import { FakeHost } from "../../support/fake-host.js";

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.device("sda", { number: "8:0", partitions: { sda1: "8:1", sda2: "8:2", sda3: "8:3" } });
  host.device("sdb", { number: "8:16", partitions: { sdb1: "8:17" } });
});
afterEach(() => host[Symbol.dispose]());

const check = (number: string) => checkRootDisk(deviceOf(number), new Stack(host));
const mount = (number: string, point: string) => `30 1 ${number} / ${point} rw - ext4 /dev/x rw\n`;

describe("the disk of the running system", () => {
  it("is refused in all its parts, and others are not", async () => {
    host.mounts(mount("8:2", "/") + mount("8:17", "/home"));
    for (const number of ["8:0", "8:1", "8:3"]) {
      expect(await check(number), number).toEqual({
        state: "refused",
        found: "it is on sda, the disk of /",
      });
    }
    for (const number of ["8:16", "8:17"]) {
      expect((await check(number)).state, number).toBe("clear");
    }
  });

  it("is that of /boot, too", async () => {
    host.mounts(mount("8:2", "/") + mount("8:17", "/boot"));
    expect(await check("8:16")).toEqual({
      state: "refused",
      found: "it is on sdb, the disk of /boot",
    });
  });

  it("is found below volume groups, arrays and encryption", async () => {
    host.device("md0", { number: "9:0", on: ["sda/sda2", "sdb/sdb1"] });
    host.device("dm-0", { number: "253:0", on: ["md0"] });
    host.device("dm-1", { number: "253:1", on: ["md0"] });
    host.device("sdc", { number: "8:32" });
    host.device("dm-2", { number: "253:2", on: ["sdc"] });
    host.mounts(mount("253:0", "/"));
    for (const number of ["8:16", "8:3", "9:0", "253:1"]) {
      expect((await check(number)).state, number).toBe("refused");
    }
    for (const number of ["8:32", "253:2"])
      expect((await check(number)).state, number).toBe("clear");
  });

  it("is the same by another path", async () => {
    const attributes = { "device/wwid": "naa.600140500000001" };
    host.device("sdc", { number: "8:32", attributes, partitions: { sdc1: "8:33" } });
    host.device("sdd", { number: "8:48", attributes });
    host.mounts(mount("8:33", "/"));
    expect((await check("8:48")).state).toBe("refused");
  });

  it("is nowhere where the root lies on none, as in a container", async () => {
    host.mounts("30 1 0:52 / / rw - overlay overlay rw,lowerdir=/x\n");
    expect(await check("8:0")).toEqual({
      state: "clear",
      found: "the root file system lies on no disk that this host shows",
    });
  });
});
