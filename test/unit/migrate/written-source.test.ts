import { closeSync, openSync, readdirSync, statSync, utimesSync } from "node:fs";
import { BlockhaulError, planMigration } from "blockhaul";
import { describe, expect, it } from "vitest";

import { flipByte } from "../../support/flip.js";
import { digest, errorOf, ioError, type Stage, stageOf } from "./stage.js";

describe("a source that is written to", () => {
  const write = (stage: Stage) => flipByte(stage.present, 2_000_000);

  it("since its snapshot was taken is not handed over", async () => {
    const stage = await stageOf({ snapshots: true });
    const hooks = { beforeHandover: () => write(stage) };
    const error = await errorOf(stage.migrate({ rename: true, deleteSource: true, hooks }));
    expect(error).toMatchObject({ code: "ERR_LIVE_SOURCE", side: "source" });
    const written = digest(stage.source);
    expect((await errorOf(stage.resume({ hooks: { beforeHandover: () => {} } }))).code).toBe(
      "ERR_LIVE_SOURCE",
    );
    await stage.abort();
    expect(digest(stage.source)).toBe(written);
    write(stage);
    await stage.isUndone();
  });

  it.each([
    { abilities: { snapshots: true }, options: { rename: true } },
    { abilities: {}, options: { rename: true } },
    { abilities: {}, options: {} },
  ])("between two runs of a hand-over is not handed over: $abilities, $options", async (one) => {
    const stage = await stageOf(one.abilities);
    stage.inTheWay("rename", ioError);
    expect((await errorOf(stage.migrate(one.options))).code).toBe("ERR_IO");
    stage.outOfTheWay();
    write(stage);
    expect((await errorOf(stage.resume())).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it.each([{}, { rename: true }, { rename: true, verify: false }])(
    "within the only run is not handed over: %o",
    async (options) => {
      const stage = await stageOf();
      const hooks = { beforeHandover: () => write(stage) };
      const error = await errorOf(stage.migrate({ ...options, hooks }));
      expect(error).toMatchObject({ code: "ERR_LIVE_SOURCE", side: "source" });
      await stage.abort();
      write(stage);
      await stage.isUndone();
    },
  );

  it.each([
    { what: "gone", taken: false, deleteSource: false },
    { what: "gone", taken: false, deleteSource: true },
    { what: "another of that name", taken: true, deleteSource: false },
    { what: "another of that name", taken: true, deleteSource: true },
  ])(
    "whose snapshot is $what is not handed over: $deleteSource",
    async ({ taken, deleteSource }) => {
      const stage = await stageOf({ snapshots: true });
      const beforeHandover = async () => {
        const [snapshot] = (await stage.driver.listSnapshots?.({ path: stage.source })) ?? [];
        if (snapshot === undefined) throw new Error("it has no snapshot");
        // Else the next file might get the number of its inode.
        const kept = openSync(stage.snapshotFile(snapshot.name), "r");
        await stage.driver.deleteSnapshot?.(snapshot.location);
        write(stage);
        const { name } = snapshot;
        if (taken) await stage.driver.createSnapshot?.({ path: stage.source }, { name });
        closeSync(kept);
      };
      const error = await errorOf(stage.migrate({ deleteSource, hooks: { beforeHandover } }));
      expect(error).toMatchObject({ code: "ERR_LIVE_SOURCE", side: "source" });
      expect(error.message).toMatch(/was removed: what was copied may be of two moments/);
      await stage.abort();
      write(stage);
      await stage.isUndone();
    },
  );

  it.each([{}, { rename: true }, { verify: false }])(
    "is read again where its storage keeps no account of writes: %o",
    async (options) => {
      const stage = await stageOf();
      stage.inTheWay("open to read", async (proceed) => ({
        ...((await proceed()) as object),
        writeStamp: undefined,
      }));
      const hooks = { beforeHandover: () => write(stage) };
      const error = await errorOf(stage.migrate({ ...options, hooks }));
      expect(error).toMatchObject({ code: "ERR_LIVE_SOURCE", side: "source" });
    },
  );

  it("within the only run is not handed over, though it hides the time of that", async () => {
    const stage = await stageOf();
    const beforeHandover = () => {
      const { atime, mtime } = statSync(stage.source);
      write(stage);
      utimesSync(stage.source, atime, mtime);
    };
    const failed = errorOf(stage.migrate({ hooks: { beforeHandover } }));
    expect((await failed).code).toBe("ERR_LIVE_SOURCE");
  });

  it("with what it holds anyway is handed over", async () => {
    const stage = await stageOf();
    const beforeHandover = () => {
      write(stage);
      write(stage);
    };
    await stage.migrate({ rename: true, hooks: { beforeHandover } });
    await stage.isDone();
  });

  it("whose snapshot keeps no account of it is not handed over either", async () => {
    const stage = await stageOf({ snapshots: true });
    Object.assign(stage.driver, { changedExtents: undefined });
    const hooks = { beforeHandover: () => write(stage) };
    expect((await errorOf(stage.migrate({ hooks }))).code).toBe("ERR_LIVE_SOURCE");
  });

  it.each([
    { what: "its snapshot", abilities: { snapshots: true }, call: "drop snapshot" },
    { what: "nothing but a look", abilities: {}, call: "open to read" },
  ])("after it was compared is not removed, frozen by $what", async ({ abilities, call }) => {
    const stage = await stageOf(abilities);
    let written = false;
    const afterHandover = () =>
      stage.inTheWay(call, async (proceed, { path }) => {
        if (!written && path === stage.present && stage.isCompared) {
          written = true;
          write(stage);
        }
        return proceed();
      });
    const options = { deleteSource: true, hooks: { afterHandover } };
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_LIVE_SOURCE");
    stage.outOfTheWay();
    expect((await errorOf(stage.resume())).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it("while it is compared is not removed, where only its snapshot tells", async () => {
    const stage = await stageOf({ snapshots: true });
    const afterHandover = () => {
      let written = false;
      stage.inTheWay("close", async (proceed) => {
        await proceed();
        if (written || !stage.isCompared) return;
        written = true;
        write(stage);
      });
    };
    const options = { deleteSource: true, hooks: { afterHandover } };
    const error = await errorOf(stage.migrate(options));
    expect(error).toMatchObject({ code: "ERR_LIVE_SOURCE", offset: expect.any(Number) });
  });

  it("is not removed", async () => {
    const stage = await stageOf();
    const hooks = { afterHandover: () => write(stage) };
    const options = { deleteSource: true, hooks };
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it("is not removed after a refusal to remove it", async () => {
    const stage = await stageOf();
    stage.inTheWay("delete", async () => {
      throw new BlockhaulError("ERR_IN_USE");
    });
    const options = { rename: true, deleteSource: true };
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_IN_USE");
    stage.outOfTheWay();
    const { id } = await stage.status();
    flipByte(`${stage.source}.moved-${id}`, 2_000_000);
    expect((await errorOf(stage.resume())).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it("and has got a snapshot meanwhile keeps both that and those that were carried over", async () => {
    const stage = await stageOf({ snapshots: true }, ["monday"]);
    const afterHandover = async () => {
      await stage.driver.createSnapshot?.({ path: stage.source }, { name: "late" });
    };
    const options = { withSnapshots: true, deleteSource: true, hooks: { afterHandover } };
    const error = await errorOf(stage.migrate(options));
    expect(error.code).toBe("ERR_IN_USE");
    expect(error.message).toContain("late");
    expect(stage.listing()).toMatch(/from\/disk@monday .*from\/disk@late/);
    await stage.driver.deleteSnapshot?.({ path: stage.source, snapshot: "late" });
    await stage.abort();
    await stage.isUndone();
  });
});

it("with a snapshot that was taken anew under a carried one's name is not removed", async () => {
  const stage = await stageOf({ snapshots: true }, ["monday"]);
  const afterHandover = async () => {
    const snapshot = { path: stage.source, snapshot: "monday" };
    await stage.driver.createSnapshot?.({ path: stage.source }, { name: "late" });
    // As long as it is open, the new one does not get its inode.
    const hidden = stage.workspace.path(`hidden/${statSync(stage.source).ino}`);
    const held = readdirSync(hidden).map((file) => openSync(`${hidden}/${file}`, "r"));
    await stage.driver.deleteSnapshot?.(snapshot);
    await stage.driver.createSnapshot?.({ path: stage.source }, { name: "monday" });
    for (const one of held) closeSync(one);
    await stage.driver.deleteSnapshot?.({ ...snapshot, snapshot: "late" });
  };
  const options = { withSnapshots: true, deleteSource: true, hooks: { afterHandover } };
  const error = await errorOf(stage.migrate(options));
  expect(error.code, error.message).toBe("ERR_IN_USE");
  expect(error.message).toContain("monday");
  expect(stage.listing()).toContain("from/disk@monday");
});

it("that nothing would show is said beforehand", async () => {
  const noticesOf = async (stage: Stage, options = {}) => {
    const plan = await planMigration(`${stage.from}:disk`, `${stage.to}:disk`, options);
    return plan.notices.filter((notice) => notice.includes("nothing shows"));
  };
  const stage = await stageOf();
  expect(await noticesOf(stage)).toEqual([]);
  stage.inTheWay("open to read", async (proceed) => {
    const { volume } = (await proceed()) as { volume: { close(): Promise<void> } };
    return { volume: { size: 4096, read: async () => {}, close: () => volume.close() } };
  });
  expect(await noticesOf(stage)).toHaveLength(1);
  expect(await noticesOf(stage, { allow: ["live-source"] })).toEqual([]);
  const [notice] = await noticesOf(stage, { deleteSource: true });
  expect(notice).toContain("before it is removed");
});
