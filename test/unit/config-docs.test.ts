import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

import { LIMIT_KEYS, TOP_KEYS } from "../../src/config/check.js";
import type { StandardSchema } from "../../src/driver.js";
import { listDrivers } from "../../src/registry.js";
import { ConfigFiles } from "../support/config-files.js";

const page = readFileSync(new URL("../../docs/CONFIG.md", import.meta.url), "utf8");
const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
const files = new ConfigFiles();
afterAll(() => files[Symbol.dispose]());

/** The keys of the table below a heading; of a key with a dot, what stands before it. */
function documentedKeys(heading: string): Set<string> {
  const section = page.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  const cells = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)]);
  return new Set(cells.map(([, key = ""]) => key.split(".")[0] ?? ""));
}

describe("docs/CONFIG.md", () => {
  it("has an example that is read as it is", async () => {
    const support = pathToFileURL(path.resolve("test/support/tape-driver.mjs")).href;
    files.write(
      "drivers/tape.mjs",
      `import { tapeDriver } from ${JSON.stringify(support)}; export const driver = tapeDriver("tape");`,
    );
    expect(example).toContain("backends:");
    expect(await files.faultsOf(example)).toEqual([]);
  });

  it("explains every key that is not a driver's", () => {
    expect([...documentedKeys("Keys")].sort()).toEqual([...TOP_KEYS].sort());
    for (const key of LIMIT_KEYS) expect(page).toContain(`| \`backends.NAME.limits.${key}\` |`);
  });

  it("explains every key of every driver that can be a backend, and no other", async () => {
    type Shown = StandardSchema<unknown> & {
      readonly load?: () => Promise<Shown>;
      readonly entries?: object;
    };
    const builtIn = ["file", "rbd", "lvm", "iscsi"];
    for (const { name, places } of await listDrivers()) {
      if (!builtIn.includes(name) || places === undefined) continue;
      const schema = places.settings as Shown;
      const { entries = {} } = schema.load === undefined ? schema : await schema.load();
      expect({ name, keys: [...documentedKeys(name)].sort() }).toEqual({
        name,
        keys: Object.keys(entries).sort(),
      });
    }
  });
});
