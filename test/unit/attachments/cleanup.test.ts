import { existsSync, readFileSync } from "node:fs";
import {
  attachVolume,
  BlockhaulError,
  cleanUpAttachments,
  detachVolume,
  listAttachments,
  registerDriver,
} from "blockhaul";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { openAttachment } from "../../../src/attachments/attachment.js";
import { settleAbandoned } from "../../../src/attachments/cleanup.js";
import { withHostLock } from "../../../src/attachments/lock.js";
import { attachmentStore } from "../../../src/attachments/store.js";
import { connectionStep, exportStep } from "../../../src/export-steps.js";
import { native } from "../../../src/native.js";
import { ArrayDriver, StorageArray } from "../../driver-suite/example-export-driver.js";
import { AttachingProcess } from "../../support/attaching-process.js";
import { StateDirectory } from "../../support/state-directory.js";

const state = new StateDirectory();
const driver = new ArrayDriver(new StorageArray([]));
registerDriver(driver);
let undone: string[] = [];

beforeEach(() => {
  undone = [];
  vi.spyOn(driver, "removeExport").mockImplementation(async ({ id }) => {
    undone.push(`export ${id}`);
  });
  vi.spyOn(driver, "terminateConnection").mockImplementation(async ({ id }) => {
    undone.push(`connection ${id}`);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  state.clear();
});
afterAll(() => state[Symbol.dispose]());

const first = "0".repeat(12);
const second = "1".repeat(12);
const exportOf = (id: string) => ({
  kind: "export",
  data: { driver: "array", ref: "array:a", id },
});
const statesById = async () =>
  Object.fromEntries((await listAttachments()).map(({ id, state }) => [id, state]));

describe("the list of attachments", () => {
  it("is empty where nothing was ever attached, and makes nothing", async () => {
    await expect(listAttachments()).resolves.toEqual([]);
    expect(existsSync(state.folder)).toBe(false);
  });

  it("says of each what was done, oldest first, and why it could not be undone", async () => {
    state.put({
      id: second,
      ref: "array:b",
      createdAt: "2026-02-01T00:00:00.000Z",
      failure: "sda is mounted",
    });
    state.put({
      id: first,
      createdAt: "2026-01-01T00:00:00.000Z",
      steps: [exportOf(first), { ...exportOf(first), kind: "connection" }],
    });
    const common = { pid: 999_999_999, state: "abandoned", device: undefined };
    await expect(listAttachments()).resolves.toEqual([
      {
        ...common,
        id: first,
        ref: "array:a",
        createdAt: "2026-01-01T00:00:00.000Z",
        steps: ["export of array:a", "access of this host to array:a"],
        failure: undefined,
      },
      {
        ...common,
        id: second,
        ref: "array:b",
        createdAt: "2026-02-01T00:00:00.000Z",
        steps: [],
        failure: "sda is mounted",
      },
    ]);
  });

  it("has one that this version cannot undo, and one whose steps it cannot read", async () => {
    state.put({ id: first, steps: [{ kind: "teleport", data: {} }] });
    state.put({ id: second, steps: [{ kind: "iscsi-lun", data: {} }] });
    const steps = (await listAttachments()).flatMap((status) => status.steps);
    expect(steps).toEqual([
      expect.stringContaining('"teleport"'),
      expect.stringContaining('"iscsi-lun"'),
    ]);
  });

  it("looks without being seen: whoever wants to hold one meanwhile does", async () => {
    state.put({ id: first, steps: [exportOf(first)] });
    const looking = Promise.all(Array.from({ length: 20 }, () => listAttachments()));
    const [cleaned] = await Promise.all([cleanUpAttachments(), looking]);
    expect(cleaned).toMatchObject([{ id: first, undone: ["export of array:a"] }]);
    for (const list of await looking) for (const { state } of list) expect(state).toBe("abandoned");
    expect(state.files).toEqual([]);
  });

  it("is not taken for use: whoever only looks has the lock for a moment", async () => {
    state.put({ id: first, steps: [exportOf(first)] });
    const { lockFile } = native();
    let looks = 0;
    vi.spyOn(native(), "lockFile").mockImplementation((file) => {
      const isLookedAt = file.endsWith(`${first}.lock`) && looks++ % 2 === 0;
      return isLookedAt ? null : lockFile(file);
    });
    expect(await statesById()).toEqual({ [first]: "abandoned" });
    await expect(cleanUpAttachments()).resolves.toMatchObject([{ id: first }]);
  });

  it("makes no lock again of one that was undone in the meantime", async () => {
    const record = state.put({ id: first });
    vi.spyOn(attachmentStore, "list").mockResolvedValueOnce([record]);
    await attachmentStore.remove(first);
    await expect(listAttachments()).resolves.toEqual([]);
    expect(state.files).toEqual([]);
  });
});

describe("an attachment of another process", () => {
  it("is in use while that lives, and abandoned once it is killed", async () => {
    await using other = new AttachingProcess("hold");
    const id = await other.said;
    expect(await listAttachments()).toMatchObject([
      { id, ref: "array:a", state: "in use", pid: other.pid },
    ]);
    await expect(cleanUpAttachments()).resolves.toEqual([]);
    await expect(detachVolume(id)).rejects.toMatchObject({
      code: "ERR_IN_USE",
      message: expect.stringContaining(`used by the process ${other.pid}`),
    });
    await expect(settleAbandoned([`export array ${id}`])).resolves.toBeUndefined();
    expect(undone).toEqual([]);

    await other.kill();
    expect(await statesById()).toEqual({ [id]: "abandoned" });
    const expected = ["access of this host to array:a", "export of array:a"];
    await expect(cleanUpAttachments()).resolves.toEqual([{ id, ref: "array:a", undone: expected }]);
    expect(undone).toEqual([`connection ${id}`, `export ${id}`]);
    await expect(cleanUpAttachments()).resolves.toEqual([]);
    expect(state.files).toEqual([]);
  });

  it("that is kept stays when it is killed, until somebody detaches it", async () => {
    await using other = new AttachingProcess("keep");
    const id = await other.said;
    expect(await statesById()).toEqual({ [id]: "kept" });
    await other.kill();
    expect(await statesById()).toEqual({ [id]: "kept" });
    await expect(cleanUpAttachments()).resolves.toEqual([]);
    await settleAbandoned([`export array ${id}`]);
    expect(undone).toEqual([]);
    await expect(detachVolume(id)).resolves.toMatchObject({ id, ref: "array:a" });
    expect(undone).toEqual([`connection ${id}`, `export ${id}`]);
    expect(state.files).toEqual([]);
    await expect(detachVolume(id)).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
  });

  it("is not told by its pid, which may be given to another process", async () => {
    state.put({ id: first, pid: process.pid });
    expect(await statesById()).toEqual({ [first]: "abandoned" });
    await expect(cleanUpAttachments()).resolves.toHaveLength(1);
  });

  it("waits for a process that attaches, and goes on as soon as that is killed", async () => {
    await using other = new AttachingProcess("lock");
    await other.said;
    state.put({ id: first, steps: [exportOf(first)] });
    const cleaning = cleanUpAttachments();
    await expect(listAttachments()).resolves.toHaveLength(1);
    expect(undone).toEqual([]);
    await other.kill();
    await expect(cleaning).resolves.toHaveLength(1);
    expect(undone).toEqual([`export ${first}`]);
  });
});

describe("the clean-up", () => {
  it("begins with the newest, and goes on after one that cannot be undone", async () => {
    const third = "2".repeat(12);
    for (const [index, id] of [second, third, first].entries()) {
      state.put({ id, createdAt: `2026-01-0${index + 1}T00:00:00.000Z`, steps: [exportOf(id)] });
    }
    const away = new BlockhaulError("ERR_UNREACHABLE", { message: "the array is away" });
    vi.mocked(driver.removeExport).mockImplementation(async ({ id }) => {
      undone.push(id);
      if (id === third) throw away;
    });
    const cleaned = await cleanUpAttachments();
    expect(undone).toEqual([first, third, second]);
    expect(cleaned.map(({ id, error }) => [id, error?.code])).toEqual([
      [first, undefined],
      [third, "ERR_UNREACHABLE"],
      [second, undefined],
    ]);
    expect(await listAttachments()).toMatchObject([
      { id: third, state: "abandoned", failure: expect.stringContaining("the array is away") },
    ]);

    // As often as it takes.
    await expect(cleanUpAttachments()).resolves.toMatchObject([
      { id: third, error: { code: away.code } },
    ]);
    vi.mocked(driver.removeExport).mockResolvedValue();
    expect(await cleanUpAttachments()).toEqual([
      { id: third, ref: "array:a", undone: ["export of array:a"] },
    ]);
    expect(state.files).toEqual([]);
  });

  it("says what it had undone before a step failed", async () => {
    state.put({ id: first, steps: [exportOf(first), { ...exportOf(first), kind: "connection" }] });
    vi.mocked(driver.removeExport).mockRejectedValue(new Error("no"));
    await expect(cleanUpAttachments()).resolves.toMatchObject([
      { undone: ["access of this host to array:a"], error: { code: "ERR_INTERNAL" } },
    ]);
  });

  it("undoes what was kept before the host's last start, or whose detach failed", async () => {
    state.put({ id: first, kept: true, bootId: "an earlier one", steps: [exportOf(first)] });
    state.put({ id: second, kept: true, failure: "it was busy", steps: [exportOf(second)] });
    expect(await statesById()).toEqual({ [first]: "abandoned", [second]: "abandoned" });
    await expect(cleanUpAttachments()).resolves.toHaveLength(2);
    expect(undone.sort()).toEqual([`export ${first}`, `export ${second}`]);
  });

  it("leaves a step to the attachment in use that lists it, too", async () => {
    state.put({ id: first, steps: [exportOf(first)] });
    const living = await openAttachment("array:a");
    await living.share(exportStep, { driver: "array", ref: "array:a", id: first });
    await expect(cleanUpAttachments()).resolves.toEqual([
      { id: first, ref: "array:a", undone: [] },
    ]);
    expect(undone).toEqual([]);
    await living.undo();
    expect(undone).toEqual([`export ${first}`]);
  });

  it("touches nothing where a file is no record, and names that", async () => {
    for (const text of ["", "{", "{}", readFileSync(new URL(import.meta.url), "utf8")]) {
      state.clear();
      state.put({ id: first, steps: [exportOf(first)] });
      state.write(`${second}.json`, text);
      for (const doing of [cleanUpAttachments, listAttachments, () => detachVolume(first)]) {
        await expect(doing()).rejects.toMatchObject({
          code: "ERR_JOURNAL",
          message: expect.stringContaining(state.path(`${second}.json`)),
        });
      }
    }
    expect(undone).toEqual([]);
  });

  it("takes no copy of a record for one", async () => {
    const record = state.put({ id: first, steps: [exportOf(first)] });
    state.write(`${second}.json`, JSON.stringify(record));
    await expect(cleanUpAttachments()).rejects.toMatchObject({ code: "ERR_JOURNAL" });
    expect(undone).toEqual([]);
  });

  it("sweeps up locks and drafts that killed processes left, and no other file", async () => {
    state.put({ id: first, kept: true });
    state.write(`${first}.lock`, "");
    state.write(`${second}.lock`, "");
    state.write(`.${second}.json.0123456789abcdef.new`, "{");
    state.write("notes.txt", "of the administrator");
    await expect(cleanUpAttachments()).resolves.toEqual([]);
    expect(state.files).toEqual([`${first}.json`, `${first}.lock`, "notes.txt"]);
  });

  it("fails where the state directory cannot be used, and says which it is", async () => {
    state.write("notes.txt", "");
    vi.stubEnv("BLOCKHAUL_STATE_DIR", state.path("notes.txt"));
    for (const doing of [cleanUpAttachments, listAttachments, () => detachVolume(first)]) {
      await expect(doing()).rejects.toMatchObject({
        name: "BlockhaulError",
        hint: expect.stringContaining(state.path("notes.txt")),
      });
    }
    vi.unstubAllEnvs();
  });
});

describe("detachVolume", () => {
  it("takes an id or a ref, in the driver's form or another", async () => {
    const ref = "iscsi://10.0.0.1/iqn.2026-01.org.example:a/1";
    for (const named of [first, ref, "iscsi://10.0.0.1:3260/iqn.2026-01.org.example:a/1"]) {
      state.put({ id: first, ref, kept: true });
      await expect(detachVolume(named)).resolves.toEqual({ id: first, ref, undone: [] });
      expect(state.files).toEqual([]);
    }
  });

  it("takes the ref of a driver that is not known here", async () => {
    state.put({ id: first, ref: "elsewhere:a", kept: true });
    await expect(detachVolume("elsewhere:a")).resolves.toMatchObject({ id: first });
  });

  it("takes one that was abandoned, too", async () => {
    state.put({ id: first, steps: [exportOf(first)] });
    await expect(detachVolume("array:a")).resolves.toMatchObject({
      id: first,
      undone: ["export of array:a"],
    });
  });

  it("does not choose between several of one ref", async () => {
    state.put({ id: first, kept: true, createdAt: "2026-01-01T00:00:00.000Z" });
    state.put({ id: second, kept: true, createdAt: "2026-01-02T00:00:00.000Z" });
    await expect(detachVolume("array:a")).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: `2 attachments have the ref array:a: ${first}, ${second}`,
      hint: "name one by its id",
    });
    await detachVolume(second);
    await detachVolume("array:a");
    expect(state.files).toEqual([]);
  });

  it("knows nothing of what was not attached", async () => {
    for (const named of ["", first, "array:b", "../../etc/passwd", "array:A"]) {
      await expect(detachVolume(named)).rejects.toMatchObject({
        code: "ERR_NOT_FOUND",
        hint: expect.stringContaining("blockhaul attachments"),
      });
    }
  });

  it("passes on why it cannot be undone, and can be tried again", async () => {
    state.put({ id: first, kept: true, steps: [exportOf(first)] });
    vi.mocked(driver.removeExport).mockRejectedValueOnce(
      new BlockhaulError("ERR_IN_USE", { message: "sda is mounted" }),
    );
    await expect(detachVolume(first)).rejects.toMatchObject({
      code: "ERR_IN_USE",
      message: expect.stringContaining("sda is mounted"),
    });
    await expect(detachVolume(first)).resolves.toMatchObject({ id: first });
  });
});

