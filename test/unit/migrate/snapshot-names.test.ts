/** Snapshots that are carried over to storage where not every name is free. */
import { BlockhaulError } from "blockhaul";
import { expect, it } from "vitest";

import { errorOf, stageOf } from "./stage.js";

const taken = (name: string) =>
  new BlockhaulError("ERR_EXISTS", { message: `the volume ${name} exists already` });
const options = { withSnapshots: true, deleteSource: true };

it("is refused in the plan, with each name that is taken", async () => {
  const stage = await stageOf({ snapshots: true }, ["monday", "tuesday", "wednesday"]);
  stage.driver.checkSnapshotName = async (_location, name) => {
    if (name !== "tuesday") throw taken(name);
  };
  const messages: string[] = [];
  const error = await errorOf(
    stage.migrate({
      ...options,
      onEvent: (event) => {
        if (event.type !== "planned") return;
        messages.push(...event.plan.problems.map(({ message }) => message));
      },
    }),
  );
  expect(error).toMatchObject({ code: "ERR_EXISTS", side: "target" });
  expect(messages).toHaveLength(2);
  expect(messages[1]).toContain("the volume wednesday exists already");
});

it("takes nothing that has the name of a snapshot for one that an earlier run took", async () => {
  const stage = await stageOf({ snapshots: true }, ["monday", "tuesday"]);
  stage.inTheWay("take snapshot", async (proceed, { path }) => {
    if (path.startsWith(stage.workspace.path("to/"))) throw taken("monday");
    return proceed();
  });
  expect(await errorOf(stage.migrate(options))).toMatchObject({
    code: "ERR_EXISTS",
    side: "target",
  });
  stage.outOfTheWay();
  stage.sourceIsUnchanged();
  await stage.abort();
  await stage.isUndone();
});
