/** Records of migrations that ended: kept for a time, and only then removed. */
import { utimesSync } from "node:fs";
import { expect, it } from "vitest";

import { pruneMigrations } from "../../../src/migrate/prune.js";
import { MigrationStore } from "../../../src/migrate/store.js";
import { errorOf, ioError, stageOf } from "./stage.js";

const DAY_MS = 24 * 3600 * 1000;

/** As after so many days in which nobody wrote to them. */
async function idsAfter(days: number, store: MigrationStore): Promise<string[]> {
  await pruneMigrations(store, Date.now() + days * DAY_MS);
  return store.ids();
}

it("what ended is forgotten after 90 days, and not before", async () => {
  const stage = await stageOf();
  await stage.migrate();
  const { id } = await stage.status();
  const store = new MigrationStore(stage.stateDirectory);
  expect(await idsAfter(89, store)).toEqual([id]);
  expect(await idsAfter(91, store)).toEqual([]);
});

it("what ended long ago and was touched since is kept until that is long ago, too", async () => {
  const stage = await stageOf();
  await stage.migrate();
  const { id, file } = await stage.status();
  const later = new Date(Date.now() + 80 * DAY_MS);
  utimesSync(file, later, later);
  expect(await idsAfter(100, new MigrationStore(stage.stateDirectory))).toEqual([id]);
});

it("what has not ended is never forgotten", async () => {
  const stage = await stageOf();
  expect((await errorOf(stage.migrate({ hooks: { beforeCopy: ioError } }))).code).toBe("ERR_HOOK");
  const { id } = await stage.status();
  expect(await idsAfter(10_000, new MigrationStore(stage.stateDirectory))).toEqual([id]);
});
