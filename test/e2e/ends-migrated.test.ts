/**
 * Sources that are removed, renamed, replaced, resized or written to during a migration: while its bytes are moved, while
 * they are read back, before the hand-over, and before the source is removed. Whatever becomes of the migration, it never
 * ends well with a target that is not what the source was, and never takes what is not on the target. Each week a third
 * of these cells is run; BLOCKHAUL_CELLS=all runs all.
 */
import { mkdirSync } from "node:fs";
import {
  abortMigration,
  CopyControl,
  listMigrations,
  type MigrateOptions,
  migrateVolume,
} from "blockhaul";
import { afterAll, beforeAll, expect, inject, it } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import { chosenPart, itemsOf } from "../../scripts/lib/rotation.mjs";
import {
  beginEnds,
  bytesAt,
  type Change,
  content,
  endEnds,
  kinds,
  next,
  type Place,
  SIZE,
} from "../support/changing-ends.js";

const MiB = 1024 ** 2;
/** Nothing here depends on speed. */
const TIMEOUT_MS = 300_000;
const part = chosenPart("changed ends", { all: process.env.BLOCKHAUL_CELLS === "all" });
let cells = 0;

beforeAll(async () => {
  await beginEnds(inject("cephConf"), "migrated");
});
afterAll(async () => {
  recordCount("ends-migrated", {
    what: `ends changed during a migration, part ${part.index} of ${part.of}`,
    count: cells,
    command: "BLOCKHAUL_CELLS=all npm test -- ends-migrated",
  });
  await endEnds();
});

const MOMENTS = ["copy", "verify", "beforeHandover", "afterHandover"] as const;
type Moment = (typeof MOMENTS)[number];

/** What a migration is told so that `change` is made at the moment, and once only. */
function changing(moment: Moment, change: () => Promise<unknown>) {
  let made: Promise<unknown> | undefined;
  const once = () => {
    made ??= change();
    return made;
  };
  const control = new CopyControl();
  const options: MigrateOptions = {
    control,
    // Each phase begins so slowly that it is told of long before its end; it is paused then.
    iopsLimit: moment === "copy" || moment === "verify" ? 1 : 0,
    requestSize: MiB,
    progressIntervalMs: 10,
    hooks: {
      beforeHandover: async () => {
        if (moment === "beforeHandover") await once();
      },
      afterHandover: async () => {
        if (moment === "afterHandover") await once();
      },
    },
    onEvent: (event) => {
      if (event.type !== "progress" || made !== undefined) return;
      const goOn = () => control.set({ paused: false, iopsLimit: 0 });
      if (event.progress.phase === moment) {
        control.pause();
        void once().then(goOn, goOn);
      } else if (event.progress.done < SIZE) goOn();
      else control.set({ iopsLimit: 1 });
    },
  };
  return { options, isMade: () => made !== undefined, made: async () => made };
}

interface Cell {
  readonly kind: string;
  readonly make: () => Promise<Place>;
  readonly change: Change;
  readonly moment: Moment;
  readonly deleteSource: boolean;
}

const all: readonly Cell[] = kinds.flatMap(([kind, make, changes]) =>
  changes.flatMap((change) =>
    MOMENTS.flatMap((moment) => {
      // A device and a snapshot are not removed by a migration.
      const canDelete = kind !== "a loop device" && kind !== "a snapshot";
      // After the hand-over a source that is kept is nobody's concern.
      const ways = moment === "afterHandover" ? [true] : [false, true];
      return ways
        .filter((deleteSource) => canDelete || !deleteSource)
        .map((deleteSource) => ({ kind, make, change, moment, deleteSource }));
    }),
  ),
);

async function tryCell({ make, change, moment, deleteSource }: Cell): Promise<boolean> {
  const place = await make();
  const stateDirectory = next();
  const folder = next();
  mkdirSync(folder);
  const to = `${folder}/disk`;
  const { options, isMade, made } = changing(moment, () => change.make(place));
  const migrating = migrateVolume(place.ref, to, { stateDirectory, deleteSource, ...options });
  const error = await migrating.then(
    () => undefined,
    (thrown) => thrown,
  );
  await made();
  if (!isMade()) return false;
  cells += 1;
  const source = await bytesAt(place.ref);
  if (error === undefined) {
    expect((await bytesAt(to))?.equals(content), "the target is what the source was").toBe(true);
    // What is written is not on the target; what is nobody's is still there.
    const isWritten = /written|bench/.test(change.what) && !place.ref.includes("@");
    if (isWritten && !/unknown/.test(change.source)) {
      expect(source?.equals(content), "a write is lost").toBe(true);
    }
    return true;
  }
  expect(error.name, String(error.stack)).toBe("BlockhaulError");
  const [migration] = await listMigrations({ stateDirectory });
  if (migration?.abortable) {
    await abortMigration(migration.id, { stateDirectory }).catch((thrown) => {
      expect(thrown.name, String(thrown.stack)).toBe("BlockhaulError");
    });
  }
  // An abort leaves what has the source's name as it is.
  const after = await bytesAt(place.ref);
  if (source !== undefined) expect(after?.equals(source), "the source, after the abort").toBe(true);
  return true;
}

it.each(
  itemsOf(all, part).map((cell): [string, Cell] => {
    const { kind, change, moment, deleteSource } = cell;
    return [`${kind}, ${change.what}: ${moment}${deleteSource ? ", to be removed" : ""}`, cell];
  }),
)(
  "%s",
  async (_, cell) => {
    // A phase that was over before it was told of: nothing has changed yet, and it is done again.
    while (!(await tryCell(cell)));
  },
  TIMEOUT_MS,
);

it("are more than a hundred cells in all", () => {
  expect(all.length).toBeGreaterThan(100);
});
