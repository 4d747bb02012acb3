/** Twenty volumes by one plan, from a folder to a cluster and back, by the command: judged by rbd and digests. */
import { readFileSync, statSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";

import { digestOf } from "../support/file-digest.mjs";
import {
  type Event,
  forgetDeadClients,
  listingOf,
  MigrationSite,
} from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { makeSparseFile } from "../support/sparse.js";

const MiB = 1024 ** 2;
const NUMBERS = Array.from({ length: 10 }, (_, index) => index);

let pool: RbdPool;
let site: MigrationSite;
/** Of the sources, by their names. */
const digests = new Map<string, string>();

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "plan");
  site = new MigrationSite({ ceph: pool });
  for (const number of NUMBERS) {
    const size = (8 + number) * MiB + 512 * number;
    for (const file of [site.image(`file-${number}`), site.path(`image-${number}`)]) {
      const pieces = [
        [0, 2 * MiB],
        [size - MiB, MiB],
      ] as const;
      makeSparseFile(file, size, pieces, new Random(file));
    }
    await pool.rbd("import", "--no-progress", site.path(`image-${number}`), `image-${number}`);
    digests.set(`file-${number}`, await digestOf(site.image(`file-${number}`)));
    digests.set(`image-${number}`, await digestOf(site.path(`image-${number}`)));
  }
});
afterAll(async () => {
  site?.[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

/** A plan of moves in turns, file to image and image to file; of all twenty unless told. */
function planOf(
  prefix: string,
  settings: string,
  { numbers = NUMBERS, ofMove = {} }: { numbers?: number[]; ofMove?: Record<string, string> } = {},
): string {
  const moves = numbers.flatMap((number) => {
    const [file, image] = [`file-${number}`, `image-${number}`];
    return [
      `  - {source: "images:${file}", target: "ceph:${prefix}-${file}"${ofMove[file] ?? ""}}`,
      `  - {source: "ceph:${image}", target: "store:${prefix}-${image}"${ofMove[image] ?? ""}}`,
    ];
  });
  return site.write(`${prefix}.yaml`, `${settings}\nmoves:\n${moves.join("\n")}\n`);
}

/** That a plan's targets are whole, under their names, with nothing beside them, and all sources are there. */
async function expectMoved(
  prefix: string,
  names: Iterable<string> = digests.keys(),
): Promise<void> {
  const all = await listingOf(pool);
  const isOurs = (name: string) =>
    name.startsWith(prefix) || /[@ ]|\.(blockhaul|moved)-/.test(name);
  const targets = [...names].map((name) => `${prefix}-${name}`);
  const images = targets.filter((name) => name.startsWith(`${prefix}-file`));
  const files = targets.filter((name) => name.startsWith(`${prefix}-image`));
  expect(all.filter(isOurs)).toEqual(images.sort());
  expect(site.stored.filter(isOurs)).toEqual(files.sort());
  const sources = [...digests.keys()].sort();
  expect([...site.files, ...all.filter((name) => sources.includes(name))]).toEqual(sources);
  const digestBefore = (target: string) => digests.get(target.slice(prefix.length + 1));
  for (const image of images) {
    expect(await site.exported(pool, image), image).toBe(digestBefore(image));
  }
  for (const file of files) {
    expect(await digestOf(`${site.store}/${file}`), file).toBe(digestBefore(file));
  }
}

/** How many moves ran at the same time. */
function mostAtOnce(events: readonly Event[]): number {
  const running = new Set<string>();
  let most = 0;
  for (const { type, name = "", state } of events) {
    if (type !== "moveState") continue;
    if (state === "running") running.add(name);
    else running.delete(name);
    most = Math.max(most, running.size);
  }
  return most;
}

const reportIn = (events: readonly Event[]) => events.at(-1) as Event & { moves: Event[] };

it("are moved four at a time, whole and verified, and not once more by the same plan", async () => {
  const plan = planOf("all", "parallel: 4");
  const { status, events, stderr } = await site.told("--plan", plan);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(reportIn(events)).toMatchObject({ type: "moves", done: 20, failed: 0, skipped: 0 });
  for (const { report } of reportIn(events).moves) {
    expect(report).toMatchObject({ method: "copy", verified: true, sourceIs: "kept" });
  }
  expect(mostAtOnce(events)).toBe(4);
  await expectMoved("all");
  expect(site.leftovers).toEqual([]);

  const facts = async () => [
    await pool.rbd("ls", "--long"),
    ...site.stored.map((name) => [name, statSync(`${site.store}/${name}`).mtimeMs]),
  ];
  const before = await facts();
  const again = await site.migrate("--plan", plan);
  expect(again.status, again.stderr).toBe(0);
  expect(again.stdout.match(/ done before$/gm)).toHaveLength(20);
  expect(again.stdout).toMatch(/^20 done: 0 B in /m);
  expect(await facts()).toEqual(before);
});

it("are all there once a run that was killed in the middle is done again", async () => {
  const numbers = NUMBERS.slice(0, 6);
  const plan = planOf("killed", "parallel: 4\ndefaults: {bandwidth: 4MiB}", { numbers });
  const running = site.start("migrate", "--plan", plan, "--json");
  // Some are done, and others under way.
  await running.said(
    /(?:"type":"moveState"[^\n]*"state":"done"(?:.|\n)*){4}"phase":"copy"[^\n]*"copying"/,
  );
  running.process.kill("SIGKILL");
  const killed = await running.ended;
  expect(killed.signal).toBe("SIGKILL");
  await forgetDeadClients(pool);

  site.write(plan, readFileSync(site.path(plan), "utf8").replace("4MiB", "0"));
  const { status, events, stderr } = await site.told("--plan", plan);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { moves } = reportIn(events);
  expect(moves.every(({ state }) => state === "done")).toBe(true);
  const before = moves.filter(({ reason }) => reason === "done before");
  const resumed = moves.filter(({ reason }) => reason === "resumed");
  expect(before.length).toBeGreaterThanOrEqual(4);
  expect(resumed.length).toBeGreaterThanOrEqual(1);
  expect(before.length + resumed.length).toBeLessThan(12);
  await expectMoved(
    "killed",
    numbers.flatMap((number) => [`file-${number}`, `image-${number}`]),
  );
  expect(site.leftovers).toEqual([]);
});

it("are moved but for one that fails, which can be taken back", async () => {
  const ofMove = { "file-1": ", hooks: {beforeHandover: [/bin/false]}" };
  const plan = planOf("part", "parallel: 4", { numbers: [0, 1, 2], ofMove });
  const { status, events } = await site.told("--plan", plan, "--continue-on-error");
  expect(status).toBe(7);
  expect(reportIn(events)).toMatchObject({ done: 5, failed: 1, skipped: 0 });
  const failed = reportIn(events).moves.find(({ state }) => state === "failed");
  expect(failed).toMatchObject({ name: "images:file-1", error: { code: "ERR_HOOK" } });
  const aborted = await site.blockhaul("abort", failed?.id ?? "");
  expect(aborted.status, aborted.stderr).toBe(0);
  await expectMoved("part", ["file-0", "file-2", "image-0", "image-1", "image-2"]);
  expect(site.leftovers).toEqual([]);
});
