import { beforeEach, describe, expect, it } from "vitest";

import {
  createSnapshot,
  type DriverOpenOptions,
  deleteSnapshot,
  deleteVolume,
  openVolume,
  registerDriver,
  type VolumeDriver,
} from "../../src/index.js";

const calls: unknown[] = [];
let failure: Error | undefined;

const supports = {
  write: false,
  create: false,
  createOptions: [],
  extents: false,
  zero: false,
  snapshots: true,
  delete: true,
} as const;

const keeper: VolumeDriver<string> = {
  name: "keeper",
  schemes: ["keeper"],
  summary: "for this test",
  refForms: [],
  supports,
  parseRef: (ref) => ref.slice("keeper:".length),
  formatRef: (location) => `keeper:${location}`,
  openVolume: () => Promise.reject(new Error("not opened here")),
  async createSnapshot(location, { name = "new" }) {
    calls.push(["create", this.name, location]);
    if (failure !== undefined) throw failure;
    return `${location}@${name}`;
  },
  async deleteSnapshot(location) {
    calls.push(["drop", this.name, location]);
  },
  async deleteVolume(location) {
    calls.push(["delete", this.name, location]);
    if (failure !== undefined) throw failure;
  },
};

registerDriver(keeper as VolumeDriver);
registerDriver({
  ...keeper,
  name: "giver",
  schemes: ["giver"],
  supports: { ...supports, snapshots: false, delete: false },
} as VolumeDriver);

beforeEach(() => {
  calls.length = 0;
  failure = undefined;
});

describe("snapshots and deletions", () => {
  it("are the driver's, and a snapshot is a ref again", async () => {
    expect(await createSnapshot("keeper:a")).toBe("keeper:a@new");
    expect(await createSnapshot("keeper:a", { name: "b" })).toBe("keeper:a@b");
    await deleteSnapshot("keeper:a@b");
    await deleteVolume("keeper:a");
    expect(calls).toEqual([
      ["create", "keeper", "a"],
      ["create", "keeper", "a"],
      ["drop", "keeper", "a@b"],
      ["delete", "keeper", "a"],
    ]);
  });

  it("are refused where the driver does not promise them", async () => {
    const unsupported = { code: "ERR_UNSUPPORTED", volume: "giver:a" };
    await expect(createSnapshot("giver:a")).rejects.toMatchObject(unsupported);
    await expect(deleteSnapshot("giver:a")).rejects.toMatchObject(unsupported);
    await expect(deleteVolume("giver:a")).rejects.toMatchObject(unsupported);
    await expect(deleteVolume("null:1MiB")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(calls).toEqual([]);
  });

  it("are opened in the volume's place, only to read, and only where there are any", async () => {
    const opened: unknown[] = [];
    registerDriver({
      ...keeper,
      name: "shower",
      schemes: ["shower"],
      parseRef: (ref: string) => ref,
      openVolume: async (_: unknown, options: DriverOpenOptions) => {
        opened.push(options.snapshot);
        return { volume: { size: 1, read: () => {} } };
      },
    } as VolumeDriver);
    await (await openVolume("shower:a", { snapshot: true })).close();
    await (await openVolume("shower:a", { snapshot: false })).close();
    expect(opened).toEqual([true, undefined]);
    await expect(openVolume("giver:a", { snapshot: true })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    const writing = openVolume("null:", { snapshot: true, mode: "write" });
    await expect(writing).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });

  it("refuse a name that is no text", async () => {
    await expect(createSnapshot("keeper:a", { name: 1 as never })).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
  });

  it("say which volume a failure is about", async () => {
    failure = Object.assign(new Error("busy"), { errno: -16 });
    await expect(deleteVolume("keeper:a")).rejects.toMatchObject({
      code: "ERR_IN_USE",
      volume: "keeper:a",
      operation: "delete",
    });
    await expect(createSnapshot("keeper:a")).rejects.toMatchObject({ operation: "snapshot" });
  });
});
