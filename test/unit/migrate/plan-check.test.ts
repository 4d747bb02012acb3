import { describe, expect, it } from "vitest";

import { checkMoves } from "../../../src/migrate/plan-check.js";
import { parsePlan } from "../../../src/migrate/plan-file.js";
import type { ManyPlan, Move } from "../../../src/migrate/plan-types.js";
import { FakeStorage } from "../../support/migrations.js";

const GiB = 1024 ** 3;

const storage = (earlier = {}) =>
  new FakeStorage(
    {
      images: { volumes: { a: GiB, b: GiB, c: 4 * GiB, d: GiB, e: GiB, huge: 50 * GiB } },
      ceph: { free: 10 * GiB, volumes: { taken: GiB }, provisioning: "thin" },
      vg0: { free: 5 * GiB, provisioning: "thick", limits: { parallel: 2, bandwidth: 300 } },
    },
    earlier,
  );

const move = (name: string, target = "ceph", fields: Partial<Move> = {}): Move => ({
  name,
  source: `images:${name}`,
  target,
  ...fields,
});

async function faultsOf(plan: ManyPlan | readonly Move[], store = storage()) {
  const { faults } = await checkMoves("moves" in plan ? plan : { moves: plan }, store.checks);
  return faults.map(({ move, code, message }) => `${move ?? "plan"}: ${code} ${message}`);
}

