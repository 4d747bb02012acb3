import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatRbdRef, parseRbdRef, type RbdLocation } from "../../../src/drivers/rbd-ref.js";
import { BlockhaulError } from "../../../src/errors.js";

const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });

describe("parseRbdRef", () => {
  it.each<[string, Partial<RbdLocation>]>([
    ["rbd:disk", { pool: "rbd", namespace: "", image: "disk" }],
    ["rbd:vms/disk", { pool: "vms", image: "disk" }],
    ["rbd:vms/team/disk", { pool: "vms", namespace: "team", image: "disk" }],
    ["rbd:vms/disk@before", { pool: "vms", image: "disk", snapshot: "before" }],
    ["rbd:disk:id=nova", { image: "disk", id: "nova" }],
    ["rbd:disk:id=nova:conf=/etc/ceph/b.conf", { id: "nova", conf: "/etc/ceph/b.conf" }],
    ["rbd:disk:cluster=b:keyring=/k", { cluster: "b", settings: { keyring: "/k" } }],
    ["rbd:disk:mon_host=10.0.0.1\\:6789", { settings: { mon_host: "10.0.0.1:6789" } }],
    ["rbd:disk:mon-host=a", { settings: { mon_host: "a" } }],
    ["rbd:disk:timeout=5", { timeout: 5, settings: {} }],
    ["rbd:a\\/b\\@c\\:d\\\\e", { pool: "rbd", image: "a/b@c:d\\e" }],
    ["rbd:disk:log_file=a=b", { settings: { log_file: "a=b" } }],
    ["rbd:disk:constructor=x", { settings: { constructor: "x" } } as never],
  ])("reads %s", (ref, location) => {
    expect(parseRbdRef(ref)).toMatchObject(location);
  });

  it.each([
    "rbd:",
    "rbd",
    "rbd:/disk",
    "rbd:pool/",
    "rbd:pool//disk",
    "rbd:a/b/c/d",
    "rbd:disk@",
    "rbd:disk@a@b",
    "rbd:disk@a/b",
    "rbd:disk:",
    "rbd:disk:id",
    "rbd:disk:id=",
    "rbd:disk:=x",
    "rbd:disk:ID=x",
    "rbd:disk:id=a:id=b",
    "rbd:disk:timeout=0",
    "rbd:disk:timeout=soon",
    "rbd:disk:timeout=1:timeout=2",
    "rbd:disk\\",
    "rbd:a\0b",
  ])("refuses %j", (ref) => {
    expect(() => parseRbdRef(ref)).toThrowError(invalid);
  });

  it("refuses a secret, without repeating it", () => {
    const error = captured(() => parseRbdRef("rbd:disk:key=AQBsesame=="));
    expect(error).toMatchObject({
      code: "ERR_INVALID_REF",
      hint: expect.stringMatching(/keyring/),
    });
    expect(JSON.stringify(error)).not.toContain("sesame");
  });

  it("throws nothing but BlockhaulErrors with ERR_INVALID_REF, whatever it gets", () => {
    const piece = fc.oneof(fc.constantFrom(..."\\:@/=", "id=", "conf=", "\0"), fc.string());
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const error = captured(() => parseRbdRef(`rbd:${pieces.join("")}`));
        expect(error === undefined || error.code === "ERR_INVALID_REF").toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

it("formatRbdRef gives a ref that is read as the same location again", () => {
  const text = fc
    .string({
      minLength: 1,
      unit: fc.oneof(fc.constantFrom(..."\\:@/=.-_ a"), fc.string({ minLength: 1, maxLength: 1 })),
    })
    .filter((value) => !value.includes("\0"));
  const setting = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
  const reserved = ["id", "cluster", "conf", "timeout", "key"];
  const location: fc.Arbitrary<RbdLocation> = fc.record(
    {
      pool: text,
      namespace: fc.oneof(fc.constant(""), text),
      image: text,
      settings: fc.dictionary(
        setting.filter((name) => !reserved.includes(name)),
        text,
        { noNullPrototype: true },
      ),
      snapshot: text,
      id: text,
      cluster: text,
      conf: text,
      timeout: fc.integer({ min: 1, max: 999_999 }),
    },
    { requiredKeys: ["pool", "namespace", "image", "settings"] },
  );
  fc.assert(
    fc.property(location, (before) => {
      expect(parseRbdRef(formatRbdRef(before))).toEqual(before);
    }),
    { numRuns: 3000 },
  );
});

function captured(action: () => unknown): BlockhaulError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof BlockhaulError) return error;
    throw error;
  }
}
