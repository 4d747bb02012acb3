import { readFileSync, writeFileSync } from "node:fs";
import { registerDriver } from "blockhaul";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Attachment, bootId, openAttachment } from "../../../src/attachments/attachment.js";
import { stepKind } from "../../../src/attachments/kinds.js";
import type { StepKind } from "../../../src/attachments/step.js";
import { attachmentStore } from "../../../src/attachments/store.js";
import { undoing } from "../../../src/attachments/undoing.js";
import { sessionStep } from "../../../src/connectors/iscsi/steps.js";
import { BlockhaulError } from "../../../src/errors.js";
import { connectionStep, exportStep } from "../../../src/export-steps.js";
import { ArrayDriver, StorageArray } from "../../driver-suite/example-export-driver.js";
import { StateDirectory } from "../../support/state-directory.js";

const state = new StateDirectory();
const driver = new ArrayDriver(new StorageArray([]));
registerDriver(driver);

/** What the driver was asked to undo: "export 1", "connection 2". */
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

const data = (id: string) => ({ driver: "array", ref: "array:a", id });
const stepsOnDisk = () => state.records.flatMap(({ steps }) => steps.map(({ data }) => data.id));

/** An attachment with exports of these ids. */
async function attachmentWith(...ids: readonly string[]): Promise<Attachment> {
  const attachment = await openAttachment("array:a");
  for (const id of ids) await attachment.record(exportStep, data(id));
  return attachment;
}

describe("an attachment", () => {
  it("forgets a step whose thing is gone, and undoes the others", async () => {
    const attachment = await attachmentWith("1", "2", "3");
    await attachment.forget(exportStep, data("2"));
    expect(stepsOnDisk()).toEqual(["1", "3"]);
    await attachment.undo();
    expect(undone).toEqual(["export 3", "export 1"]);
  });

  it("is on disk from its beginning, for its owner only", async () => {
    const attachment = await openAttachment("array:a");
    expect(state.records).toEqual([
      {
        version: 1,
        id: attachment.id,
        ref: "array:a",
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        bootId: bootId(),
        pid: process.pid,
        kept: false,
        steps: [],
      },
    ]);
    expect(attachment.id).toMatch(/^[0-9a-f]{12}$/);
    expect(state.files).toEqual([`${attachment.id}.json`, `${attachment.id}.lock`]);
    await attachment.undo();
    expect(state.files).toEqual([]);
  });

  it("has a step on disk before it can be made", async () => {
    const attachment = await attachmentWith("1");
    expect(stepsOnDisk()).toEqual(["1"]);
    await attachment.record(connectionStep, data("2"));
    expect(state.records[0]?.steps).toEqual([
      { kind: "export", data: data("1") },
      { kind: "connection", data: data("2") },
    ]);
    await attachment.undo();
  });

  it("takes no step that cannot be recorded", async () => {
    const attachment = await attachmentWith("1");
    vi.spyOn(attachmentStore, "save").mockRejectedValueOnce(new BlockhaulError("ERR_NO_SPACE"));
    await expect(attachment.record(exportStep, data("2"))).rejects.toMatchObject({
      code: "ERR_NO_SPACE",
    });
    await attachment.undo();
    expect(undone).toEqual(["export 1"]);
  });

  it("that cannot be recorded leaves nothing, and says where it would have been", async () => {
    writeFileSync(state.folder, "a file where the folder should be");
    await expect(openAttachment("array:a")).rejects.toMatchObject({
      name: "BlockhaulError",
      hint: expect.stringContaining(state.folder),
    });
    state.clear();
    vi.spyOn(attachmentStore, "save").mockRejectedValueOnce(new BlockhaulError("ERR_NO_SPACE"));
    await expect(openAttachment("array:a")).rejects.toMatchObject({ code: "ERR_NO_SPACE" });
    expect(state.files).toEqual([]);
  });

  it("learns more of a step, the newest with its key", async () => {
    const attachment = await openAttachment("array:a");
    const session = { iqn: "iqn.2026-01.test:a", host: "10.0.0.1", port: 3260 };
    await attachment.record(sessionStep, session);
    await attachment.record(sessionStep, { ...session, host: "10.0.0.2" });
    await attachment.amend(sessionStep, { ...session, sid: 7 });
    expect(state.records[0]?.steps.map(({ data }) => data)).toEqual([
      { ...session, sid: 7 },
      { ...session, host: "10.0.0.2" },
    ]);
    const unknown = attachment.amend(sessionStep, { ...session, port: 3261 });
    await expect(unknown).rejects.toMatchObject({ code: "ERR_INTERNAL" });
    await attachment.undo();
  });
});

