/** What can be known is found in the plan, before anything is made; and what failed without harm is not the end of it. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { BlockhaulError, type MigrateOptions, planMigration } from "blockhaul";
import { describe, expect, it } from "vitest";

import { itWhere, needsRoot } from "../../support/needs.js";
import { errorOf, ioError, type Stage, stageOf } from "./stage.js";

async function problemsOf(stage: Stage, options: MigrateOptions = {}): Promise<string[]> {
  const source = `file:${stage.source}`;
  const plan = await planMigration(source, `file:${stage.target}`, options);
  return plan.problems.map(({ side, code }) => `${side} ${code}`);
}

describe("a plan says beforehand", () => {
  itWhere(needsRoot)("that a source or its folder is marked by chattr", async () => {
    const stage = await stageOf();
    for (const mark of ["i", "a"]) {
      for (const marked of [stage.source, path.dirname(stage.source)]) {
        execFileSync("chattr", [`+${mark}`, marked]);
        try {
          expect(await problemsOf(stage, { deleteSource: true })).toContain(
            "source ERR_PERMISSION",
          );
          expect(await problemsOf(stage, { rename: true })).toContain("source ERR_PERMISSION");
          // One that is only read may be as it is.
          expect(await problemsOf(stage)).toEqual([]);
        } finally {
          execFileSync("chattr", [`-${mark}`, marked]);
        }
      }
    }
    expect(await problemsOf(stage, { deleteSource: true })).toEqual([]);
  });

  itWhere(needsRoot)("that nothing can be made in the target's folder", async () => {
    const stage = await stageOf();
    const folder = path.dirname(stage.target);
    execFileSync("chattr", ["+i", folder]);
    try {
      expect(await problemsOf(stage)).toEqual(["target ERR_PERMISSION"]);
    } finally {
      execFileSync("chattr", ["-i", folder]);
    }
  });

  itWhere(needsRoot)("that a folder lies on a file system that is mounted read-only", async () => {
    const stage = await stageOf();
    const folder = path.dirname(stage.target);
    execFileSync("mount", ["--bind", folder, folder]);
    try {
      execFileSync("mount", ["-o", "remount,bind,ro", folder]);
      expect(await problemsOf(stage)).toEqual(["target ERR_READ_ONLY"]);
    } finally {
      execFileSync("umount", [folder]);
    }
  });

  it("that a way to freeze it is none here", async () => {
    const stage = await stageOf();
    expect(await problemsOf(stage, { freeze: "snapshot" })).toEqual(["source ERR_UNSUPPORTED"]);
    expect(await problemsOf(stage, { freeze: "none" })).toEqual([]);
  });

  it("that no snapshot of it can be taken, and goes without where that is asked for", async () => {
    const stage = await stageOf({ snapshots: true });
    Object.assign(stage.driver, {
      checkChange: async (_location: unknown, change: string) => {
        if (change === "snapshot") throw new BlockhaulError("ERR_PERMISSION");
      },
    });
    const refused = await errorOf(stage.migrate());
    expect(refused.code).toBe("ERR_PERMISSION");
    expect(refused.hint).toContain("--freeze none");
    expect(stage.listing()).toBe("from/disk to/stranger");
    await stage.migrate({ freeze: "none" });
    await stage.isDone();
  });
});

describe("a removal of the source that was refused", () => {
  async function refused(options: MigrateOptions = {}): Promise<Stage> {
    const stage = await stageOf();
    stage.inTheWay("delete", async () => {
      throw new BlockhaulError("ERR_PERMISSION");
    });
    const error = await errorOf(stage.migrate({ deleteSource: true, ...options }));
    expect(error.code).toBe("ERR_PERMISSION");
    expect(await stage.status()).toMatchObject({ resumable: true, abortable: true });
    return stage;
  }

  it.each([{}, { rename: true }])("is ended with the source kept: %o", async (options) => {
    const stage = await refused(options);
    const report = await stage.resume({ keepSource: true });
    expect(report).toMatchObject({
      state: "done",
      sourceIs: "rename" in options ? "set aside" : "kept",
    });
    await stage.isDone();
    stage.sourceIsUnchanged(stage.present);
  });

  it("is gone back from", async () => {
    const stage = await refused();
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
  });

  it("is not kept where a part of it is gone", async () => {
    const stage = await stageOf();
    stage.inTheWay("delete", async () => {
      // As storage does it that frees a volume's bytes before it takes the name away.
      const file = openSync(stage.present, "r+");
      writeSync(file, Buffer.alloc(4 * 1024 ** 2));
      closeSync(file);
      return ioError();
    });
    await errorOf(stage.migrate({ deleteSource: true }));
    stage.outOfTheWay();
    expect((await errorOf(stage.resume({ keepSource: true }))).code).toBe("ERR_INVALID_ARGUMENT");
    await stage.resume();
    await stage.isDone();
  });
});

describe("a short way", () => {
  it.each(["ERR_UNSUPPORTED", "ERR_PERMISSION"] as const)(
    "that is none after all, by %s, is given up for a copy",
    async (code) => {
      const stage = await stageOf({ shortWay: true });
      stage.inTheWay("short way", async () => {
        throw new BlockhaulError(code);
      });
      const report = await stage.migrate();
      expect(report.method).toBe("copy");
      expect(report.notices.join()).toContain("all is copied");
      await stage.isDone();
    },
  );

  it("that fails is gone on with by a copy where that is asked for", async () => {
    const stage = await stageOf({ shortWay: true });
    stage.inTheWay("short way", ioError);
    const error = await errorOf(stage.migrate());
    expect(error.code).toBe("ERR_IO");
    expect((await errorOf(stage.resume())).code).toBe("ERR_IO");
    const report = await stage.resume({ method: "copy" });
    expect(report.method).toBe("copy");
    await stage.isDone();
  });
});

it("is not done where its target cannot be found in the end", async () => {
  const stage = await stageOf();
  const hooks = { afterHandover: () => rmSync(stage.target) };
  expect(await errorOf(stage.migrate({ hooks }))).toMatchObject({
    code: "ERR_NOT_FOUND",
    side: "target",
  });
  expect((await stage.status()).state).toBe("failed");
  await stage.abort();
  await stage.isUndone();
});
