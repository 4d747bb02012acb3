import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (file: string) => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");

it("docs/JSON.md has every type that a command prints, and no other", () => {
  const folder = new URL("../../../src/cli", import.meta.url);
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `src/cli/${name}`);
  // The events of a migration are printed as they come; the first as its plan, its end by its state.
  const events = ["src/migrate/types.ts", "src/migrate/plan-types.ts"];
  const printed = new Set(["aborted"]);
  for (const file of [...sources, ...events]) {
    for (const [, type = ""] of read(file).matchAll(/\btype: "([a-zA-Z]+)"/g)) printed.add(type);
  }
  printed.delete("planned");
  const documented = read("docs/JSON.md").matchAll(/^\|[^|]*\| `([a-zA-Z]+)` \|/gm);
  expect(printed.size).toBeGreaterThan(20);
  expect([...new Set([...documented].map(([, type]) => type))].sort()).toEqual([...printed].sort());
});
