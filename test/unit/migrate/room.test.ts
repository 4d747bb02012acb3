/** What a plan makes of storage that does not tell how much room it has. */
import { BlockhaulError, type ErrorCode, planMigration } from "blockhaul";
import { expect, it } from "vitest";

import { stageOf } from "./stage.js";

async function planWhere(code: ErrorCode) {
  const stage = await stageOf();
  Object.assign(stage.driver.supports, { stats: true });
  stage.driver.stats = async () => {
    throw new BlockhaulError(code, { message: "how full it is" });
  };
  return planMigration(`${stage.from}:disk`, `${stage.to}:disk`);
}

it("goes on where that cannot be known", async () => {
  const { problems, free } = await planWhere("ERR_UNSUPPORTED");
  expect({ problems, free }).toEqual({ problems: [], free: undefined });
});

it("does not where asking failed", async () => {
  const { problems } = await planWhere("ERR_IO");
  expect(problems).toMatchObject([{ code: "ERR_IO", side: "target" }]);
});
