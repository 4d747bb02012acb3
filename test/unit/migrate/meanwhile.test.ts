/** Between two runs: what others changed is told, and nothing of theirs is touched. */
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import {
  abortMigration,
  findMigration,
  listMigrations,
  type MigrationState,
  removeMigration,
} from "blockhaul";
import { describe, expect, it } from "vitest";

import { seal } from "../../../src/system/sealed.js";
import { errorOf, ioError, type Stage, stageOf } from "./stage.js";

/** Cut short when all is copied. */
async function interrupted(): Promise<Stage> {
  const stage = await stageOf();
  expect((await errorOf(stage.migrate({ hooks: { beforeHandover: ioError } }))).code).toBe(
    "ERR_HOOK",
  );
  return stage;
}

const goOn = { hooks: { beforeHandover: () => {} } };

describe("a backend that means another place by now", () => {
  it.each(["source", "target"] as const)(
    "as the %s: nothing is made or removed there",
    async (side) => {
      const stage = await interrupted();
      const { file } = await stage.status();
      const text = readFileSync(file, "utf8");
      const before = stage.listing();
      const record = JSON.parse(text);
      expect(record.places[side]).toContain(`${stage[side]}`);
      record.places[side] = `${stage.driver.name} ${stage.driver.name}:/elsewhere/disk`;
      const { checksum: _before, ...rest } = record;
      writeFileSync(file, seal(rest));
      for (const error of [await errorOf(stage.resume(goOn)), await errorOf(stage.abort())]) {
        expect(error).toMatchObject({ code: "ERR_JOURNAL", side });
        expect(error.message).toContain("/elsewhere/disk");
      }
      expect(stage.listing()).toBe(before);
      writeFileSync(file, text);
      await stage.abort();
      await stage.isUndone();
    },
  );
});

describe("a source", () => {
  it("that is gone ends a resume, and comes back after an abort", async () => {
    const stage = await interrupted();
    const real = stage.workspace.path("real");
    renameSync(stage.source, real);
    const error = await errorOf(stage.resume(goOn));
    expect(error).toMatchObject({ code: "ERR_NOT_FOUND" });
    await stage.abort();
    expect(stage.listing()).toBe("to/stranger");
    renameSync(real, stage.source);
    await stage.isUndone();
  });

  it("that has another size is refused, by both sizes", async () => {
    const stage = await interrupted();
    truncateSync(stage.source, 10 * 1024 ** 2);
    const error = await errorOf(stage.resume(goOn));
    expect(error).toMatchObject({ code: "ERR_JOURNAL", side: "source" });
    expect(error.message).toContain("it has 10 MiB, and had 9 MiB");
    truncateSync(stage.source, 9437184);
    await stage.abort();
    await stage.isUndone();
  });
});

describe("a target", () => {
  async function stoppedWhileCopying(): Promise<Stage> {
    const stage = await stageOf();
    const stop = new AbortController();
    const stopped = stage.migrate({
      bandwidthLimit: 2 * 1024 ** 2,
      requestSize: 64 * 1024,
      signal: stop.signal,
      progressIntervalMs: 1,
      onEvent: (event) => {
        if (event.type === "progress" && event.progress.done > 0) stop.abort();
      },
    });
    expect((await errorOf(stopped)).code).toBe("ERR_CANCELLED");
    return stage;
  }

  it("that is gone ends a resume, and an abort has nothing to remove", async () => {
    const stage = await stoppedWhileCopying();
    rmSync(temporary(stage));
    expect(await errorOf(stage.resume())).toMatchObject({ code: "ERR_NOT_FOUND", side: "target" });
    await stage.abort();
    await stage.isUndone();
  });

  it("that is another volume is not written to", async () => {
    const stage = await stoppedWhileCopying();
    const file = temporary(stage);
    rmSync(file);
    copyFileSync(stage.workspace.path("to/stranger"), file);
    const bytes = readFileSync(file);
    expect(await errorOf(stage.resume())).toMatchObject({ code: "ERR_JOURNAL", side: "target" });
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  function temporary(stage: Stage): string {
    const name = /to\/(disk\.blockhaul-\w+)/.exec(stage.listing())?.[1];
    return stage.workspace.path(`to/${name}`);
  }
});

describe("a state directory that is full", () => {
  const STATES: readonly MigrationState[] = [
    "creating",
    "freezing",
    "copying",
    "verifying",
    "handing-over",
  ];

  it.each(STATES)(
    "from %s on: the source is as it was, and all goes on or back later",
    async (state) => {
      for (const way of ["resume", "abort"] as const) {
        const stage = await stageOf();
        let unblock = () => {};
        const failed = stage.migrate({
          rename: true,
          onEvent: (event) => {
            if (event.type !== "state" || event.state !== state) return;
            unblock = stage.blockRecord(event.id);
          },
        });
        await errorOf(failed);
        expect(stage.listing()).toContain("from/disk");
        unblock();
        stage.sourceIsUnchanged();
        await stage[way]();
        await (way === "resume" ? stage.isDone() : stage.isUndone());
      }
    },
  );
});

describe("a record that is torn", () => {
  it("is listed as unreadable, and neither gone on with nor forgotten", async () => {
    const stage = await interrupted();
    const { file, id } = await stage.status();
    const { stateDirectory } = stage;
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.slice(0, 100));
    const [status] = await listMigrations({ stateDirectory });
    expect(status).toMatchObject({
      id,
      state: "unreadable",
      resumable: false,
      abortable: false,
      error: { code: "ERR_JOURNAL" },
      file,
    });
    expect(await findMigration(id, { stateDirectory })).toEqual(status);
    expect((await errorOf(abortMigration(id, { stateDirectory }))).code).toBe("ERR_JOURNAL");
    const error = await errorOf(removeMigration(id, { stateDirectory }));
    expect(error.code).toBe("ERR_JOURNAL");
    expect(error.hint).toContain(`.blockhaul-${id}`);
    writeFileSync(file, text);
    await stage.abort();
    await stage.isUndone();
  });
});
