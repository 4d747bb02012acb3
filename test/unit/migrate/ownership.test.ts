/** What is not the migration's is neither removed nor renamed, whatever came in between. */
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import {
  abortMigration,
  BlockhaulError,
  migrateVolume,
  removeMigration,
  resumeMigration,
} from "blockhaul";
import { describe, expect, it } from "vitest";
import { SIZE } from "../../kills/migrations/sparse.mjs";
import { flipByte } from "../../support/flip.js";
import { digest, errorOf, ioError, stageOf } from "./stage.js";

describe("somebody else's volume", () => {
  const bytes = "somebody's";

  it("under the target's name survives resume and abort", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: () => writeFileSync(stage.target, bytes) };
    expect((await errorOf(stage.migrate({ rename: true, hooks }))).code).toBe("ERR_EXISTS");
    expect((await errorOf(stage.resume({ hooks }))).code).toBe("ERR_EXISTS");
    await stage.abort();
    expect(readFileSync(stage.target, "utf8")).toBe(bytes);
    rmSync(stage.target);
    await stage.isUndone();
  });

  it("under the target's name has to go before a resume", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: () => writeFileSync(stage.target, bytes) };
    expect((await errorOf(stage.migrate({ rename: true, hooks }))).code).toBe("ERR_EXISTS");
    rmSync(stage.target);
    await stage.resume();
    await stage.isDone();
  });

  it("under the name that the source is to get is not touched", async () => {
    const stage = await stageOf();
    let aside = "";
    const beforeHandover = ({ id }: { id: string }) => {
      aside = stage.workspace.path(`from/disk.moved-${id}`);
      writeFileSync(aside, bytes);
    };
    const failed = errorOf(stage.migrate({ rename: true, hooks: { beforeHandover } }));
    expect((await failed).code).toBe("ERR_EXISTS");
    await stage.abort();
    expect(readFileSync(aside, "utf8")).toBe(bytes);
    rmSync(aside);
    await stage.isUndone();
  });

  it("under the source's name, once that was removed, is not removed as well", async () => {
    const stage = await stageOf();
    stage.inTheWay("delete", async (proceed) => {
      await proceed();
      return ioError();
    });
    expect((await errorOf(stage.migrate({ deleteSource: true }))).code).toBe("ERR_IO");
    expect((await stage.status()).abortable).toBe(false);
    expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
    stage.outOfTheWay();
    // Even a file that gets the inode of the one that was removed.
    writeFileSync(stage.source, bytes);
    const ended = await stage.resume().catch((error) => error);
    expect(readFileSync(stage.source, "utf8")).toBe(bytes);
    if (ended instanceof BlockhaulError) expect(ended.code).toBe("ERR_JOURNAL");
    rmSync(stage.source);
    if (ended instanceof BlockhaulError) await stage.resume();
    await stage.isDone();
  });

  it("in the source's place is neither copied nor changed", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: ioError };
    expect((await errorOf(stage.migrate({ rename: true, hooks }))).code).toBe("ERR_HOOK");
    const [real, other] = [stage.workspace.path("real"), stage.workspace.path("other")];
    writeFileSync(other, bytes);
    renameSync(stage.source, real);
    renameSync(other, stage.source);
    expect((await errorOf(stage.resume({ hooks: { beforeHandover: () => {} } }))).code).toBe(
      "ERR_JOURNAL",
    );
    await stage.abort();
    expect(readFileSync(stage.source, "utf8")).toBe(bytes);
    renameSync(real, stage.source);
    await stage.isUndone();
  });

  it("in the source's place is not set aside, though a live source is allowed", async () => {
    const stage = await stageOf();
    stage.inTheWay("rename", ioError);
    const allow = ["live-source"] as const;
    expect((await errorOf(stage.migrate({ rename: true, allow }))).code).toBe("ERR_IO");
    stage.outOfTheWay();
    const real = stage.workspace.path("real");
    renameSync(stage.source, real);
    writeFileSync(stage.source, bytes);
    expect((await errorOf(stage.resume())).code).toBe("ERR_JOURNAL");
    expect(readFileSync(stage.source, "utf8")).toBe(bytes);
    await stage.abort();
    expect(readFileSync(stage.source, "utf8")).toBe(bytes);
    renameSync(real, stage.source);
    await stage.isUndone();
  });

  it("in the source's place is not copied, before a byte was and though a live source is allowed", async () => {
    const stage = await stageOf();
    const stop = new AbortController();
    const allow = ["live-source"] as const;
    const stopped = stage.migrate({
      allow,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "state" && event.state === "copying") stop.abort();
      },
    });
    expect((await errorOf(stopped)).code).toBe("ERR_CANCELLED");
    const real = stage.workspace.path("real");
    renameSync(stage.source, real);
    copyFileSync(stage.workspace.path("to/stranger"), stage.source);
    const again = await errorOf(stage.resume());
    expect(again).toMatchObject({ code: "ERR_JOURNAL", side: "source" });
    await stage.abort();
    renameSync(real, stage.source);
    await stage.isUndone();
  });

  it("in the target's place is not taken for what the short way made", async () => {
    const stage = await stageOf({ shortWay: true, rename: false });
    const hooks = { beforeHandover: ioError };
    stage.inTheWay("short way", async (proceed) => {
      await proceed();
      flipByte(stage.target, 5_000_000);
    });
    expect((await errorOf(stage.migrate({ hooks }))).code).toBe("ERR_VERIFICATION");
    const { phase } = await stage.status();
    expect(phase).toBe("verifying");
    rmSync(stage.target);
    copyFileSync(stage.source, stage.target);
    const theirs = digest(stage.target);
    expect((await errorOf(stage.resume())).code).toBe("ERR_JOURNAL");
    await stage.abort();
    expect(digest(stage.target)).toBe(theirs);
  });

  it("that may be ours, or not, is left to a person", async () => {
    const stage = await stageOf({ rename: false });
    stage.inTheWay("create", async () => {
      writeFileSync(stage.target, bytes);
      return ioError();
    });
    expect((await errorOf(stage.migrate())).code).toBe("ERR_IO");
    stage.outOfTheWay();
    expect((await errorOf(stage.resume())).code).toBe("ERR_EXISTS");
    expect((await errorOf(stage.abort())).code).toBe("ERR_EXISTS");
    expect(readFileSync(stage.target, "utf8")).toBe(bytes);
    rmSync(stage.target);
    await stage.abort();
    await stage.isUndone();
  });
});

