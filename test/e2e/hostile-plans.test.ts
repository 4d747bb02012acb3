/** Root's command with plans that another user could have written: they name programs to run. */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Stranger } from "../support/stranger.js";

let stranger: Stranger;
let plan = "";
let target = "";
beforeAll(() => {
  if (needsRoot !== undefined) return;
  stranger = new Stranger();
  stranger.write("disk.img", "x".repeat(64 * 1024));
  target = stranger.path("moved.img");
  const hook = path.join(stranger.home, "hook");
  stranger.does(`printf '#!/bin/sh\\ntouch %s\\n' "$1" > hook; chmod 755 hook`, [stranger.canary]);
  const move = `{source: ${stranger.path("disk.img")}, target: ${target}, hooks: {beforeCopy: [${hook}]}}`;
  plan = `moves:\n  - ${move}\n`;
});
afterAll(() => stranger?.[Symbol.dispose]());

function nothingHappened(): void {
  expect(existsSync(target)).toBe(false);
  expect(stranger.hasRun).toBe(false);
}

describeWhere(needsRoot, "a stranger who can write root's plan", () => {
  it("gains nothing by a plan of his own", async () => {
    stranger.does('printf "%s" "$1" > plan.yaml', [plan]);
    const file = path.join(stranger.home, "plan.yaml");
    const { status, stderr } = await blockhaul(["migrate", "--plan", file]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/plan\.yaml.*belongs to another user \(65534\)/);
    nothingHappened();
  });

  it("gains nothing by root's plan that he can write to", async () => {
    const file = stranger.write("plan.yaml", plan);
    chmodSync(file, 0o666);
    const { status, stderr } = await blockhaul(["migrate", "--plan", file]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/can be written to by others \(mode 0666\): chmod go-w/);
    nothingHappened();
  });

  it("gains nothing by a link to a plan of his in root's place", async () => {
    stranger.does('printf "%s" "$1" > plan.yaml; ln -sfn plan.yaml linked.yaml', [plan]);
    const { status } = await blockhaul([
      "migrate",
      "--plan",
      path.join(stranger.home, "linked.yaml"),
    ]);
    expect(status).toBe(1);
    nothingHappened();
  });

  it("of which a plan of root's that only root can write to is done", async () => {
    const file = stranger.path("own.yaml");
    writeFileSync(file, plan, { mode: 0o600 });
    const { status, stderr } = await blockhaul(["migrate", "--plan", file]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    // The hook is named by root here: this shows that the others would have run it.
    expect(stranger.hasRun).toBe(true);
  });
});
