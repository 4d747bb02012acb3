import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";

import { parsePlan, readPlanFile } from "../../../src/migrate/plan-file.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;

const faultsOf = (text: string) =>
  parsePlan(text, "plan.yaml").faults.map(({ at, message }) => `${at} ${message}`);

describe("a plan's file", () => {
  it("becomes moves with options, the plan's defaults beneath their own", () => {
    const plan = parsePlan(
      `
parallel: 4
continueOnError: true
defaults: {verify: true, bandwidth: 100MiB, requestTimeout: 1.5, hooks: {beforeCopy: [/bin/stop]}}
groups:
  web: {after: [db], parallel: 2}
moves:
  - {name: db-1, source: "images:db-1", target: ceph-ssd, group: db}
  - source: /srv/old/web.img
    target: ceph-ssd:web
    group: web
    after: [db-1]
    rename: true
    bandwidth: 1048576
    provisioning: thin
    hooks: {afterHandover: [/usr/local/bin/start, web]}
`,
      "plan.yaml",
    );
    const common = { verify: true, requestTimeoutMs: 1500 };
    expect(plan).toEqual({
      parallel: 4,
      continueOnError: true,
      groups: { web: { after: ["db"], parallel: 2 } },
      moves: [
        {
          name: "db-1",
          source: "images:db-1",
          target: "ceph-ssd",
          group: "db",
          options: { ...common, bandwidthLimit: 100 * MiB, hooks: { beforeCopy: ["/bin/stop"] } },
          at: "plan.yaml:8:5",
        },
        {
          source: "/srv/old/web.img",
          target: "ceph-ssd:web",
          group: "web",
          after: ["db-1"],
          options: {
            ...common,
            bandwidthLimit: MiB,
            rename: true,
            provisioning: "thin",
            hooks: { afterHandover: ["/usr/local/bin/start", "web"] },
          },
          at: "plan.yaml:9:5",
        },
      ],
      faults: [],
      unread: [],
    });
  });

  it("tells all that is wrong with it at once, and where", () => {
    const text = `paralel: 4
parallel: 65
continueOnError: maybe
defaults:
  bandwith: 1
  bandwidth: fast
groups:
  web: {afer: [db], parallel: 0}
moves:
  - {name: a, target: b:a}
  - source: images:b
    target: ceph:b
    provisioning: fat
    method: 7
    hooks: {beforeCopy: /bin/stop, before: []}
    allow: [mounted, everything]
  - just a text
  - {source: images:c, target: ceph:c, verify: 1, threads: 1.5}
`;
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      [
        "plan.yaml:1:1 unknown key "paralel"; did you mean parallel?",
        "plan.yaml:2:11 parallel: must be from 1 to 64",
        "plan.yaml:3:18 continueOnError: must be true or false, not "maybe"",
        "plan.yaml:5:3 defaults: unknown key "bandwith"; did you mean bandwidth?",
        "plan.yaml:6:14 defaults.bandwidth: "fast" is not a size: 4096, 64KiB, 1.5G",
        "plan.yaml:8:9 groups.web: unknown key "afer"; did you mean after?",
        "plan.yaml:8:31 groups.web.parallel: must be from 1 to 64",
        "plan.yaml:10:5 moves[0]: "source" is missing",
        "plan.yaml:13:19 moves[1].provisioning: must be one of "thin", "thick", not "fat"",
        "plan.yaml:14:13 moves[1].method: must be one of "auto", "copy", not 7",
        "plan.yaml:15:25 moves[1].hooks.beforeCopy: must be a list, not "/bin/stop"",
        "plan.yaml:15:36 moves[1].hooks: unknown key "before"; known are beforeCopy, beforeHandover, afterHandover",
        "plan.yaml:16:22 moves[1].allow[1]: must be one of "mounted", "held", "root-disk", "watched", "signature", "live-source", not "everything"",
        "plan.yaml:17:5 moves[2]: must be a mapping, not "just a text"",
        "plan.yaml:18:48 moves[3].verify: must be true or false, not 1",
        "plan.yaml:18:60 moves[3].threads: must be a whole number",
      ]
    `);
  });

  it("keeps what could be understood", () => {
    const { moves, unread } = parsePlan(
      `
moves:
  - {name: a, group: g, target: "b:a"}
  - {source: "images:b", target: "ceph:b", verfy: true, method: fast, threads: 2}
  - {source: "images:c", target: "ceph:c"}
`,
      "plan.yaml",
    );
    expect(moves.map(({ source, options, at }) => [source, options, at])).toEqual([
      ["images:b", { threads: 2 }, "plan.yaml:4:5"],
      ["images:c", {}, "plan.yaml:5:5"],
    ]);
    expect(unread).toEqual(["a", "g"]);
  });

  it.each([
    ["no YAML", "moves: [", /plan\.yaml:1:9 /],
    ["nothing", "", /plan\.yaml:1:1 a plan must be a mapping/],
    ["a list", "- a\n", /plan\.yaml:1:1 a plan must be a mapping/],
    ["no moves", "parallel: 2\n", /plan\.yaml:1:1 "moves" is missing/],
    ["an empty list of moves", "parallel: 2\nmoves: []\n", /plan\.yaml:2:8 moves: names no move/],
    [
      "more moves than anybody looks through",
      `moves:\n${"- {source: a, target: b}\n".repeat(10_001)}`,
      /plan\.yaml:2:1 moves: names more than 10000 moves: split it into several plans/,
    ],
    ["two documents", "moves: []\n---\nmoves: []\n", /plan\.yaml:2:1 .*multiple documents/],
    ["an alias of nothing", "moves: [*a]\n", /plan\.yaml:1:\d .*alias/i],
  ])("is refused as %s", (_, text, says) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(says);
    expect(parsePlan(text, "plan.yaml").moves).toEqual([]);
  });

  it("may even contain itself", () => {
    expect(faultsOf("moves: &a [*a, {source: a, target: b}]\n")[0]).toMatch(/^plan\.yaml:1:/);
  });

  it("says of keys that stand twice, and of what else is wrong beside them", () => {
    const text = `moves:
  - source: a
    source: b
    target: c
    verfy: true
`;
    expect(faultsOf(text)).toEqual([
      "plan.yaml:3:5 Map keys must be unique",
      'plan.yaml:5:5 moves[0]: unknown key "verfy"; did you mean verify?',
    ]);
  });
});

describe("a plan's file that was made to be too much", () => {
  const MOVE = "moves: [{source: a:b, target: c:d}]\n";
  const lines = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => line(index)).join("");

  it.each<[string, string, RegExp]>([
    ["deep lists", `moves: ${"[".repeat(100_000)}${"]".repeat(100_000)}`, /nested too deeply/],
    ["deep maps", `moves: ${"{a: ".repeat(20_000)}1${"}".repeat(20_000)}`, /nested too deeply/],
    [
      "aliases that make much of little",
      `x0: &a0 [x]\n${lines(12, (i) => `x${i + 1}: &a${i + 1} [${"*a".concat(`${i}, `).repeat(10)}]\n`)}${MOVE}`,
      /[Aa]lias/,
    ],
    [
      "keys that nobody reads",
      `moves: [{source: a:b, target: c:d, ${lines(20_000, (i) => `k${i}: 1, `)}}]`,
      /unknown key "k0"/,
    ],
    ["a key again and again", `${MOVE}${lines(30_000, () => "parallel: 1\n")}`, /must be unique/],
    ["moves that are none", `moves:\n${lines(10_000, () => "  - {sorce: a:b}\n")}`, /is missing/],
    [
      "more moves than may be",
      `moves:\n${lines(20_000, () => "  - {source: a:b, target: c:d}\n")}`,
      /more than 10000 moves/,
    ],
  ])("by %s is refused, with the first of its faults", (_what, text, why) => {
    const { moves, faults } = parsePlan(text, "plan.yaml");
    expect(faults[0]?.message).toMatch(why);
    expect(moves.length).toBeLessThan(2);
    expect(faults.length).toBeLessThanOrEqual(101);
    if (faults.length > 100) expect(faults.at(-1)?.message).toMatch(/there may be more faults/);
  });

  it("by groups is read all the same: they are looked for in no time", () => {
    const groups = lines(30_000, (index) => `  g${index}: {after: [g${index + 1}]}\n`);
    const { groups: read = {}, faults } = parsePlan(`groups:\n${groups}${MOVE}`, "plan.yaml");
    expect(faults).toEqual([]);
    expect(Object.keys(read)).toHaveLength(30_000);
  });
});

describe("a plan's file on disk", () => {
  const workspace = new Workspace();
  afterAll(() => workspace[Symbol.dispose]());
  const file = workspace.path("plan/plan.yaml");

  it("is read where nobody else can have written it", async () => {
    mkdirSync(workspace.path("plan"), { mode: 0o755 });
    writeFileSync(file, "moves: [{source: a:b, target: c:d}]\n", { mode: 0o644 });
    expect((await readPlanFile(file)).moves).toHaveLength(1);
    chmodSync(file, 0o664);
    await expect(readPlanFile(file)).rejects.toMatchObject({
      code: "ERR_PERMISSION",
      message: `${file}: can be written to by others (mode 0664): chmod go-w ${file}`,
    });
    chmodSync(file, 0o644);
    chmodSync(workspace.path("plan"), 0o1777);
    await expect(readPlanFile(file)).rejects.toThrow(/plan, which can be written to by others/);
    chmodSync(workspace.path("plan"), 0o755);
  });

  it("is no larger than 4 MiB, and a file", async () => {
    writeFileSync(file, "#".repeat(4 * MiB + 1));
    await expect(readPlanFile(file)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: `${file}: is larger than 4 MiB`,
      hint: expect.stringContaining("split it into several"),
    });
    await expect(readPlanFile(workspace.path("plan"))).rejects.toThrow("is no file");
    await expect(readPlanFile(workspace.path("none.yaml"))).rejects.toMatchObject({
      code: "ERR_NOT_FOUND",
    });
  });
});
