/**
 * Ends that are removed, renamed, replaced, resized or written to between a copy that was cut short and its resume.
 * Whatever becomes of the resume, it never ends well with a target that is not what the source is, and it writes to
 * nothing that has come in the place of an end.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { CopyControl, type CopyReport, copyVolume, openVolume, resumeCopy } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import {
  beginEnds,
  bytesAt,
  endEnds,
  kinds,
  next,
  SIZE,
  seed,
  workspace,
} from "../support/changing-ends.js";

const MiB = 1024 ** 2;
const CHUNK = 4 * MiB;
/** Nothing here depends on speed. */
const TIMEOUT_MS = 300_000;
const stateDirectory = workspace.path("state");
let cells = 0;

beforeAll(async () => {
  await beginEnds(inject("cephConf"), "resumed");
});
afterAll(async () => {
  recordCount("ends-resumed", {
    what: "ends changed between a copy and its resume",
    count: cells,
    command: "npm test -- ends-resumed",
  });
  await endEnds();
});

/** A copy that was stopped with its first chunk recorded; the id of its job. */
async function cut(from: string, to: string): Promise<string> {
  for (let iopsLimit = 16; ; iopsLimit /= 2) {
    const stop = new AbortController();
    const control = new CopyControl();
    let id = "";
    await using source = await openVolume(from);
    await using target = await openVolume(to, { mode: "write" });
    const copying = copyVolume(source, target, {
      journal: true,
      stateDirectory,
      allow: ["signature"],
      control,
      requestSize: MiB,
      requests: 1,
      iopsLimit,
      progressIntervalMs: 5,
      signal: stop.signal,
      onJob: (job) => {
        id = job;
      },
      onProgress: ({ done }) => {
        if (done >= CHUNK && done < SIZE) stop.abort();
      },
    });
    const ended: CopyReport | Error = await copying.catch((error) => error);
    // One that was over before anybody was told of its first chunk is begun anew, slower.
    if (ended instanceof Error) {
      expect(ended).toMatchObject({ code: "ERR_CANCELLED" });
      return id;
    }
  }
}

async function resumes(from: string, to: string, id: string): Promise<void> {
  const before = await bytesAt(to);
  const ended = await resumeCopy(id, { stateDirectory, bandwidthLimit: 0, iopsLimit: 0 }).then(
    () => undefined,
    (error) => error,
  );
  cells += 1;
  if (ended === undefined) {
    const [source, target] = [await bytesAt(from), await bytesAt(to)];
    expect(source, "the source is there").toBeDefined();
    expect(target?.subarray(0, source?.length).equals(source ?? Buffer.alloc(0))).toBe(true);
    return;
  }
  expect(ended.name, String(ended)).toBe("BlockhaulError");
  // What has the target's name is as it was: a refusal comes before the first byte. What could not be read then may be
  // the target's own, which is written to.
  const after = await bytesAt(to);
  if (before !== undefined) expect(after?.equals(before)).toBe(true);
}

describe.each(kinds)("%s", (_, make, changes) => {
  describe.each(changes)("$what between a copy and its resume", ({ make: change, target }) => {
    it(
      "as the source",
      async () => {
        const place = await make();
        const to = next();
        writeFileSync(to, "");
        truncateSync(to, SIZE);
        const id = await cut(place.ref, to);
        await change(place);
        await resumes(place.ref, to, id);
      },
      TIMEOUT_MS,
    );

    if (target === undefined) return;
    it(
      "as the target",
      async () => {
        const place = await make();
        const id = await cut(seed, place.ref);
        await change(place);
        await resumes(seed, place.ref, id);
      },
      TIMEOUT_MS,
    );
  });
});
