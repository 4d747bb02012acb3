import { BlockhaulError } from "blockhaul";
import { describe, expect, it } from "vitest";

import { flipByte } from "../../support/flip.js";
import { digest, errorOf, ioError, type Stage, stageOf } from "./stage.js";

describe("a source that is written to", () => {
  const write = (stage: Stage) => flipByte(stage.source, 2_000_000);

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
    expect(stage.listing()).toContain("from/disk@monday from/disk@late");
    await stage.driver.deleteSnapshot?.({ path: stage.source, snapshot: "late" });
    await stage.abort();
    await stage.isUndone();
  });
});
