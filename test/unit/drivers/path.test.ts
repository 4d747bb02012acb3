import fc from "fast-check";
import { expect, it } from "vitest";

import { formatPathRef, kindOfPath, parsePathRef } from "../../../src/drivers/path.js";

it("a formatted path is read as the same path again", () => {
  const path = fc
    .string({ minLength: 1 })
    .filter((text) => !text.includes("\0") && !text.startsWith("//") && text !== "-");
  fc.assert(
    fc.property(path, fc.constantFrom("file" as const, "block" as const), (text, scheme) => {
      expect(parsePathRef(scheme, formatPathRef(scheme, { path: text }))).toEqual({ path: text });
    }),
  );
});

it("what stands for stdin or stdout names no file; ./- does", () => {
  for (const scheme of ["file", "block"] as const) {
    expect(() => parsePathRef(scheme, `${scheme}:-`)).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_REF" }),
    );
    expect(parsePathRef(scheme, `${scheme}:./-`)).toEqual({ path: "./-" });
  }
});

it.each([
  "file:",
  "file://host/x",
  "file:///a%2Fb",
  "file:///%00",
  "file:a\0b",
  "block:x",
  "filex",
])("%j names no file", (ref) => {
  expect(() => parsePathRef("file", ref)).toThrowError(
    expect.objectContaining({ code: "ERR_INVALID_REF" }),
  );
});

it("what is not there counts as a file", async () => {
  expect(await kindOfPath("/no/such/thing")).toBe("file");
  expect(await kindOfPath("/dev/null")).toBe("file");
});
