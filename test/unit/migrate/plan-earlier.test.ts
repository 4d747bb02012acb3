import { expect, it } from "vitest";

import { earlierMigrations, type Recorded } from "../../../src/migrate/plan-earlier.js";

const recorded = (id: string, fields: Partial<Recorded> = {}): Recorded => ({
  id,
  state: "done",
  resumable: false,
  source: "images:a",
  sourceIdentity: "file 1",
  target: "ceph:a",
  targetIdentity: "rbd 1",
  ...fields,
});

async function find(
  all: readonly Recorded[],
  there: Readonly<Record<string, string>> = { "images:a": "file 1", "ceph:a": "rbd 1" },
) {
  const endOf = async (ref: string) => ({ key: ref, backend: undefined });
  const earlier = await earlierMigrations(all, { endOf, identityOf: async (ref) => there[ref] });
  return earlier(await endOf("images:a"), await endOf("ceph:a"));
}

const cutShort = { state: "interrupted", resumable: true } as const;

it.each<[string, Recorded[], Awaited<ReturnType<typeof find>>]>([
  ["nothing of other ends", [recorded("1", { source: "images:b" })], undefined],
  ["what was done", [recorded("1")], { id: "1", state: "done" }],
  ["what was cut short", [recorded("1", cutShort)], { id: "1", state: "cut short" }],
  [
    "what was cut short before what was done",
    [recorded("1", cutShort), recorded("2")],
    { id: "1", state: "cut short" },
  ],
  [
    "what runs",
    [recorded("1"), recorded("2", { state: "running" })],
    { id: "2", state: "running" },
  ],
  ["nothing that went back", [recorded("1", { state: "aborted" })], undefined],
  [
    "nothing done before one that went back",
    [recorded("1"), recorded("2", { state: "aborted" })],
    undefined,
  ],
])("of earlier runs counts %s", async (_, all, expected) => {
  expect(await find(all)).toEqual(expected);
});

it("what was done counts only while its target is there, and its source no other volume", async () => {
  const done = { id: "1", state: "done" };
  expect(await find([recorded("1")], { "ceph:a": "rbd 1" })).toEqual(done);
  expect(await find([recorded("1")], { "ceph:a": "rbd 1", "images:a": "unknown" })).toEqual(done);
  expect(await find([recorded("1")], { "images:a": "file 1" })).toBeUndefined();
  expect(await find([recorded("1")], { "images:a": "file 2", "ceph:a": "rbd 1" })).toBeUndefined();
  // Renamed within one backend: the target has the source's name.
  expect(await find([recorded("1")], { "images:a": "rbd 1", "ceph:a": "rbd 1" })).toEqual(done);
});
