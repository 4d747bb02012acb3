import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  type AttachmentRecord,
  formatRecord,
  parseRecord,
} from "../../../src/attachments/record.js";
import { seal } from "../../../src/system/sealed.js";

const value = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
);
const step = fc.record({ kind: fc.string(), data: fc.dictionary(fc.string(), value) });
const record: fc.Arbitrary<AttachmentRecord> = fc
  .record({
    version: fc.constant<1>(1),
    id: fc.stringMatching(/^[0-9a-f]{12}$/),
    ref: fc.string({ unit: "binary" }),
    createdAt: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    bootId: fc.uuid(),
    pid: fc.nat(),
    kept: fc.boolean(),
    steps: fc.array(step, { maxLength: 5 }),
    failure: fc.option(fc.string(), { nil: undefined }),
  })
  // As it comes out of a file: undefined is not there, and no object has a prototype of its own.
  .map((made) => JSON.parse(JSON.stringify(made)));

describe("a record", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(record, (made) => {
        const text = formatRecord(made);
        expect(parseRecord(text)).toEqual(made);
        expect(formatRecord(parseRecord(text) ?? made)).toBe(text);
        expect(text.endsWith("}\n")).toBe(true);
      }),
    );
  });

  it("that is not whole is none", () => {
    fc.assert(
      fc.property(record, fc.double({ min: 0, max: 1, maxExcluded: true }), (made, part) => {
        const text = formatRecord(made).trimEnd();
        expect(parseRecord(text.slice(0, Math.floor(text.length * part)))).toBeUndefined();
      }),
    );
  });

  it("is none where one of its fields is missing, or something else", () => {
    const names = ["version", "id", "ref", "createdAt", "bootId", "pid", "kept", "steps"] as const;
    // A list is none of them: whatever a field is, that is wrong.
    const anything = fc.oneof(fc.constant(undefined), fc.array(fc.string(), { minLength: 1 }));
    fc.assert(
      fc.property(record, fc.constantFrom(...names), anything, (made, name, other) => {
        expect(parseRecord(seal({ ...made, [name]: other }))).toBeUndefined();
      }),
    );
  });

  it.each<Record<string, unknown>>([
    { version: 2 },
    { version: "1" },
    { id: "3F0A9C1B22D4" },
    { id: "../../../etc" },
    { id: "3f0a9c1b22d4\n" },
    { pid: 1.5 },
    { pid: "1" },
    { kept: 1 },
    { failure: null },
    { failure: 5 },
    { steps: {} },
    { steps: [null] },
    { steps: [{ kind: "export" }] },
    { steps: [{ data: {} }] },
    { steps: [{ kind: 1, data: {} }] },
    { steps: [{ kind: "export", data: [] }] },
    { steps: [{ kind: "export", data: { inner: {} } }] },
    { steps: [{ kind: "export", data: { list: [] } }] },
  ])("is none with %j", (change) => {
    const [made] = fc.sample(record, { numRuns: 1, seed: 1 });
    expect(parseRecord(seal(made as object))).toBeDefined();
    expect(parseRecord(seal({ ...made, ...change }))).toBeUndefined();
  });

  it("is none without its checksum", () => {
    const [made] = fc.sample(record, { numRuns: 1, seed: 1 });
    expect(parseRecord(JSON.stringify(made))).toBeUndefined();
  });

  it("is never made of garbage, and garbage is never thrown back", () => {
    const garbage = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
      fc.constantFrom("", "null", "[]", "{}", "0", '"', "{", '{"__proto__":null}'),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        expect(parseRecord(text)).toBeUndefined();
      }),
    );
  });
});
