/** What is read of jobs is sound, or counts as not there: files of later versions, and of nobody. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseLimits } from "../../../src/jobs/control.js";
import { type JobRecord, parseJobRecord, parseNotes } from "../../../src/jobs/record.js";
import { jobOptions } from "../../support/job-options.js";

const anyText = fc.oneof(fc.string(), fc.json());
const end = fc.record({
  ref: fc.string(),
  identity: fc.string(),
  size: fc.nat(),
  blockSize: fc.nat(),
});
const sound: JobRecord = {
  version: 1,
  id: "k3v9q2ab",
  kind: "copy",
  createdAt: "2026-01-01T00:00:00Z",
  source: { ref: "a", identity: "file:1:2", size: 5, blockSize: 1 },
  target: { ref: "b", identity: "file:1:3", size: 5, blockSize: 1 },
  options: { ...jobOptions, verify: "source", allow: ["signature"], partOf: "k3v9q2ac" },
};
const options = (change: object) => ({ options: { ...sound.options, ...change } });

describe("a job's record", () => {
  it("is what was written, and whatever else there is is none", () => {
    fc.assert(
      fc.property(end, end, (source, target) => {
        const record = { ...sound, source, target };
        expect(parseJobRecord(JSON.stringify(record))).toEqual(record);
      }),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        expect(parseJobRecord(text)).toBeUndefined();
      }),
    );
  });

  it.each<[string, object]>([
    ["of a later version", { version: 2 }],
    ["of another kind", { kind: "migrate" }],
    ["without an id", { id: undefined }],
    ["with an end that has no identity", { source: { ref: "a", size: 5 } }],
    ["with a size that is none", { target: { ...sound.target, size: 1.5 } }],
    ["with an end whose blocks are none", { target: { ...sound.target, blockSize: "4096" } }],
    ["with an id that is no name of a file", { id: "../k3v9q" }],
    ["with a moment that is none", { createdAt: "yesterday" }],
    ["without options", { options: null }],
    ["with options in a list", { options: [] }],
    ["with an option that it lacks", options({ retries: undefined })],
    ["with an option of another type", options({ salvage: 1 })],
    ["with an option that nobody knows", options({ skip: true })],
    ["with an option of all objects", options({ constructor: 1 })],
    ["with a verification that nobody knows", options({ verify: "target" })],
    ["that passes over a guard that nobody knows", options({ allow: ["everything"] })],
    ["that passes over guards in another form", options({ allow: "signature" })],
    ["of a migration with no id", options({ partOf: "" })],
  ])("%s is none", (_, change) => {
    expect(parseJobRecord(JSON.stringify(sound))).toEqual(sound);
    expect(parseJobRecord(JSON.stringify({ ...sound, ...change }))).toBeUndefined();
  });
});

describe("a job's notes", () => {
  const begun = { type: "begun", at: "2026-01-01T00:00:00Z", pid: 5, bootId: "x" };
  const ended = { type: "ended", at: "2026-01-01T00:01:00Z", state: "done", digest: "xxh3:00" };

  it("are kept in order; what is none is passed over", () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.array(anyText), (before, after) => {
        const all = [...before, JSON.stringify(begun), ...after, JSON.stringify(ended)];
        expect(parseNotes(all)).toEqual([begun, ended]);
      }),
    );
    expect(parseNotes(['{"type":"moved","to":"the moon"}'])).toEqual([]);
  });
});

describe("what a job is told", () => {
  const limits = fc.record(
    {
      bandwidthLimit: fc.maxSafeNat(),
      iopsLimit: fc.maxSafeNat(),
      paused: fc.boolean(),
    },
    { requiredKeys: [] },
  );

  it("is what was written", () => {
    fc.assert(
      fc.property(limits, (told) => {
        expect(parseLimits(JSON.stringify(told))).toEqual({ ...told });
      }),
    );
  });

  it("is nothing where a file makes no sense, and never what is no limit", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(parseLimits(text)).toEqual({});
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (rate, iops, paused) => {
        const text = JSON.stringify({ bandwidthLimit: rate, iopsLimit: iops, paused });
        const found = parseLimits(text);
        for (const limit of [found.bandwidthLimit ?? 0, found.iopsLimit ?? 0]) {
          expect(Number.isSafeInteger(limit) && limit >= 0).toBe(true);
        }
        expect([true, false, undefined]).toContain(found.paused);
      }),
    );
  });
});

describe("a note of ours that says nothing possible", () => {
  it.each([
    { type: "ended", at: {}, state: "done" },
    { type: "ended", at: "2026-01-01T00:00:00Z", state: ["done"] },
    {
      type: "ended",
      at: "2026-01-01T00:00:00Z",
      state: "failed",
      error: { code: {}, message: "x" },
    },
    { type: "begun", at: "2026-01-01T00:00:00Z", pid: "1", bootId: "b" },
  ])("makes the journal one that nobody goes on by: %j", (note) => {
    expect(() => parseNotes([JSON.stringify(note)])).toThrow(/a note of the journal is damaged/);
  });
});
