import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseMountInfo, parseSwaps } from "../../../src/usage/mount-table.js";

/** As the kernel writes it: seq_path() and mangle(). */
const mangle = (text: string) =>
  text.replace(/[ \t\n\\]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`);

const anyPath = fc
  .array(fc.string({ minLength: 1 }).map((part) => part.replaceAll("/", "_")))
  .map((parts) => `/${parts.join("/")}`);

describe("mountinfo", () => {
  it("is read with optional fields and without", () => {
    const text = [
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
      "37 35 8:1 / /a\\040b ro,relatime shared:2 master:3 propagate_from:4 - xfs /dev/sda1 ro",
      "38 35 0:45 / /proc rw - proc proc rw",
      "",
    ].join("\n");
    expect(parseMountInfo(text)).toEqual([
      { device: "98:0", mountPoint: "/mnt2", type: "ext3", source: "/dev/root", readOnly: false },
      { device: "8:1", mountPoint: "/a b", type: "xfs", source: "/dev/sda1", readOnly: true },
      { device: "0:45", mountPoint: "/proc", type: "proc", source: "proc", readOnly: false },
    ]);
  });

  it("of a mount that is read-only while its file system is not, says that others may write", () => {
    const [mount] = parseMountInfo("37 35 8:1 / /a ro - xfs /dev/sda1 rw,attr2");
    expect(mount?.readOnly).toBe(false);
  });

  it("of this machine has the one that it is read from", () => {
    // Not its root: what was changed to by chroot may be any folder.
    const mounts = parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
    expect(mounts).toContainEqual(expect.objectContaining({ mountPoint: "/proc", type: "proc" }));
  });

  it("gives back every path that the kernel wrote", () => {
    fc.assert(
      fc.property(anyPath, anyPath, fc.nat(4095), fc.nat(2 ** 20 - 1), (point, source, a, b) => {
        const line = `1 2 ${a}:${b} / ${mangle(point)} rw shared:1 - ext4 ${mangle(source)} rw`;
        const [mount, ...more] = parseMountInfo(`${line}\n`);
        expect(more).toEqual([]);
        expect(mount).toMatchObject({ device: `${a}:${b}`, mountPoint: point, source });
      }),
    );
  });

  it("throws at nothing", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseMountInfo(text)).toBeInstanceOf(Array);
      }),
    );
  });
});

describe("swaps", () => {
  it("are read without their heading", () => {
    const text = [
      "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority",
      "/dev/sda2                               partition\t1048572\t\t0\t\t-2",
      "/a\\040b                                 file\t\t1020\t\t0\t\t-3",
      "",
    ].join("\n");
    expect(parseSwaps(text)).toEqual([
      { path: "/dev/sda2", type: "partition" },
      { path: "/a b", type: "file" },
    ]);
  });

  it("throw at nothing, and give back every path", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseSwaps(text)).toBeInstanceOf(Array);
      }),
    );
    fc.assert(
      fc.property(anyPath, (path) => {
        expect(parseSwaps(`${mangle(path)}  file\t\t12\t\t0\t\t-2\n`)).toEqual([
          { path, type: "file" },
        ]);
      }),
    );
  });
});
