/** A rename: the target gets the source's name, also within one backend, and no other. */
import { symlinkSync } from "node:fs";
import {
  abortMigration,
  migrateVolume,
  planMigration,
  registerBackend,
  resumeMigration,
} from "blockhaul";
import { describe, expect, it } from "vitest";

import { digest, errorOf, ioError, type Stage, stageOf } from "./stage.js";

describe("within one backend", () => {
  const move = (stage: Stage, options = {}) =>
    migrateVolume(`${stage.from}:disk`, stage.from, {
      stateDirectory: stage.stateDirectory,
      rename: true,
      ...options,
    });

  it("sets the source aside, and then gives the target its name", async () => {
    const stage = await stageOf();
    const before = digest(stage.source);
    const { id, sourceIs, setAside, target } = await move(stage);
    expect({ sourceIs, setAside, target }).toEqual({
      sourceIs: "set aside",
      setAside: `${stage.from}:disk.moved-${id}`,
      target: `${stage.from}:disk`,
    });
    expect(stage.listing()).toBe(`from/disk from/disk.moved-${id} to/stranger`);
    expect(digest(stage.source)).toBe(before);
    stage.sourceIsUnchanged(`${stage.source}.moved-${id}`);
  });

  it("leaves one volume where the source is removed", async () => {
    const stage = await stageOf();
    const before = digest(stage.source);
    await move(stage, { deleteSource: true });
    expect(stage.listing()).toBe("from/disk to/stranger");
    expect(digest(stage.source)).toBe(before);
  });

  it.each(["moved", ".blockhaul-"])(
    "goes on and back where the rename to or from %s fails",
    async (name) => {
      for (const way of ["resume", "abort"] as const) {
        const stage = await stageOf();
        const before = digest(stage.source);
        let renames = 0;
        stage.inTheWay("rename", async (proceed, { path }) => {
          renames += 1;
          if (path.includes(".blockhaul-") !== (name === ".blockhaul-")) return proceed();
          await proceed();
          return ioError();
        });
        expect((await errorOf(move(stage))).code).toBe("ERR_IO");
        expect(renames).toBe(name === "moved" ? 1 : 2);
        stage.outOfTheWay();
        const { id } = await stage.status();
        const { stateDirectory } = stage;
        if (way === "abort") {
          await abortMigration(id, { stateDirectory });
          await stage.isUndone();
          continue;
        }
        await resumeMigration(id, { stateDirectory });
        expect(stage.listing()).toBe(`from/disk from/disk.moved-${id} to/stranger`);
        expect(digest(stage.source)).toBe(before);
        stage.sourceIsUnchanged(`${stage.source}.moved-${id}`);
      }
    },
  );

  it("is refused without a rename", async () => {
    const stage = await stageOf();
    expect((await errorOf(move(stage, { rename: false }))).code).toBe("ERR_EXISTS");
  });
});

describe("to another name than the source's", () => {
  it("is refused beforehand", async () => {
    const stage = await stageOf();
    const { problems } = await planMigration(`${stage.from}:disk`, `${stage.to}:other`, {
      rename: true,
    });
    expect(
      problems.map(
        ({ code, message }) => `${code} ${message.replaceAll(`${stage.to}:other`, "to")}`,
      ),
    ).toEqual([
      "ERR_INVALID_ARGUMENT target to: the target is to be called other, and to get the source's name, disk",
    ]);
  });
});

describe("a source that cannot be renamed or removed as it is", () => {
  it.each([{ rename: true }, { deleteSource: true }])(
    "as a link is refused beforehand: %o",
    async (options) => {
      const stage = await stageOf();
      const link = stage.workspace.path("from/link");
      symlinkSync("disk", link);
      await registerBackend(`plain-${stage.to}`, {
        driver: "file",
        directory: stage.workspace.path("to"),
      });
      const codesOf = async (told: object) => {
        const { problems } = await planMigration(link, `plain-${stage.to}`, told);
        return problems.map(({ code, side }) => `${side} ${code}`);
      };
      expect(await codesOf({})).toEqual([]);
      expect(await codesOf(options)).toEqual(["source ERR_NOT_A_VOLUME"]);
    },
  );

  it("as what never changes, like a snapshot, is refused beforehand", async () => {
    const stage = await stageOf();
    const options = { deleteSource: true };
    const { problems, freeze } = await planMigration("pattern:1MiB:7", `${stage.to}:x`, options);
    expect(freeze).toBe("frozen");
    expect(problems.map(({ message }) => message).join()).toContain("a snapshot is neither");
  });
});
