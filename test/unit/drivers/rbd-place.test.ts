import { describe, expect, it } from "vitest";

import { parsePoolStats, rbdPlaces } from "../../../src/drivers/rbd-place.js";
import type { RbdPlace } from "../../../src/drivers/rbd-settings.js";

const MiB = 1024 ** 2;

async function validate(settings: unknown) {
  return rbdPlaces.settings["~standard"].validate(settings);
}

async function place(settings: unknown): Promise<RbdPlace> {
  const result = await validate(settings);
  if (result.issues !== undefined) throw new Error(result.issues[0]?.message);
  return result.value;
}

describe("the settings of a backend of images", () => {
  it("are a pool at the least", async () => {
    const vms = await place({ pool: "vms" });
    expect(vms).toEqual({ pool: "vms", namespace: "", settings: {}, create: {} });
    expect(rbdPlaces.createOptions?.(vms, undefined)).toEqual({});
  });

  it("say how the cluster is reached, and what new images are", async () => {
    const all = await place({
      pool: "vms",
      namespace: "team",
      id: "blockhaul",
      cluster: "west",
      conf: "/etc/ceph/west.conf",
      timeout: 5,
      keyring: "/etc/ceph/key",
      monHost: "10.0.0.1:6789",
      objectSize: "8MiB",
      features: ["layering"],
      dataPool: "ec",
      stripeUnit: 65536,
      stripeCount: 4,
    });
    const spot = {
      pool: "vms",
      namespace: "team",
      id: "blockhaul",
      cluster: "west",
      conf: "/etc/ceph/west.conf",
      timeout: 5,
      settings: { keyring: "/etc/ceph/key", mon_host: "10.0.0.1:6789" },
    };
    const create = {
      objectSize: 8 * MiB,
      features: ["layering"],
      dataPool: "ec",
      stripeUnit: 65536,
      stripeCount: 4,
    };
    expect(all).toEqual({ ...spot, create });
    expect(rbdPlaces.locate(all, "disk-1")).toEqual({ ...spot, image: "disk-1" });
    expect(rbdPlaces.locate(all, "a:b@c d")).toEqual({ ...spot, image: "a:b", snapshot: "c d" });
    expect(rbdPlaces.createOptions?.(all, "thin")).toEqual(create);
  });

  it.each([
    [{}, "pool", /pool/],
    [{ pool: "" }, "pool", /must not be empty/],
    [{ pool: "a/b" }, "pool", /must not contain a slash/],
    [{ pool: "a", namespace: "b/c" }, "namespace", /must not contain a slash/],
    [{ pool: "a", timeout: 0 }, "timeout", /1 to 999999 seconds/],
    [{ pool: "a", timeout: 1.5 }, "timeout", /whole number/],
    [{ pool: "a", key: "x" }, "key", /key/],
    [{ pool: "a", objectSize: "large" }, "objectSize", /"large" is not a size/],
    [{ pool: "a", objectSize: true }, "objectSize", /must be a size: 4194304, 4MiB/],
    [{ pool: "a", objectSize: "3MiB" }, undefined, /not a power of two/],
    [{ pool: "a", features: ["speed"] }, undefined, /"speed" is no feature/],
    [{ pool: "a", stripeUnit: 4096 }, undefined, /go together/],
  ])("are refused as %j", async (settings, key, message) => {
    const { issues = [] } = await validate(settings);
    expect(issues).toHaveLength(1);
    expect(issues[0]?.message).toMatch(message);
    const [first] = issues[0]?.path ?? [];
    expect(typeof first === "object" ? first.key : first).toBe(key);
  });
});

describe("a name in a pool", () => {
  it.each(["", "a/b", "@", "a@", "@b", "a@b@c", "a\0b"])("is not %j", async (name) => {
    const vms = await place({ pool: "vms" });
    expect(() => rbdPlaces.locate(vms, name)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_REF" }),
    );
  });
});

describe("what `ceph df` says of a pool", () => {
  const answer = (stats: Readonly<Record<string, number>>) =>
    JSON.stringify({
      pools: [
        { name: "other", stats: {} },
        { name: "vms", stats },
      ],
    });

  it("is what it holds and can still take", () => {
    const stats = { stored: 100, max_avail: 900, quota_bytes: 0, bytes_used: 300 };
    const expected = { capacity: 1000, free: 900, granularity: 1 };
    expect(parsePoolStats(answer(stats), "vms")).toEqual(expected);
  });

  it.each([
    [500, 500, 400],
    [2000, 1000, 900],
    [50, 50, 0],
  ])("is no more than its quota: %i", (quota_bytes, capacity, free) => {
    const stats = { stored: 100, max_avail: 900, quota_bytes };
    expect(parsePoolStats(answer(stats), "vms")).toEqual({ capacity, free, granularity: 1 });
  });

  it("is nothing where it is not counted yet", () => {
    expect(parsePoolStats(answer({}), "none")).toBeUndefined();
  });
});
