/** A driver of somebody else's over the base; attaching for real is tested in the guest. */
import {
  BlockhaulError,
  cleanUpAttachments,
  type DriverSupport,
  ExportDriver,
  type IscsiConnection,
  listAttachments,
  openVolume,
  registerDriver,
} from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { withHostLock } from "../../src/attachments/lock.js";
import { attachmentStore } from "../../src/attachments/store.js";
import { attachIscsi } from "../../src/connectors/iscsi/connector.js";
import { waitFor } from "../../src/system/wait.js";
import { ArrayDriver, StorageArray } from "../driver-suite/example-export-driver.js";
import { AttachingProcess } from "../support/attaching-process.js";
import { blockhaul } from "../support/command.js";
import { LoopDevices } from "../support/loop.js";
import { StateDirectory } from "../support/state-directory.js";
import { Workspace } from "../support/workspace.js";

vi.mock("../../src/connectors/iscsi/connector.js", { spy: true });
vi.mock("../../src/attachments/lock.js", { spy: true });
vi.mock("../../src/system/wait.js", { spy: true });

const MiB = 1024 ** 2;
/** Nobody here lets go of a device that is waited for. */
const CLAIM_DEADLINE_MS = 5000;
const { waitFor: waitForIt } = await vi.importActual<{ waitFor: typeof waitFor }>(
  "../../src/system/wait.js",
);
const METHODS = [
  "createExport",
  "initializeConnection",
  "terminateConnection",
  "removeExport",
] as const;
type Method = (typeof METHODS)[number];

const state = new StateDirectory();
const workspace = new Workspace();
const loops = new LoopDevices();
// Without portals, every attach fails before it touches this host.
const array = new StorageArray([]);
const driver = new ArrayDriver(array);
registerDriver(driver);

/** What was called, in order, and with which requests. */
let calls: string[] = [];
let requests: unknown[] = [];