describe("a check of a plan", () => {
  it("says how far it is, after each move", async () => {
    const looks: string[] = [];
    const onLook = (looked: number, moves: number) => void looks.push(`${looked} of ${moves}`);
    await checkMoves({ moves: [move("a"), move("b"), move("d")] }, { ...storage().checks, onLook });
    expect(looks).toEqual(["1 of 3", "2 of 3", "3 of 3"]);
  });

  it("finds nothing wrong with what can be done", async () => {
    const store = storage();
    const checked = await checkMoves(
      {
        parallel: 3,
        groups: { late: { after: ["a"], parallel: 1 } },
        moves: [
          move("a", "vg0", { options: { bandwidthLimit: 500n } }),
          move("b", "vg0", { group: "late", options: { bandwidthLimit: 200 } }),
          move("c", "ceph", { group: "late", after: ["b"] }),
        ],
      },
      store.checks,
    );
    expect(checked.faults).toEqual([]);
    expect(checked.moves.map(({ name, target, needs }) => [name, target, needs])).toEqual([
      ["a", "vg0:a", []],
      ["b", "vg0:b", ["a"]],
      ["c", "ceph:c", ["b", "a"]],
    ]);
    expect(checked.moves.map(({ bandwidthLimit }) => bandwidthLimit)).toEqual([300, 200, 0]);
    expect(Object.fromEntries(checked.shares)).toEqual({
      all: 3,
      "group late": 1,
      "backend vg0": 2,
      "source images:a": 1,
      "source images:b": 1,
      "source images:c": 1,
    });
    expect(checked.moves[1]?.shares).toEqual([
      "all",
      "group late",
      "backend images",
      "backend vg0",
      "source images:b",
    ]);
  });

  it("reports ten mistakes at once, and goes on looking behind each", async () => {
    const text = `
parallel: 4
groups:
  web: {after: [nobody]}
moves:
  - {name: unknown-backend, source: "images:a", target: "cephh:a"}
  - {name: missing, source: "images:nothing", target: ceph}
  - {name: too-large, source: "images:huge", target: ceph}
  - {name: taken, source: "images:a", target: "ceph:taken"}
  - {name: twice, source: "images:a", target: "ceph:x"}
  - {name: twice-again, source: "images:b", target: "ceph:x"}
  - {name: chicken, source: "images:c", target: ceph, after: [egg], group: web}
  - {name: egg, source: "images:d", target: ceph, after: [chicken]}
  - {name: egg, source: "images:e", target: "ceph:e"}
  - {name: misspelt, source: "images:e", target: "ceph:e2", verfy: false}
  - {name: gone, source: /srv/images/a, target: "vg0:a", deleteSource: true}
`;
    const store = storage();
    const checked = await checkMoves(parsePlan(text, "plan.yaml"), store.checks);
    expect(
      checked.faults.map(({ move, at, code, message }) => `${at} ${move}: ${code} ${message}`),
    ).toMatchInlineSnapshot(`
      [
        "plan.yaml:15:61 undefined: ERR_INVALID_ARGUMENT moves[9]: unknown key "verfy"; did you mean verify?",
        "undefined undefined: ERR_INVALID_ARGUMENT groups.web.after: there is no move and no group called nobody",
        "plan.yaml:6:5 unknown-backend: ERR_NOT_FOUND there is no backend cephh",
        "plan.yaml:7:5 missing: ERR_NOT_FOUND images:nothing does not exist",
        "plan.yaml:8:5 too-large: ERR_NO_SPACE it does not fit",
        "plan.yaml:9:5 taken: ERR_EXISTS ceph:taken exists already",
        "plan.yaml:11:5 twice-again: ERR_INVALID_ARGUMENT its target ceph:x is the target of twice, too",
        "plan.yaml:13:5 egg: ERR_INVALID_ARGUMENT moves wait for each other: egg after chicken after egg",
        "plan.yaml:14:5 egg: ERR_INVALID_ARGUMENT another move is called egg, at plan.yaml:13:5",
        "plan.yaml:16:5 gone: ERR_INVALID_ARGUMENT it removes its source /srv/images/a, which is the source of unknown-backend, taken, twice, too",
      ]
    `);
    expect(store.looks).toHaveLength(11);
  });

  it("names each circle once, and what waits for itself", async () => {
    const found = await faultsOf([
      move("a", "ceph", { after: ["b"] }),
      move("b", "ceph", { after: ["c"] }),
      move("c", "ceph", { after: ["a", "b"] }),
      move("d", "ceph", { after: ["d"] }),
      move("e", "ceph", { after: ["a"] }),
    ]);
    expect(found).toEqual([
      "a: ERR_INVALID_ARGUMENT moves wait for each other: a after b after c after a",
      "d: ERR_INVALID_ARGUMENT moves wait for each other: d after d",
    ]);
  });

  const many = (fields: (index: number) => Partial<Move>) =>
    Array.from({ length: 10_000 }, (_, index) =>
      move(`m${index}`, `ceph:t${index}`, { source: "images:a", ...fields(index) }),
    );
  const small = () =>
    new FakeStorage({
      images: { volumes: { a: 4096 } },
      ceph: { free: GiB, provisioning: "thin" },
    });

  it("goes through a chain and a circle of as many moves as there may be", async () => {
    const chain = many((index) => (index === 9999 ? {} : { after: [`m${index + 1}`] }));
    expect(await faultsOf(chain, small())).toEqual([]);
    const circle = many((index) => ({ after: [`m${(index + 1) % 10_000}`] }));
    expect(await faultsOf(circle, small())).toEqual([
      "m9999: ERR_INVALID_ARGUMENT moves wait for each other: m9999 after m0 after m1 after m2 after m3 after m4 after m5 after m6 after … (10000 moves) after m9999",
    ]);
  });

  it("names some of as many moves as there may be that take the same source", async () => {
    const chain = (index: number) => (index === 9999 ? {} : { after: [`m${index + 1}`] });
    const options = { deleteSource: true };
    const found = await faultsOf(
      many((index) => ({ options, ...chain(index) })),
      small(),
    );
    expect(found[0]).toBe(
      "m1: ERR_INVALID_ARGUMENT it removes its source images:a, which is the source of m0, too",
    );
    expect(found.at(-1)).toBe(
      "m9999: ERR_INVALID_ARGUMENT it removes its source images:a, which is the source of m0, m1, m2, m3, m4, others, too",
    );
    expect(found).toHaveLength(9999);
  });

  it("takes no circle for one: a group may wait for a move, and a move for its group's others", async () => {
    const plan = {
      groups: { g: { after: ["a"] } },
      moves: [move("a"), move("b", "ceph", { group: "g" }), move("d", "ceph", { group: "g" })],
    };
    expect(await faultsOf(plan)).toEqual([]);
    const last = move("e", "ceph", { group: "g", after: ["g"] });
    expect(await faultsOf({ ...plan, moves: [...plan.moves, last] })).toEqual([]);
  });

  it("says of groups what makes no sense", async () => {
    const plan = {
      groups: { web: { parallel: 1 }, a: {} },
      moves: [move("a"), move("b", "ceph", { group: "wbe" })],
    };
    expect(await faultsOf(plan)).toEqual([
      "plan: ERR_INVALID_ARGUMENT a is the name of a group and of a move",
      "plan: ERR_INVALID_ARGUMENT no move is in the group web",
      "plan: ERR_INVALID_ARGUMENT no move is in the group a",
    ]);
  });

  it("holds limits of an object to what a file may say", async () => {
    const plan = { parallel: 65, groups: { web: { parallel: 0 } }, moves: [move("a")] };
    expect(await faultsOf(plan)).toEqual([
      "plan: ERR_INVALID_ARGUMENT parallel: must be from 1 to 64",
      "plan: ERR_INVALID_ARGUMENT groups.web.parallel: must be from 1 to 64",
    ]);
  });

  it("adds up what has to fit: of thin targets what holds data", async () => {
    const thick = ["c", "d", "e"].map((name) => move(name, "vg0"));
    expect(await faultsOf(thick)).toEqual([
      "plan: ERR_NO_SPACE backend vg0: 3 moves need 6 GiB together, and 5 GiB are free: c, d, e",
    ]);
    const thin = thick.map((one) => ({ ...one, options: { provisioning: "thin" as const } }));
    expect(await faultsOf(thin)).toEqual([]);
  });

  it("adds up what has to fit into one room of two backends", async () => {
    const disks = { volumes: { a: GiB, b: GiB, c: GiB } };
    const shared = { free: 3 * GiB, provisioning: "thick", room: "file system 7" } as const;
    const store = new FakeStorage({
      images: disks,
      one: shared,
      two: { ...shared, free: 2 * GiB },
    });
    const moves = [move("a", "one"), move("b", "one"), move("c", "two")];
    expect(await faultsOf(moves, store)).toEqual([
      "plan: ERR_NO_SPACE backends one and two, which share their room: 3 moves need 3 GiB together, and 2 GiB are free: a, b, c",
    ]);
    expect(await faultsOf(moves.slice(1), store)).toEqual([]);
  });

  it("knows volumes by what they are, not by their refs", async () => {
    expect(
      await faultsOf([
        move("a", "ceph:a", { options: { deleteSource: true } }),
        move("b", "ceph:b", { source: "/srv/images/a" }),
        move("c", "images:x"),
        move("d", "/srv/images/x"),
      ]),
    ).toEqual([
      "a: ERR_INVALID_ARGUMENT it removes its source images:a, which is the source of b, too",
      "d: ERR_INVALID_ARGUMENT its target /srv/images/x is the target of c, too",
    ]);
    // Copies of one source are none of these, nor is one that waits for them and takes the source away.
    const copies = [move("a", "ceph:a"), move("a2", "ceph:b", { source: "images:a" })];
    expect(await faultsOf(copies)).toEqual([]);
    const options = { deleteSource: true };
    const last = move("a3", "ceph:c", { source: "images:a", after: ["a", "a2"], options });
    expect(await faultsOf([...copies, last])).toEqual([]);
  });

  it("lets a move have a name that an earlier one gives away, and a source that one makes", async () => {
    const away = { options: { deleteSource: true } };
    const first = move("a", "ceph:a", away);
    const next = move("b", "images:a", { source: "images:b" });
    expect(await faultsOf([first, next])).toEqual([
      "b: ERR_INVALID_ARGUMENT its target images:a is the source of a, which it does not wait for",
    ]);
    expect(await faultsOf([first, { ...next, after: ["a"] }])).toEqual([]);
    expect(
      await faultsOf([
        { ...first, options: {} },
        { ...next, after: ["a"] },
      ]),
    ).toEqual(["b: ERR_EXISTS images:a exists already"]);
    const onward = move("z", "vg0:z", { source: "ceph:a" });
    expect(await faultsOf([first, onward])).toEqual([
      "z: ERR_INVALID_ARGUMENT its source ceph:a is the target of a, which it does not wait for",
    ]);
    expect(await faultsOf([first, { ...onward, after: ["a"] }])).toEqual([]);
  });

  it("refuses nothing of what an earlier run began or did, but what still runs", async () => {
    const store = storage({
      "images:gone to ceph:taken": { id: "m1", state: "done" },
      "images:a to ceph:taken": { id: "m2", state: "cut short" },
      "images:b to ceph:b": { id: "m3", state: "running" },
    });
    const moves = [move("gone", "ceph:taken"), move("b", "ceph")];
    expect(await faultsOf(moves, store)).toEqual([
      "b: ERR_IN_USE migration m3 between these two runs in another process",
    ]);
    expect(await faultsOf([move("a", "ceph:taken")], store)).toEqual([]);
  });

  it("makes a fault of what a look throws", async () => {
    const store = storage();
    const { faults } = await checkMoves(
      { moves: [move("a"), move("b")] },
      {
        ...store.checks,
        plan: async () => {
          throw new TypeError("no");
        },
      },
    );
    expect(faults.map(({ move, code }) => `${move} ${code}`)).toEqual([
      "a ERR_INTERNAL",
      "b ERR_INTERNAL",
    ]);
  });
});
