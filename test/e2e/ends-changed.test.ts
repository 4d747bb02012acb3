/**
 * Ends that are removed, renamed, replaced, resized or written to during a copy or its verification. Whatever becomes of
 * the copy, it never reports a target that is not what its name leads to.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { CopyControl, type CopyPhase, type CopyReport, copyVolume, openVolume } from "blockhaul";
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

const MiB = 1024 ** 2;
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

/** Copies and verifies, and calls `change` while the phase stands still. */
async function copyWith(
  from: string,
  to: string,
  phase: CopyPhase,
  change: () => Promise<unknown>,
) {
  for (;;) {
    const result = await tryCopyWith(from, to, phase, change);
    // A phase that was over before it was told of: nothing has changed yet, and it is done again.
    if (result.isChanged) return result;
    expect(result.error).toBeUndefined();
  }
}

async function tryCopyWith(
  from: string,
  to: string,
  phase: CopyPhase,
  change: () => Promise<unknown>,
) {
  const control = new CopyControl();
  let changing: Promise<unknown> | undefined;
  await using source = await openVolume(from);
  await using target = await openVolume(to, { mode: "write" });
  const goOn = () => control.set({ paused: false, iopsLimit: 0 });
  const copying = copyVolume(source, target, {
    verify: true,
    allow: ["signature"],
    control,
    requestSize: MiB,
    // Each phase begins so slowly that it is told of long before its end; it is paused then.
    iopsLimit: 1,
    progressIntervalMs: 10,
    onProgress: (progress) => {
      if (changing !== undefined) return;
      if (progress.phase === phase) {
        control.pause();
        changing = change().then(goOn, goOn);
      } else if (progress.done < SIZE) goOn();
      else control.set({ iopsLimit: 1 });
    },
  });
  const result = await copying.then(
    (report) => ({ report }),
    (error: Error & { code: string }) => ({ error }),
  );
  await changing;
  const isChanged = changing !== undefined;
  const { report, error } = result as { report?: CopyReport; error?: Error & { code: string } };
  return { isChanged, report, error };
}

async function checkCell(
  outcome: Outcome,
  to: string,
  { report, error }: Awaited<ReturnType<typeof copyWith>>,
): Promise<void> {
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
        const result = await copyWith(place.ref, to, phase, () => change(place));
        await checkCell(source, to, result);
      },
      TIMEOUT_MS,
    );

    if (target === undefined) return;
    it.each(phases)(
      "as the target, during: %s",
      async (phase) => {
        const place = await make();
        const result = await copyWith(seed, place.ref, phase, () => change(place));
        await checkCell(target, place.ref, result);
      },
      TIMEOUT_MS,
    );
  });
});
