import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { ERROR_CODES } from "../../src/errors.js";

const page = readFileSync(new URL("../../docs/ERRORS.md", import.meta.url), "utf8");
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section): [string, string] => {
      const [title = "", ...body] = section.split("\n");
      return [title.trim(), body.join("\n").trim()];
    }),
);

describe("docs/ERRORS.md", () => {
  it.each(Object.entries(ERROR_CODES))("explains %s as it is", (code, facts) => {
    const body = sections.get(code) ?? "";
    expect(body.length).toBeGreaterThan(100);
    const retry = facts.retryable ? "a retry may help" : "a retry alone does not help";
    expect(body).toContain(`Exit ${facts.exitCode} · ${retry}`);
  });

  it("explains no code that there is not", () => {
    const explained = [...sections.keys()].filter((title) => title.startsWith("ERR_"));
    expect(explained.filter((code) => !Object.hasOwn(ERROR_CODES, code))).toEqual([]);
    const mentioned = page.match(/\bERR_[A-Z_]+\b/g) ?? [];
    expect(mentioned.filter((code) => !Object.hasOwn(ERROR_CODES, code))).toEqual([]);
  });
});
