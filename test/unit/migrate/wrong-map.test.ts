/** Storage that answers reads out of what it believes, and believes what is wrong; the real one: test/e2e/wrong-map. */
import { BlockhaulError, digestVolume, openVolume, verifyVolumes } from "blockhaul";
import { expect, it } from "vitest";

import { errorOf, type Stage, stageOf } from "./stage.js";

/** Whatever is opened so has a map that is wrong. */
function isWrong(stage: Stage, call: "open to read" | "create"): void {
  stage.inTheWay(call, async (proceed) => {
    const opened = (await proceed()) as object;
    const checkHints = async () => {
      throw new BlockhaulError("ERR_WRONG_MAP", { offset: 4096 });
    };
    return { ...opened, checkHints };
  });
}

it.each([{}, { deleteSource: true }, { verify: false }])(
  "is not migrated from, before a byte is copied: %o",
  async (options) => {
    const stage = await stageOf();
    isWrong(stage, "open to read");
    const error = await errorOf(stage.migrate(options));
    expect(error).toMatchObject({ code: "ERR_WRONG_MAP", side: "source", offset: 4096 });
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
  },
);

it("is no target whose read-back proves anything", async () => {
  const stage = await stageOf();
  isWrong(stage, "create");
  const error = await errorOf(stage.migrate());
  expect(error).toMatchObject({ code: "ERR_WRONG_MAP", side: "target" });
  stage.outOfTheWay();
  await stage.abort();
  await stage.isUndone();
});

it("goes wrong before the source is removed: it is kept", async () => {
  const stage = await stageOf();
  const hooks = { beforeHandover: () => isWrong(stage, "open to read") };
  const error = await errorOf(stage.migrate({ deleteSource: true, hooks }));
  expect(error).toMatchObject({ code: "ERR_WRONG_MAP", side: "source" });
  stage.outOfTheWay();
  stage.sourceIsUnchanged();
});

it("has no digest, and is compared with nothing, unless its map is trusted by name", async () => {
  const stage = await stageOf();
  isWrong(stage, "open to read");
  await using volume = await openVolume(`${stage.from}:disk`);
  expect(await errorOf(digestVolume(volume))).toMatchObject({ code: "ERR_WRONG_MAP" });
  await using twin = await openVolume(stage.source);
  expect(await errorOf(verifyVolumes(twin, volume))).toMatchObject({ code: "ERR_WRONG_MAP" });
  expect(await verifyVolumes(twin, volume, { fast: true })).toMatchObject({ fast: true });
});