describe("volumes that are known by their names alone", () => {
  const nameless = async (proceed: () => Promise<unknown>) => {
    const { volume } = (await proceed()) as { volume: { close(): Promise<void> } };
    const transfer = async () => {};
    return { volume: { size: SIZE, read: transfer, write: transfer, close: () => volume.close() } };
  };

  it("are not set aside", async () => {
    const stage = await stageOf();
    stage.inTheWay("open to read", nameless);
    const error = await errorOf(stage.migrate({ rename: true }));
    expect(error).toMatchObject({ code: "ERR_UNSUPPORTED", side: "source" });
  });

  it("are not made under a temporary name", async () => {
    const stage = await stageOf();
    stage.inTheWay("create", nameless);
    const error = await errorOf(stage.migrate());
    expect(error).toMatchObject({ code: "ERR_UNSUPPORTED", side: "target" });
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
  });
});

describe("at most one at a time", () => {
  it("works on a migration", async () => {
    const stage = await stageOf();
    const { stateDirectory } = stage;
    const codes: string[] = [];
    const beforeCopy = async ({ id }: { id: string }) => {
      codes.push((await errorOf(stage.resume())).code);
      codes.push((await errorOf(stage.abort())).code);
      codes.push((await errorOf(removeMigration(id, { stateDirectory }))).code);
      expect((await stage.status()).state).toBe("running");
    };
    await stage.migrate({ hooks: { beforeCopy } });
    expect(codes).toEqual(["ERR_IN_USE", "ERR_IN_USE", "ERR_IN_USE"]);
    await stage.isDone();
  });

  it.each([{ rename: true }, { deleteSource: true }])(
    "hands a source over: %o",
    async (options) => {
      const stage = await stageOf();
      const other = await stageOf();
      let code = "";
      const beforeCopy = async () => {
        const { stateDirectory } = other;
        const second = migrateVolume(`${stage.from}:disk`, other.to, {
          stateDirectory,
          ...options,
        });
        code = (await errorOf(second)).code;
      };
      await stage.migrate({ ...options, hooks: { beforeCopy } });
      expect(code).toBe("ERR_IN_USE");
      await stage.isDone();
    },
  );

  it("hands a source over; one that was cut short finds it gone, and takes nothing back", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: ioError };
    const options = { rename: true, deleteSource: true };
    expect((await errorOf(stage.migrate({ ...options, hooks }))).code).toBe("ERR_HOOK");
    const first = await stage.status();

    const { stateDirectory } = stage;
    const bytes = digest(stage.source);
    await migrateVolume(`${stage.from}:disk`, `${stage.to}:second`, {
      stateDirectory,
      deleteSource: true,
    });
    const again = resumeMigration(first.id, {
      stateDirectory,
      hooks: { beforeHandover: () => {} },
    });
    expect((await errorOf(again)).code).toBe("ERR_NOT_FOUND");
    await abortMigration(first.id, { stateDirectory });
    expect(stage.listing()).toBe("to/second to/stranger");
    expect(digest(stage.workspace.path("to/second"))).toBe(bytes);
  });
});