describe("an undo", () => {
  it("takes the newest step first, each off the disk before the next", async () => {
    const attachment = await attachmentWith("1", "2", "3");
    const left: unknown[] = [];
    vi.mocked(driver.removeExport).mockImplementation(async ({ id }) => {
      undone.push(id);
      left.push(stepsOnDisk());
    });
    const told: string[] = [];
    await attachment.undo(told);
    expect(undone).toEqual(["3", "2", "1"]);
    expect(left).toEqual([["1", "2", "3"], ["1", "2"], ["1"]]);
    expect(told).toEqual(Array(3).fill("export of array:a"));
    expect(state.files).toEqual([]);
  });

  it("stops at the first step that fails; the rest stays recorded, with the reason", async () => {
    const attachment = await attachmentWith("1", "2", "3");
    const busy = new BlockhaulError("ERR_IN_USE", { message: "sda is mounted", errno: 16 });
    vi.mocked(driver.removeExport).mockImplementation(async ({ id }) => {
      undone.push(id);
      if (id === "2") throw busy;
    });
    const told: string[] = [];
    await expect(attachment.undo(told)).rejects.toMatchObject({
      code: "ERR_IN_USE",
      volume: "array:a",
      operation: "detach",
      errno: 16,
      message: "array:a: detach: could not undo the export of array:a: sda is mounted",
      hint: expect.stringContaining("blockhaul cleanup"),
      cause: busy,
    });
    expect(undone).toEqual(["3", "2"]);
    expect(told).toHaveLength(1);
    expect(stepsOnDisk()).toEqual(["1", "2"]);
    expect(state.records[0]?.failure).toContain("sda is mounted");
    await expect(attachmentStore.look(attachment.id)).resolves.toBe("free");
  });

  it("of what an exception stopped is an error of ours, too", async () => {
    const attachment = await attachmentWith("1");
    vi.mocked(driver.removeExport).mockRejectedValue(new TypeError("the author's fault"));
    await expect(attachment.undo()).rejects.toMatchObject({
      code: "ERR_INTERNAL",
      message: expect.stringContaining("the author's fault"),
    });
  });

  it("refuses a kind of step that this version does not know, and leaves what is below it", async () => {
    const made = await attachmentWith("1");
    const steps = [
      { kind: "export", data: data("1") },
      { kind: "teleport", data: {} },
    ];
    const record = state.put({ id: made.id, steps });
    await expect(new Attachment(record, undefined).undo()).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining('"teleport"'),
    });
    expect(undone).toEqual([]);
    expect(state.records[0]?.steps).toEqual(steps);
    await expect(stepKind("constructor")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  it("is not kept from its work by what others record and this version does not know", async () => {
    state.put({ id: "0".repeat(12), steps: [{ kind: "teleport", data: {} }] });
    const attachment = await attachmentWith("1");
    await attachment.share(exportStep, data("2"));
    await attachment.undo();
    expect(undone).toEqual(["export 1"]);
  });

  it("touches nothing while a record cannot be read: it might share a step", async () => {
    const attachment = await attachmentWith("1");
    state.write("0123456789ab.json", "{");
    await expect(attachment.undo()).rejects.toMatchObject({
      code: "ERR_JOURNAL",
      message: expect.stringContaining("0123456789ab.json is no record of an attachment"),
      hint: expect.stringContaining("undo by hand"),
    });
    expect(undone).toEqual([]);
    expect(state.files).toContain(`${attachment.id}.json`);
  });

  it("touches nothing while the records cannot be listed", async () => {
    const attachment = await attachmentWith("1");
    const list = vi.spyOn(attachmentStore, "list");
    list.mockRejectedValueOnce(new BlockhaulError("ERR_RESOURCES"));
    await expect(attachment.undo()).rejects.toMatchObject({ code: "ERR_RESOURCES" });
    expect(undone).toEqual([]);
  });
});

describe("a step that two attachments list", () => {
  it("is undone by the last of them, whichever that is", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      undone = [];
      const made = await attachmentWith("1");
      const sharing = await attachmentWith("2");
      await sharing.share(exportStep, data("1"));
      expect(stepsOnDisk().sort()).toEqual(["1", "1", "2"]);
      const both = order.map((index) => [made, sharing][index]);
      await both[0]?.undo();
      expect(undone).not.toContain("export 1");
      await both[1]?.undo();
      expect(undone.sort()).toEqual(["export 1", "export 2"]);
      expect(state.files).toEqual([]);
    }
  });

  it("is known by its kind and its key, and shared as it was made", async () => {
    const session = { iqn: "iqn.2026-01.test:a", host: "10.0.0.1", port: 3260 };
    const made = await openAttachment("array:a");
    await made.record(sessionStep, { ...session, sid: 7, scansAll: true });
    const sharing = await openAttachment("array:a");
    await sharing.share(sessionStep, { ...session, sid: 7 });
    const of = (id: string) => state.records.find((record) => record.id === id)?.steps;
    expect(of(sharing.id)).toEqual(of(made.id));
    await made.undo();
    await sharing.undo();
  });

  it("of another kind is another, also with the same key", async () => {
    const made = await attachmentWith("1");
    const sharing = await openAttachment("array:a");
    await sharing.share(connectionStep, data("1"));
    expect(stepsOnDisk()).toEqual(["1"]);
    await sharing.undo();
    await made.undo();
    expect(undone).toEqual(["export 1"]);
  });

  it("that no attachment lists is somebody else's, and is not joined in", async () => {
    const attachment = await openAttachment("array:a");
    await attachment.share(exportStep, data("1"));
    await attachment.undo();
    expect(undone).toEqual([]);
  });
});

