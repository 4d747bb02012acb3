/** A thick target keeps all of its space, also where a run is cut short and another goes on. */
import { closeSync, ftruncateSync, openSync, statSync, writeFileSync } from "node:fs";
import { listMigrations, migrateVolume, resumeMigration } from "blockhaul";
import { expect, it } from "vitest";

import { Workspace } from "../../support/workspace.js";
import { errorOf } from "./stage.js";

const MiB = 1024 ** 2;
const size = 16 * MiB;

it("is not punched by the zeros that a resumed run makes", async () => {
  using workspace = new Workspace();
  const [source, target] = [workspace.path("source"), workspace.path("target")];
  const stateDirectory = workspace.path("state");
  writeFileSync(source, Buffer.alloc(MiB, 7));
  const file = openSync(source, "r+");
  ftruncateSync(file, size);
  closeSync(file);
  const stop = new AbortController();
  const migrating = migrateVolume(source, target, {
    stateDirectory,
    provisioning: "thick",
    bandwidthLimit: 8 * MiB,
    progressIntervalMs: 1,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === "progress" && event.progress.done > 0) stop.abort(new Error("enough"));
    },
  });
  expect((await errorOf(migrating)).code).toBe("ERR_CANCELLED");
  const [migration] = await listMigrations({ stateDirectory });
  const { state } = await resumeMigration(migration?.id ?? "", { stateDirectory });
  expect(state).toBe("done");
  expect(statSync(target).blocks * 512).toBeGreaterThanOrEqual(size);
});
