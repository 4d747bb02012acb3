/** Migrations that are killed at a sample of their moments; all of them: `npm run test:kills -- --all`. */
import { randomInt } from "node:crypto";
import { afterAll, expect, it } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import { killMigrations } from "../kills/migrations/enumerate.mjs";
import { VARIANTS } from "../kills/migrations/variants.mjs";
import { Workspace } from "../support/workspace.js";

const workspace = new Workspace();
const total = { kills: 0 };

afterAll(() => {
  recordCount("migration-kills-sampled", {
    what: "SIGKILLs of migrations at sampled moments, each resumed or aborted, and compared",
    count: total.kills,
    command: "npm test -- migrate-kills",
  });
  workspace[Symbol.dispose]();
});

it.each(VARIANTS)("goes on and back from wherever it is killed: $name", async (variant) => {
  const { kills, faults } = await killMigrations({
    folder: workspace.path(variant.name.replaceAll(/\W+/g, "-")),
    variants: [variant],
    seed: process.env.BLOCKHAUL_TEST_SEED ?? String(randomInt(2 ** 31)),
    sample: 3,
    atOnce: 2,
  });
  expect(faults).toEqual([]);
  total.kills += kills;
});
