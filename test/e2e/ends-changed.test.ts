/**
 * Ends that are removed, renamed, replaced, resized or written to during a copy or its verification. Whatever becomes of
 * the copy, it never reports a target that is not what its name leads to.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import {
  beginEnds,
  bytesAt,
  content,
  endEnds,
  kinds,
  next,
  type Outcome,
  SIZE,
  seed,
} from "../support/changing-ends.js";
import { copyWhile, type Ended } from "../support/copy-while.mjs";

/** Nothing here depends on speed. */
const TIMEOUT_MS = 300_000;
let cells = 0;

beforeAll(async () => {
  await beginEnds(inject("cephConf"), "ends");
});
afterAll(async () => {
  recordCount("ends-changed", {
    what: "ends changed during a copy or its verification",
    count: cells,
    command: "npm test -- ends-changed",
  });
  await endEnds();
});

async function checkCell(outcome: Outcome, to: string, { report, error }: Ended): Promise<void> {
  if (outcome.startsWith("ERR_")) expect(error).toMatchObject({ code: outcome });
  if (outcome === "right") expect(error).toBeUndefined();
  cells += 1;
  if (outcome === "unknown") return expect(report?.sourceWrites ?? error).toBe("unknown");
  if (report === undefined) return;
  // What has the name now.
  const found = (await bytesAt(to))?.subarray(0, SIZE);
  expect(found?.equals(content), "the target is what the source was").toBe(true);
}

const phases = ["copy", "verify"] as const;

describe.each(kinds)("%s", (_, make, changes) => {
  describe.each(changes)("$what", ({ make: change, source, target }) => {
    it.each(phases)(
      "as the source, during: %s",
      async (phase) => {
        const place = await make();
        const to = next();
        writeFileSync(to, "");
        truncateSync(to, SIZE);
        const result = await copyWhile(place.ref, to, SIZE, phase, () => change(place));
        await checkCell(source, to, result);
      },
      TIMEOUT_MS,
    );

    if (target === undefined) return;
    it.each(phases)(
      "as the target, during: %s",
      async (phase) => {
        const place = await make();
        const result = await copyWhile(seed, place.ref, SIZE, phase, () => change(place));
        await checkCell(target, place.ref, result);
      },
      TIMEOUT_MS,
    );
  });
});
