import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

it("docs/DRIVERS.md quotes the example driver as it is", () => {
  const example = read("test/driver-suite/example-driver.ts");
  const blocks = [...read("docs/DRIVERS.md").matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
  // What begins with an import shows how the driver is used, and stands in no file.
  const quotes = blocks.filter((code) => !code?.startsWith("import"));
  expect(quotes.length).toBeGreaterThanOrEqual(6);
  for (const quote of quotes) expect(example).toContain(quote);
});
