/** Many volumes between two folders by `blockhaul migrate --plan`, as a user types it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeEach, expect, it } from "vitest";

import { type Event, eventsOf, MigrationSite } from "../support/migration-site.js";
import { Random } from "../support/random.js";
import { makeSparseFile } from "../support/sparse.js";

const execute = promisify(execFile);
const MiB = 1024 ** 2;
const PLAN = ["--plan", "plan.yaml"];

let site: MigrationSite;

beforeEach(() => {
  site = new MigrationSite();
  return () => site[Symbol.dispose]();
});

/** Of random bytes, with holes among them. */
function makeImages(names: readonly string[], size: number): void {
  for (const name of names) {
    const pieces = [0, size / 2].map((at) => [at, size / 4] as const);
    makeSparseFile(site.image(name), size, pieces, new Random(name));
  }
}

const plan = (text: string) => site.write("plan.yaml", text);
const reportIn = (events: readonly Event[]) => events.at(-1) as Event & { moves: Event[] };

async function expectMoved(...names: readonly string[]): Promise<void> {
  for (const name of names) await execute("cmp", [site.image(name), `${site.store}/${name}`]);
  expect(site.stored).toEqual(names.toSorted());
  expect(site.leftovers).toEqual([]);
}

it("runs no more at once than the plan and its groups allow, and nothing twice", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `disk-${index}`);
  makeImages(names, 4 * MiB);
  const moves = names.map(
    (name, at) => `  - {source: "images:${name}", target: store, group: g${at % 2}}`,
  );
  plan(`parallel: 4\ngroups: {g1: {parallel: 1}}\nmoves:\n${moves.join("\n")}\n`);
  const { status, events, stderr } = await site.told(...PLAN);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(reportIn(events)).toMatchObject({ done: 12, failed: 0, skipped: 0, interrupted: 0 });

  const running = new Set<string>();
  const most = { all: 0, g1: 0 };
  for (const { type, name = "", state } of events) {
    if (type !== "moveState") continue;
    if (state === "running") running.add(name);
    else running.delete(name);
    const ofGroup = [...running].filter((one) => Number(one.split("-")[1]) % 2 === 1);
    most.all = Math.max(most.all, running.size);
    most.g1 = Math.max(most.g1, ofGroup.length);
  }
  expect(most).toEqual({ all: 4, g1: 1 });
  await expectMoved(...names);
  expect(site.files).toEqual(names.toSorted());

  const again = await site.migrate(...PLAN);
  expect(again.status).toBe(0);
  expect(again.stdout.match(/done before/g)).toHaveLength(12);
  expect(again.stdout).toMatch(/^12 done: 0 B in /m);
});

it("goes on without one that fails, and ends what it left when it is run again", async () => {
  const names = ["a", "b", "c", "d"];
  makeImages(names, 4 * MiB);
  const text = (hook: string) => `
continueOnError: true
moves:
  - {name: a, source: "images:a", target: store}
  - {name: b, source: "images:b", target: store, hooks: {beforeHandover: [${hook}]}}
  - {name: c, source: "images:c", target: store, after: [b]}
  - {name: d, source: "images:d", target: store}
`;
  plan(text("/bin/false"));
  const failed = await site.told(...PLAN);
  expect(failed.status).toBe(7);
  expect(reportIn(failed.events)).toMatchObject({ type: "moves", done: 2, failed: 1, skipped: 1 });
  const { moves } = reportIn(failed.events);
  expect(moves[1]).toMatchObject({ state: "failed", error: { code: "ERR_HOOK" } });
  expect(moves[2]).toMatchObject({ reason: "it needs b, which failed" });
  expect(failed.stderr).toMatch(/hint: `blockhaul migrate --plan .* goes on/);
  expect(site.stored).toEqual(["a", expect.stringMatching(/^b\.blockhaul-/), "d"]);

  plan(text("/bin/true"));
  const ended = await site.migrate(...PLAN);
  expect(ended.stdout).toMatch(/^b +done +4 MiB .*resumed$/m);
  expect(ended.stdout).toMatch(/^a +done .*done before$/m);
  expect(ended.status).toBe(0);
  await expectMoved(...names);
});

it("that is stopped by a signal is resumed when it is run again", async () => {
  const names = ["a", "b", "c"];
  makeImages(names, 32 * MiB);
  const text = (bandwidth: string) => `
parallel: 2
defaults: {method: copy, bandwidth: ${bandwidth}}
moves:
  - {source: "images:a", target: store}
  - {source: "images:b", target: store}
  - {source: "images:c", target: store}
`;
  plan(text("4MiB"));
  const running = site.start("migrate", ...PLAN, "--json");
  await running.said(/"images:a"[^\n]*"phase":"copy"[^\n]*"state":"copying"/);
  await running.said(/"images:b"[^\n]*"phase":"copy"[^\n]*"state":"copying"/);
  running.process.kill("SIGINT");
  const { status, stdout, stderr } = await running.ended;
  expect(status).toBe(130);
  expect(stderr).toMatch(/^stopping what runs; once more ends it at once$/m);
  const stopped = eventsOf(stdout).find(({ type }) => type === "moves") as Event & {
    moves: Event[];
  };
  expect(stopped.moves.map(({ state }) => state)).toEqual([
    "interrupted",
    "interrupted",
    "skipped",
  ]);

  plan(text("0"));
  const dry = await site.migrate(...PLAN, "--dry-run");
  expect(dry.stdout.match(/ resumed$/gm)).toHaveLength(2);
  const again = await site.told(...PLAN);
  expect(reportIn(again.events).moves.map(({ state, reason }) => [state, reason])).toEqual([
    ["done", "resumed"],
    ["done", "resumed"],
    ["done", undefined],
  ]);
  await expectMoved(...names);
});

it("is shown by a dry run, which changes nothing", async () => {
  makeImages(["a", "b"], 4 * MiB);
  plan(`
moves:
  - {source: "images:a", target: store, method: copy}
  - {source: "images:b", target: "store:c", after: ["images:a"], bandwidth: 1MiB, verify: false, method: copy}
`);
  const { status, stdout, stderr } = await site.migrate(...PLAN, "--dry-run");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^images:a +images:a +store:a +4 MiB +2 MiB +0\.02 s +copy$/m);
  expect(stdout).toMatch(/^images:b .* store:c +4 MiB +2 MiB +2\.0 s +copy, after images:a$/m);
  expect(stdout).toMatch(/^store: 4 MiB will be taken, .* free$/m);
  expect(stdout).toMatch(/^2 moves, 8 MiB: 4 MiB to move, about 2\.0 s at 200 MiB\/s/m);
  const [first, , forecast] = (await site.told(...PLAN, "--dry-run")).events;
  expect(first).toMatchObject({ type: "moveplan", bytesToMove: 2 * MiB, size: 4 * MiB });
  expect(forecast).toMatchObject({ type: "forecast", moves: 2, bytesToMove: 4 * MiB });
  expect(site.stored).toEqual([]);
  expect(site.leftovers).toEqual([]);
});
