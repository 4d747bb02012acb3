/** The removal of a source: only for a target that is there, and to its end after it was cut short. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { BlockhaulError } from "blockhaul";
import { describe, expect, it, vi } from "vitest";

import { flipByte } from "../../support/flip.js";
import { errorOf, ioError, type Stage, stageOf } from "./stage.js";

/** Nobody waits here for a cluster to forget a client. */
vi.mock("../../../src/migrate/dead-client.js", async (importOriginal) => ({
  ...(await importOriginal<object>()),
  WATCH_MS: 200,
}));

const CHUNK = 4 * 1024 ** 2;

const options = { deleteSource: true };

describe("a target that somebody removed", () => {
  it("before the hand-over takes nothing away", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: () => rmSync(temporaryOf(stage)) };
    const error = await errorOf(stage.migrate({ ...options, rename: true, hooks }));
    expect(error).toMatchObject({ code: "ERR_NOT_FOUND", side: "target" });
    expect(stage.listing()).toBe("from/disk to/stranger");
    stage.sourceIsUnchanged();
    expect((await errorOf(stage.resume())).code).toMatch(/ERR_HOOK|ERR_NOT_FOUND/);
    await stage.abort();
    await stage.isUndone();
  });

  it("during the hand-over keeps its source", async () => {
    const stage = await stageOf();
    const hooks = { afterHandover: () => rmSync(stage.target) };
    const error = await errorOf(stage.migrate({ ...options, hooks }));
    expect(error).toMatchObject({ code: "ERR_NOT_FOUND", side: "target" });
    stage.sourceIsUnchanged();
    expect((await errorOf(stage.resume())).code).toBe("ERR_NOT_FOUND");
    await stage.abort();
    await stage.isUndone();
  });

  it("and put another in its place keeps its source, and that", async () => {
    const stage = await stageOf();
    const afterHandover = () => {
      rmSync(stage.target);
      copyFileSync(stage.workspace.path("to/stranger"), stage.target);
    };
    const error = await errorOf(stage.migrate({ ...options, hooks: { afterHandover } }));
    expect(error).toMatchObject({ code: "ERR_JOURNAL", side: "target" });
    stage.sourceIsUnchanged();
    await stage.abort();
    expect(existsSync(stage.target)).toBe(true);
    rmSync(stage.target);
    await stage.isUndone();
  });
});

it("goes on after its snapshot was dropped, and that was not written down", async () => {
  const stage = await stageOf({ snapshots: true });
  stage.inTheWay("drop snapshot", async (proceed) => {
    await proceed();
    return ioError();
  });
  expect((await errorOf(stage.migrate(options))).code).toBe("ERR_IO");
  stage.outOfTheWay();
  await stage.resume();
  expect(existsSync(stage.source)).toBe(false);
  await stage.isDone();
});

describe("a removal that was cut short", () => {
  /** As storage does it that frees a volume's bytes before it takes the name away. */
  async function cutShort(zeroed: number, rest = ioError): Promise<Stage> {
    const stage = await stageOf();
    stage.inTheWay("delete", async () => {
      zero(stage.present, zeroed);
      return rest();
    });
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_IO");
    expect(await stage.status()).toMatchObject({ resumable: true, abortable: false });
    return stage;
  }

  it.each([0, CHUNK, 2 * CHUNK])("after %i bytes is gone on with", async (bytes) => {
    const stage = await cutShort(bytes);
    stage.outOfTheWay();
    await stage.resume();
    expect(existsSync(stage.source)).toBe(false);
    expect(readdirSync(`${stage.stateDirectory}/jobs`).join()).not.toContain(".manifest");
    await stage.isDone();
  });

  it("before it has removed anything is gone back from", async () => {
    const stage = await cutShort(0);
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
  });

  it("after it has removed a part is not gone back from", async () => {
    const stage = await cutShort(CHUNK);
    stage.outOfTheWay();
    expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
    await stage.resume();
    await stage.isDone();
  });

  it("is none where the driver only says that it has removed it", async () => {
    const stage = await stageOf();
    stage.inTheWay("delete", async () => {});
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_IO");
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
  });

  it("is gone on with where nothing can be opened any more", async () => {
    const stage = await cutShort(CHUNK);
    const calls: string[] = [];
    const away = stage.present;
    stage.inTheWay("open to read", async (proceed, { path }) => {
      if (path === away) throw new BlockhaulError("ERR_NOT_FOUND");
      return proceed();
    });
    stage.inTheWay("delete", async (proceed, { path }) => {
      calls.push(path);
      return proceed();
    });
    await stage.resume();
    expect(calls).toEqual([away]);
    await stage.isDone();
  });

  it.each([0, CHUNK])(
    "after %i bytes is not gone on with where somebody wrote since",
    async (bytes) => {
      const stage = await cutShort(bytes);
      stage.outOfTheWay();
      flipByte(stage.present, 5_000_000);
      expect(await errorOf(stage.resume())).toMatchObject({
        code: "ERR_LIVE_SOURCE",
        offset: CHUNK,
      });
      expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
      rmSync(stage.present);
      await stage.resume();
      await stage.isDone();
    },
  );

  it("is not forgotten by a refusal of the next try: half of it may be gone", async () => {
    const stage = await cutShort(CHUNK);
    stage.inTheWay("delete", async () => {
      throw new BlockhaulError("ERR_IN_USE");
    });
    expect((await errorOf(stage.resume())).code).toBe("ERR_IN_USE");
    expect((await stage.status()).abortable).toBe(false);
    expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
    stage.outOfTheWay();
    await stage.resume();
    await stage.isDone();
  });
});

function temporaryOf(stage: Stage): string {
  const name = readdirSync(stage.workspace.path("to")).find((one) => one.includes(".blockhaul-"));
  return stage.workspace.path(`to/${name}`);
}

function zero(file: string, bytes: number): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(bytes));
  closeSync(descriptor);
}
