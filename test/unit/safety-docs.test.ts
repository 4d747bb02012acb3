import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const text = readFileSync(new URL("../../docs/SAFETY.md", import.meta.url), "utf8");
const promises = text.slice(text.indexOf("## The promises"), text.indexOf("## The proof"));
const tests = [...promises.matchAll(/^ +- `(\S+)`: (.+)$/gm)].map(([, file = "", names = ""]) => ({
  file,
  names: names.split(" · "),
}));

describe("docs/SAFETY.md", () => {
  it("has twenty-one promises, each with a test", () => {
    const parts = promises.split(/^\d+\. /m).slice(1);
    expect(parts).toHaveLength(21);
    for (const part of parts) expect(part).toMatch(/^ +- `\S+`: /m);
  });

  it.each(tests)("names what is in $file", ({ file, names }) => {
    const path = new URL(`../../${file}`, import.meta.url);
    expect(existsSync(path)).toBe(true);
    const content = readFileSync(path, "utf8");
    const isThere = (name: string) => content.includes(name);
    expect(names.filter((name) => !isThere(name))).toEqual([]);
  });

  it.each([...text.matchAll(/`npm run (\S+?)[ `]/g)].map(([, name = ""]) => name))(
    "names a command that there is: %s",
    (name) => {
      const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
      expect(JSON.parse(manifest).scripts).toHaveProperty([name]);
    },
  );
});
