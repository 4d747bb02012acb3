/** A plan with many mistakes: all are told at once, and nothing was touched. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, it, vi } from "vitest";

import { digestOf } from "../support/file-digest.mjs";
import { listingOf, MigrationSite, watchersOf } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { makeSparseFile } from "../support/sparse.js";

const MiB = 1024 ** 2;
let pool: RbdPool;
let site: MigrationSite;
let watching: ReturnType<typeof spawn>;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "mistakes");
  site = new MigrationSite({ ceph: pool });
  for (const name of ["a", "b", "c"]) {
    makeSparseFile(site.image(name), 4 * MiB, [[0, MiB]], new Random(name));
  }
  // More than any disk has; none of it is there.
  writeFileSync(site.image("huge"), "");
  truncateSync(site.image("huge"), 8 * 1024 ** 4);
  for (const image of ["busy", "taken", "idle"]) await pool.rbd("create", "--size", "8M", image);
  watching = spawn("rbd", ["-c", pool.conf, "watch", `${pool.name}/busy`]);
  await vi.waitFor(async () => expect(await watchersOf(pool, "busy")).toHaveLength(1), {
    timeout: 240_000,
  });
});
afterAll(async () => {
  watching?.stdin?.end("\n");
  if (watching) await once(watching, "exit");
  site?.[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

const PLAN = `
parallel: 4
groups:
  web: {after: [nobody]}
moves:
  - {name: unknown, source: "images:a", target: "nowhere:a"}
  - {name: missing, source: "ceph:nothing", target: images}
  - {name: exists, source: "images:a", target: "ceph:taken"}
  - {name: in-use, source: "ceph:busy", target: images}
  - {name: one, source: "images:a", target: "ceph:x"}
  - {name: two, source: "images:b", target: "rbd:POOL/x:conf=CONF"}
  - {name: chicken, source: "images:c", target: ceph, after: [egg], group: web}
  - {name: egg, source: "ceph:idle", target: "images:e", after: [chicken]}
  - {name: egg, source: "ceph:idle", target: "images:f"}
  - {name: misspelt, source: "images:b", target: "ceph:b2", verfy: false}
  - {name: hook, source: "images:b", target: "ceph:b3", hooks: {beforeCopy: [FOLDER]}}
  - {name: large, source: "images:huge", target: store, provisioning: thick}
  - {name: takes, source: "STORE/../images/a", target: "ceph:a2", deleteSource: true}
`;

/** What each mistake is told by: the move, the code, the words. In the order in which they are told. */
const FAULTS = [
  [undefined, "ERR_INVALID_ARGUMENT", /^moves\[9\]: unknown key "verfy"; did you mean verify\?$/],
  [
    undefined,
    "ERR_INVALID_ARGUMENT",
    /^groups\.web\.after: there is no move and no group called nobody$/,
  ],
  ["unknown", "ERR_UNKNOWN_SCHEME", /no driver and no backend for "nowhere:"/],
  ["missing", "ERR_NOT_FOUND", /image "nothing" does not exist/],
  ["exists", "ERR_EXISTS", /ceph:taken: it exists already/],
  ["in-use", "ERR_LIVE_SOURCE", /client\.\d+ at [\d.]+:\d+\/\d+ has it open for writing/],
  ["two", "ERR_INVALID_ARGUMENT", /^its target rbd:.*\/x:conf=.* is the target of one, too$/],
  ["egg", "ERR_INVALID_ARGUMENT", /^moves wait for each other: egg after chicken after egg$/],
  ["egg", "ERR_INVALID_ARGUMENT", /^another move is called egg, at plan\.yaml:12:5$/],
  [
    "hook",
    "ERR_INVALID_ARGUMENT",
    /^the hook beforeCopy names \/.*, which is no program that can be run$/,
  ],
  ["large", "ERR_NO_SPACE", /^target store:huge: it needs 8 TiB, and .* are free$/],
  [
    "takes",
    "ERR_INVALID_ARGUMENT",
    /^it removes its source .*, which is the source of .*one, too$/,
  ],
] as const;

async function everything() {
  const names = site.files.filter((name) => name !== "huge");
  const digests = await Promise.all(names.map((name) => digestOf(site.image(name))));
  return [site.files, digests, site.stored, await listingOf(pool), await pool.rbd("ls", "--long")];
}

it.each([
  { how: "really", flags: [] },
  { how: "as a dry run", flags: ["--dry-run"] },
])("is told in whole, for people and for programs, $how", async ({ flags }) => {
  const text = PLAN.replace("POOL", pool.name)
    .replace("CONF", pool.conf)
    .replace("FOLDER", site.images);
  site.write("plan.yaml", text.replace("STORE", site.store).trimStart());
  const before = await everything();

  const people = await site.migrate("--plan", "plan.yaml", ...flags);
  expect(people.status).toBe(2);
  const lines = people.stderr.split("\n").filter((line) => /^ *\d+\. /.test(line));
  expect(lines, people.stderr).toHaveLength(FAULTS.length);
  for (const [index, [move, , says]] of FAULTS.entries()) {
    const [, number, rest = ""] = /^ *(\d+)\. (.*)$/.exec(lines[index] ?? "") ?? [];
    expect(number).toBe(`${index + 1}`);
    const message = rest.replace(/^plan\.yaml:\d+:\d+: /, "");
    expect(move === undefined ? message : message.replace(`${move}: `, "")).toMatch(says);
  }
  expect(people.stderr).toMatch(/^blockhaul: the plan has 12 faults; nothing was touched$/m);
  expect(people.stderr).not.toMatch(/undefined|\[object/);
  const isDry = flags.length > 0;
  expect(people.stdout !== "").toBe(isDry);
  // Also where the first of the moves there could not be looked at.
  if (isDry) expect(people.stdout).toMatch(/^ceph: .* will be taken, .* are free$/m);

  const programs = await site.told("--plan", "plan.yaml", ...flags);
  expect(programs.status).toBe(2);
  const faults = programs.events.filter(({ type }) => type === "fault");
  expect(faults.map(({ move, code }) => [move, code])).toEqual(
    FAULTS.map(([move, code]) => [move, code]),
  );
  for (const [index, [, , says]] of FAULTS.entries()) expect(faults[index]?.message).toMatch(says);
  expect(programs.events.at(-1)).toMatchObject({ type: "error", exitCode: 2 });

  expect(await everything()).toEqual(before);
  expect(site.leftovers).toEqual([]);
  expect((await site.blockhaul("jobs", "--json")).stdout).toBe("");
});
