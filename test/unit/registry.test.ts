import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { VolumeDriver } from "../../src/driver.js";
import { BlockhaulError } from "../../src/errors.js";
import { resolveRef, schemeOf } from "../../src/refs.js";
import { listDrivers, registerDriver } from "../../src/registry.js";

const driver = (name: string, schemes: string[]): VolumeDriver => ({
  name,
  schemes,
  summary: "",
  refForms: [],
  supports: {
    write: false,
    create: false,
    createOptions: [],
    extents: false,
    zero: false,
    snapshots: false,
    delete: false,
  },
  parseRef: (ref) => ref,
  openVolume: async () => ({ volume: { size: 0, read: () => {} } }),
});

describe("a ref", () => {
  it.each([
    ["disk.img", "file", { path: "disk.img" }],
    ["./foo:bar", "file", { path: "./foo:bar" }],
    ["dir/foo:bar", "file", { path: "dir/foo:bar" }],
    ["//double//slash", "file", { path: "/double//slash" }],
    ["file:foo:bar", "file", { path: "foo:bar" }],
    ["file:///a%20b", "file", { path: "/a b" }],
    ["file:/a%20b", "file", { path: "/a%20b" }],
    ["block:/dev/sda", "block", { path: "/dev/sda" }],
    ["zero:4k", "synthetic", { kind: "zero", size: 4096 }],
  ])("%s belongs to %s", async (ref, name, location) => {
    const resolved = await resolveRef(ref);
    expect(resolved.driver.name).toBe(name);
    expect(resolved.location).toEqual(location);
  });

  it.each(["foo:bar", "C:\\disk.img", "FILE:x", ":x", "nfs://server/x"])(
    "%s has an unknown scheme, and the known are listed",
    async (ref) => {
      const error = await resolveRef(ref).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "ERR_UNKNOWN_SCHEME" });
      expect(error.message).toMatch(/file:.*block:.*rbd:.*pattern:/);
    },
  );

  it.each(["", "a\0b", "rbd:a\nb", "x\x7f"])("%j is malformed", async (ref) => {
    await expect(resolveRef(ref)).rejects.toMatchObject({ code: "ERR_INVALID_REF" });
  });

  it("of any text either resolves or fails with a BlockhaulError", async () => {
    const schemes = ["", "rbd:", "file:", "block:", "null:", "zero:", "pattern:", "file://"];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...schemes),
        fc.string({ unit: "binary" }),
        async (prefix, rest) => {
          const error = await resolveRef(prefix + rest).then(
            () => undefined,
            (thrown) => thrown,
          );
          expect(error === undefined || error instanceof BlockhaulError).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("with a slash before its first colon is a path", () => {
    expect(schemeOf("a/b:c")).toBeUndefined();
    expect(schemeOf("a:b/c")).toBe("a");
  });
});

describe("registering a driver", () => {
  it("makes its schemes known", async () => {
    registerDriver(driver("tape", ["tape", "tape+lto"]));
    expect((await resolveRef("tape+lto:x")).driver.name).toBe("tape");
    expect((await listDrivers()).map(({ name }) => name)).toContain("tape");
  });

  it.each([
    ["a built-in name", driver("rbd", ["ceph"])],
    ["a built-in scheme", driver("ceph", ["rbd"])],
    ["a malformed name", driver("No", ["no"])],
    ["a malformed scheme", driver("no", ["n:o"])],
  ])("refuses %s", (_what, refused) => {
    expect(() => registerDriver(refused)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});
