import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

it("docs/DRIVERS.md quotes the example drivers as they are", () => {
  const examples = ["example-driver", "example-export-driver"].map((name) =>
    read(`test/driver-suite/${name}.ts`),
  );
  const blocks = [...read("docs/DRIVERS.md").matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
  // What begins with an import shows how the driver is used, and stands in no file.
  const quotes = blocks.filter((code) => !code?.startsWith("import"));
  for (const quote of quotes) {
    const isQuoted = examples.some((example) => example.includes(quote ?? ""));
    expect(isQuoted, quote).toBe(true);
  }
  for (const [index, least] of [6, 4].entries()) {
    const own = quotes.filter((quote) => examples[index]?.includes(quote ?? ""));
    expect(own.length).toBeGreaterThanOrEqual(least);
  }
});
