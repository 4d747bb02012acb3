import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (file: string) => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");

it("docs/JSON.md has every type that a command prints, and no other", () => {
  const folder = new URL("../../../src/cli", import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const printed = sources.flatMap((name) =>
    [...read(`src/cli/${name}`).matchAll(/\{\s*type: "([a-z]+)"/g)].map(([, type]) => type),
  );
  const documented = [...read("docs/JSON.md").matchAll(/^\|[^|]*\| `([a-z]+)` \|/gm)];
  expect(printed.length).toBeGreaterThan(10);
  expect(documented.map(([, type]) => type).sort()).toEqual([...new Set(printed)].sort());
});