beforeEach(() => {
  calls = [];
  requests = [];
  array.exports.clear();
  array.volumes.set("a", { size: MiB, serial: "0001" });
  vi.mocked(waitFor).mockImplementation((ask, options) => {
    const isClaim = options.deadlineMs === CLAIM_DEADLINE_MS;
    return waitForIt(ask, isClaim ? { ...options, deadlineMs: 50 } : options);
  });
  for (const method of METHODS) {
    const own = driver[method].bind(driver) as (request: unknown) => Promise<never>;
    vi.spyOn(driver, method).mockImplementation((request): Promise<never> => {
      calls.push(method);
      requests.push(request);
      return own(request);
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.mocked(attachIscsi).mockReset();
  vi.mocked(withHostLock).mockReset();
  vi.mocked(waitFor).mockReset();
  state.clear();
});
afterAll(async () => {
  state[Symbol.dispose]();
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

const unreachable = (message: string) => new BlockhaulError("ERR_UNREACHABLE", { message });

/** A method that fails in this test, but is noted. */
function fail(method: Method, message: string): void {
  vi.mocked(driver[method]).mockImplementationOnce(async () => {
    calls.push(method);
    throw unreachable(message);
  });
}

/** Attaching works: a loop device stands for the LUN. */
function attachTo(path: string): void {
  vi.mocked(attachIscsi).mockImplementation(async () => {
    calls.push("attach");
    return { path, identity: { size: MiB }, paths: 1, failures: [] };
  });
}

const openError = () => openVolume("array:a").catch((error: BlockhaulError) => error);
const stepsOnDisk = () => state.records.flatMap(({ steps }) => steps.map(({ kind }) => kind));

describe("an open that fails", () => {
  it("when it attaches undoes the rest, each with the same request", async () => {
    expect(await openError()).toMatchObject({
      name: "BlockhaulError",
      code: "ERR_INVALID_REF",
      volume: "array:a",
      message: expect.stringContaining("names no portal"),
    });
    expect(calls).toEqual(METHODS);
    const [request] = requests;
    expect(request).toEqual({
      location: "a",
      ref: "array:a",
      id: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
    expect(requests).toEqual(Array(4).fill(request));
    expect(array.exports.size).toBe(0);
    expect(state.files).toEqual([]);
  });

  it.each<[Method, readonly Method[]]>([
    ["createExport", ["createExport", "removeExport"]],
    ["initializeConnection", METHODS],
  ])("in %s undoes what may have been made", async (method, expected) => {
    fail(method, "the array is away");
    expect(await openError()).toMatchObject({
      code: "ERR_UNREACHABLE",
      message: "array:a: the array is away",
    });
    expect(calls).toEqual(expected);
    expect(array.exports.size).toBe(0);
    expect(state.files).toEqual([]);
  });

  it("at the device undoes the rest", async () => {
    attachTo("/dev/blockhaul-no-such-device");
    expect(await openError()).toMatchObject({ code: "ERR_NOT_FOUND" });
    expect(calls).toEqual([...METHODS.slice(0, 2), "attach", ...METHODS.slice(2)]);
    expect(state.files).toEqual([]);
  });

  it("since somebody has claimed the device says so, and undoes the rest", async () => {
    const device = await loops.attachNew(workspace.path("claimed.img"), MiB);
    attachTo(device.path);
    await using first = await openVolume("array:a", { mode: "write" });
    expect(first.size).toBe(MiB);
    expect(await openError()).toMatchObject({
      code: "ERR_IN_USE",
      hint: expect.stringContaining(`lsblk ${device.path}`),
    });
    expect(array.exports.size).toBe(1);
  });

  it("is none where this process has claimed the device to read it, and reads it once more", async () => {
    const device = await loops.attachNew(workspace.path("read-twice.img"), MiB);
    attachTo(device.path);
    const first = await openVolume("array:a");
    await using second = await openVolume("array:a");
    expect(second.size).toBe(MiB);
    const writing = openVolume("array:a", { mode: "write" });
    await expect(writing).rejects.toMatchObject({ code: "ERR_IN_USE" });
    await first.close();
    // The claim went with the open that made it.
    await using other = await openVolume("array:a");
    await expect(openVolume(`block:${device.path}`, { exclusive: true })).rejects.toMatchObject({
      code: "ERR_IN_USE",
    });
    expect(other.size).toBe(MiB);
  });

  it.each<[Method, string, string[]]>([
    ["terminateConnection", "access of this host to array:a", ["export", "connection"]],
    ["removeExport", "export of array:a", ["export"]],
  ])("and whose %s fails says both, and leaves that to `cleanup`", async (method, what, left) => {
    fail(method, "the array is away");
    const error = await openError();
    expect(error).toMatchObject({
      code: "ERR_INVALID_REF",
      hint: expect.stringContaining("blockhaul cleanup"),
      cause: expect.any(AggregateError),
    });
    expect((error as Error).message).toMatch(
      new RegExp(`names no portal; and then .*could not undo the ${what}: the array is away`),
    );
    expect(calls).toEqual(METHODS.slice(0, METHODS.indexOf(method) + 1));
    expect(stepsOnDisk()).toEqual(left);
    expect(await listAttachments()).toMatchObject([
      { state: "abandoned", failure: expect.stringContaining("the array is away") },
    ]);

    calls = [];
    await expect(cleanUpAttachments()).resolves.toMatchObject([{ ref: "array:a" }]);
    expect(calls).toEqual(METHODS.slice(METHODS.indexOf(method)));
    expect(array.exports.size).toBe(0);
    expect(state.files).toEqual([]);
  });

  it("because it was given up undoes nothing, for nothing was done", async () => {
    const signal = AbortSignal.abort();
    await expect(openVolume("array:a", { signal })).rejects.toMatchObject({
      code: "ERR_CANCELLED",
    });
    expect(calls).toEqual([]);
    expect(state.files).toEqual([]);
  });
});

describe("what is recorded", () => {
  it("is there before each step is made, and holds no secret", async () => {
    const seen: string[][] = [];
    let text = "";
    for (const method of METHODS) {
      const noted = vi.mocked(driver[method]).getMockImplementation();
      vi.mocked(driver[method]).mockImplementation(async (request): Promise<never> => {
        seen.push(stepsOnDisk());
        const answer = await noted?.(request);
        text += JSON.stringify(state.records);
        return answer as never;
      });
    }
    vi.mocked(attachIscsi).mockImplementation(async ({ auth }) => {
      text += JSON.stringify(state.records);
      expect(text).not.toContain(auth?.secret);
      throw unreachable("nobody there");
    });
    await openError();
    const both = ["export", "connection"];
    expect(seen).toEqual([["export"], both, both, ["export"]]);
    expect(text).toContain("array:a");
  });

  it("is nothing of what a driver cannot undo", async () => {
    class Plain extends ArrayDriver {
      override readonly name: "array" = "array";
    }
    const plain = new Plain(array);
    Object.assign(plain, { terminateConnection: undefined, removeExport: undefined });
    vi.mocked(attachIscsi).mockImplementation(async () => {
      expect(state.records).toMatchObject([{ ref: "array:a", steps: [] }]);
      throw unreachable("nobody there");
    });
    const opening = plain.openVolume("a", { mode: "read", ref: "array:a" });
    await expect(opening).rejects.toMatchObject({ message: "nobody there" });
    expect(state.files).toEqual([]);
  });
});

describe("an open volume", () => {
  it("is in use, and its close undoes what the open did, once", async () => {
    const device = await loops.attachNew(workspace.path("open.img"), MiB);
    attachTo(device.path);
    const volume = await openVolume("array:a", { mode: "write" });
    expect(calls).toEqual(["createExport", "initializeConnection", "attach"]);
    expect(await listAttachments()).toMatchObject([{ state: "in use", pid: process.pid }]);
    await expect(cleanUpAttachments()).resolves.toEqual([]);
    await volume.write(Buffer.from("text"), { position: 0 });
    await Promise.all([volume.close(), volume.close()]);
    expect(calls.slice(3)).toEqual(["terminateConnection", "removeExport"]);
    expect(array.exports.size).toBe(0);
    expect(state.files).toEqual([]);
  });

  it("whose export cannot be removed is closed, and left to `cleanup`", async () => {
    const device = await loops.attachNew(workspace.path("stuck.img"), MiB);
    attachTo(device.path);
    const volume = await openVolume("array:a");
    fail("removeExport", "the array is away");
    await expect(volume.close()).rejects.toMatchObject({
      code: "ERR_UNREACHABLE",
      message: expect.stringContaining("the array is away"),
    });
    await expect(volume.read(Buffer.alloc(1), { position: 0 })).rejects.toMatchObject({
      code: "ERR_VOLUME_CLOSED",
    });
    await expect(cleanUpAttachments()).resolves.toMatchObject([{ undone: ["export of array:a"] }]);
    expect(state.files).toEqual([]);
  });

  it("whose device cannot be closed has the rest undone, and says what failed", async () => {
    const device = await loops.attachNew(workspace.path("broken.img"), MiB);
    attachTo(device.path);
    for (const alsoFails of [false, true]) {
      calls = [];
      const opened = await driver.openVolume("a", { mode: "read", ref: "array:a" });
      await opened.volume.close();
      const broken = { close: () => Promise.reject(new BlockhaulError("ERR_IO")) };
      if (alsoFails) fail("terminateConnection", "the array is away");
      const closing = driver.closeVolume({ ...opened, volume: broken as never });
      const both = /medium failed.*; and then .*the array is away/;
      await expect(closing).rejects.toMatchObject({
        code: "ERR_IO",
        message: alsoFails ? expect.stringMatching(both) : expect.stringMatching(/medium failed/),
      });
      expect(calls).toContain("terminateConnection");
      expect(calls.includes("removeExport")).toBe(!alsoFails);
    }
  });

  it("that others keep from being detached is given up to `cleanup`", async () => {
    const device = await loops.attachNew(workspace.path("waiting.img"), MiB);
    attachTo(device.path);
    const volume = await openVolume("array:a");
    const [{ id } = { id: "" }] = state.records;
    vi.mocked(withHostLock).mockRejectedValueOnce(new BlockhaulError("ERR_TIMEOUT"));
    await expect(volume.close()).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await expect(attachmentStore.look(id)).resolves.toBe("free");
    await expect(cleanUpAttachments()).resolves.toMatchObject([{ id }]);
    expect(array.exports.size).toBe(0);
  });
});

describe("an export of a process that was killed", () => {
  it.each<[Method, readonly Method[]]>([
    ["createExport", ["removeExport"]],
    ["initializeConnection", ["terminateConnection", "removeExport"]],
    ["terminateConnection", ["terminateConnection", "removeExport"]],
    ["removeExport", ["removeExport"]],
  ])("in %s is undone where the driver is registered", async (method, expected) => {
    await using other = new AttachingProcess("stop", method);
    const id = await other.said;
    await other.kill();
    expect(await listAttachments()).toMatchObject([{ id, state: "abandoned", pid: other.pid }]);
    await expect(cleanUpAttachments()).resolves.toMatchObject([{ id, ref: "array:a" }]);
    expect(calls).toEqual(expected);
    expect(requests).toEqual(expected.map(() => ({ location: "a", ref: "array:a", id })));
    await expect(cleanUpAttachments()).resolves.toEqual([]);
    expect(state.files).toEqual([]);
  });

  it("stays recorded where the driver is not registered, and says what to do", async () => {
    await using other = new AttachingProcess("stop", "initializeConnection");
    const id = await other.said;
    await other.kill();
    const { status, stdout, stderr } = await blockhaul(["cleanup", "--json"]);
    expect(status).toBe(7);
    expect(JSON.parse(stdout)).toMatchObject({
      type: "cleaned",
      id,
      ref: "array:a",
      undone: [],
      error: {
        code: "ERR_DRIVER_UNAVAILABLE",
        message: expect.stringContaining("the driver array, which made it, is not known"),
        hint: expect.stringContaining("where that driver is registered"),
      },
    });
    expect(stderr).toMatch(
      /^blockhaul: array:a: detach: could not undo the access of this host to array:a/,
    );
    expect(stepsOnDisk()).toEqual(["export", "connection"]);

    await cleanUpAttachments();
    expect(calls).toEqual(["terminateConnection", "removeExport"]);
    expect(state.files).toEqual([]);
  });

  const abandonedBy = (name: string, ref: string) => {
    const id = "0123456789ab";
    state.put({ id, ref, steps: [{ kind: "export", data: { driver: name, ref, id } }] });
  };

  it("is not undone by a driver of the same name that exports nothing", async () => {
    abandonedBy("file", "file:/tmp/x");
    await expect(cleanUpAttachments()).resolves.toMatchObject([
      { undone: [], error: { code: "ERR_DRIVER_UNAVAILABLE" } },
    ]);
    expect(stepsOnDisk()).toEqual(["export"]);
  });

  it("is not undone where its driver does not understand the ref any more", async () => {
    abandonedBy("array", "array:A/../B");
    await expect(cleanUpAttachments()).resolves.toMatchObject([
      { undone: [], error: { code: "ERR_INVALID_REF" } },
    ]);
    expect(calls).toEqual([]);
    expect(stepsOnDisk()).toEqual(["export"]);
  });
});

describe("volumes made by their driver", () => {
  class MakingDriver extends ExportDriver<string> {
    readonly name = "making";
    readonly schemes = ["making"];
    readonly summary = "volumes that are there once they are asked for";
    readonly refForms = ["making:NAME"];
    readonly supports: DriverSupport = {
      ...driver.supports,
      create: "when-asked",
    };
    parseRef(ref: string): string {
      return ref.slice("making:".length);
    }
    formatRef(name: string): string {
      return `making:${name}`;
    }
    protected override async prepareVolume(_name: string, create: unknown): Promise<boolean> {
      return create !== undefined;
    }
    async initializeConnection(): Promise<IscsiConnection> {
      return { portals: [], iqn: "iqn.2026-01.org.example:a", lun: 1 };
    }
  }
  registerDriver(new MakingDriver());

  it("are known to be zero only by the open that made them", async () => {
    const device = await loops.attachNew(workspace.path("made.img"), MiB);
    attachTo(device.path);
    const create = { size: MiB };
    for (const [options, zeroState] of [
      [{ mode: "write", create }, "proven-zero"],
      [{ mode: "write" }, "unknown"],
      [{ mode: "read" }, "unknown"],
    ] as const) {
      await using volume = await openVolume("making:a", options);
      expect(volume.info.zeroState).toBe(zeroState);
    }
    expect(state.files).toEqual([]);
  });
});

describe("the example of docs/DRIVERS.md", () => {
  const paths = new Map<string, string>();

  beforeEach(() => {
    vi.mocked(attachIscsi).mockImplementation(async ({ expected }) => ({
      path: paths.get(expected?.serial ?? "") ?? "",
      identity: { size: expected?.size ?? 0 },
      paths: 1,
      failures: [],
    }));
  });

  testDriver({
    test: { describe, it },
    driver,
    sizeUnit: 512,
    provide: async (size) => {
      const name = `volume-${paths.size}`;
      const device = await loops.attachNew(workspace.path(`${name}.img`), size);
      array.volumes.set(name, { size, serial: name });
      paths.set(name, device.path);
      return {
        ref: `array:${name}`,
        remove: async () => {
          expect(array.exports.size).toBe(0);
          expect(state.files).toEqual([]);
          await loops.detach(device);
        },
      };
    },
    absent: () => ({ ref: "array:not-there" }),
    malformedRefs: ["array:", "array", "array:A", "array:a/b", "other:a", "array:a\n"],
  });
});