describe("what is about to be attached again", () => {
  it("has its abandoned attachments undone before, and no others", async () => {
    state.put({ id: first, steps: [exportOf(first)] });
    state.put({ id: second, steps: [exportOf(second)] });
    await settleAbandoned([`export array ${second}`, "iscsi-lun 1 of something"]);
    expect(undone).toEqual([`export ${second}`]);
    expect(state.records.map(({ id }) => id)).toEqual([first]);
  });

  it("is refused where that fails: what is left could be taken for it", async () => {
    state.put({ id: first, steps: [exportOf(first)] });
    vi.mocked(driver.removeExport).mockRejectedValue(new Error("the array is away"));
    await expect(settleAbandoned([`export array ${first}`])).rejects.toMatchObject({
      code: "ERR_IN_USE",
      message: expect.stringMatching(new RegExp(`${first}, is not undone yet: .*array is away`)),
      hint: expect.stringContaining("blockhaul cleanup"),
    });
  });
});

describe("attachVolume", () => {
  it("refuses what has nothing to attach, and records nothing", async () => {
    for (const ref of ["file:/tmp/x.img", "null:", "rbd:rbd/x"]) {
      await expect(attachVolume(ref)).rejects.toMatchObject({
        code: "ERR_UNSUPPORTED",
        volume: ref,
      });
    }
    expect(existsSync(state.folder)).toBe(false);
  });

  it("keeps what was attached, and names it", async () => {
    const device = { path: "/dev/sdx", identity: { size: 1 }, paths: 1, failures: [] };
    vi.spyOn(driver, "attach").mockImplementation(async (_name, { attachment }) => {
      const data = { driver: "array", ref: attachment.ref, id: attachment.id };
      await attachment.record(connectionStep, data);
      return device;
    });
    const attached = await attachVolume("array:a");
    expect(attached).toEqual({ ...device, id: expect.any(String), ref: "array:a" });
    expect(await statesById()).toEqual({ [attached.id]: "kept" });
    await detachVolume("array:a");
    expect(undone).toEqual([`connection ${attached.id}`]);
  });

  it("undoes what it did where it cannot be kept", async () => {
    vi.spyOn(driver, "attach").mockImplementation(async (_name, { attachment }) => {
      const data = { driver: "array", ref: attachment.ref, id: "1" };
      await attachment.record(connectionStep, data);
      vi.spyOn(attachmentStore, "save").mockRejectedValueOnce(new BlockhaulError("ERR_NO_SPACE"));
      return { path: "/dev/sdx", identity: { size: 1 }, paths: 1, failures: [] };
    });
    await expect(attachVolume("array:a")).rejects.toMatchObject({ code: "ERR_NO_SPACE" });
    expect(undone).toEqual(["connection 1"]);
    expect(state.files).toEqual([]);
  });

  it("that waits for others gives up on a signal", async () => {
    const aborting = new AbortController();
    const attaching = await withHostLock(async () => {
      const waiting = attachVolume("array:a", { signal: aborting.signal });
      aborting.abort();
      return [waiting.catch((error: unknown) => error)] as const;
    });
    expect(await attaching[0]).toMatchObject({ code: "ERR_CANCELLED", operation: "attach" });
    expect(state.files).toEqual([]);
  });
});