describe("a record of an earlier start of the host", () => {
  const session = { iqn: "iqn.2026-01.test:a", host: "10.0.0.1", port: 3260, sid: 1 };
  const earlier = () =>
    state.put({
      id: "0".repeat(12),
      bootId: "an earlier one",
      steps: [
        { kind: "export", data: data("1") },
        { kind: "iscsi-session", data: session },
      ],
    });

  it("has what outlives the start undone, and leaves alone what does not", async () => {
    const undo = vi.spyOn(sessionStep, "undo").mockResolvedValue();
    const told: string[] = [];
    await new Attachment(earlier(), undefined).undo(told);
    expect(undo).not.toHaveBeenCalled();
    expect(undone).toEqual(["export 1"]);
    expect(told).toEqual(["export of array:a"]);
    expect(state.files).toEqual([]);
  });

  it("shares no session that somebody logged in since", async () => {
    const undo = vi.spyOn(sessionStep, "undo").mockResolvedValue();
    earlier();
    const using = await openAttachment("array:a");
    await using.share(sessionStep, session);
    await using.undo();
    expect(undo).not.toHaveBeenCalled();

    // Nor does it keep ours from being ended.
    const made = await openAttachment("array:a");
    await made.record(sessionStep, session);
    await made.undo();
    expect(undo).toHaveBeenCalledExactlyOnceWith(session);
  });

  it.each(["iscsi-session", "iscsi-lun", "multipath-map", "lvm-activation"])(
    "is the end of what a step of the kind %s made",
    async (name) => {
      expect((await stepKind(name)).untilReboot).toBe(true);
    },
  );

  it.each(["export", "connection", "iscsi-node", "iscsi-discovery", "lvm-snapshot"])(
    "is not the end of what a step of the kind %s made",
    async (name) => {
      expect((await stepKind(name)).untilReboot).toBeUndefined();
    },
  );
});

describe("undoing", () => {
  it("gives what was done, and undoes nothing", async () => {
    const attachment = await attachmentWith("1");
    await expect(undoing(attachment, async () => "done")).resolves.toBe("done");
    expect(undone).toEqual([]);
    await attachment.undo();
  });

  it("undoes what fails, and says why it failed", async () => {
    const attachment = await attachmentWith("1");
    const failure = new BlockhaulError("ERR_UNREACHABLE", { message: "nobody there" });
    const failing = undoing(attachment, () => Promise.reject(failure));
    await expect(failing).rejects.toBe(failure);
    expect(undone).toEqual(["export 1"]);
    expect(state.files).toEqual([]);
  });

  it("says both what failed and what could not be undone", async () => {
    const attachment = await attachmentWith("1");
    vi.mocked(driver.removeExport).mockRejectedValue(new Error("the array is away"));
    const failure = new BlockhaulError("ERR_UNREACHABLE", { message: "nobody there", errno: 111 });
    const error = await undoing(attachment, () => Promise.reject(failure)).catch((both) => both);
    expect(error).toMatchObject({ code: "ERR_UNREACHABLE", errno: 111 });
    expect(error.message).toMatch(/nobody there; and then .*export of array:a.*the array is away/);
    expect(error.hint).toContain("blockhaul cleanup");
    expect(error.cause).toBeInstanceOf(AggregateError);
    expect(stepsOnDisk()).toEqual(["1"]);
  });
});

it("every kind of step in the table has its own name", async () => {
  const table = readFileSync(new URL("../../../src/attachments/kinds.ts", import.meta.url), "utf8");
  const names = [...table.matchAll(/^ {2}"?([a-z-]+)"?: async/gm)].map(([, name]) => name ?? "");
  expect(names.length).toBeGreaterThan(8);
  const kinds: StepKind[] = await Promise.all(names.map(stepKind));
  expect(kinds.map(({ name }) => name)).toEqual(names);
});
