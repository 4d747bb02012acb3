import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  hasLine,
  type RecordValues,
  recordSays,
  setRecordValues,
} from "../../../../src/connectors/iscsi/record-text.js";
import { BlockhaulError } from "../../../../src/errors.js";
import { Secret } from "../../../../src/system/secret.js";
import { garbage, value } from "./arbitraries.js";

const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
const iqn = "iqn.2026-01.test:a";
const RECORD = [
  "# BEGIN RECORD 2.1.8",
  "node.name = iqn.2026-01.test:a",
  "node.session.auth.authmethod = None",
  "node.session.auth.chap_algs = MD5",
  "node.session.scan = auto",
  "# END RECORD",
  "",
].join("\n");

/** A record with values, as text. Secrets are in bytes everywhere but here. */
const set = (text: string, values: RecordValues, heading?: string) =>
  setRecordValues(Secret.of(text), values, heading).bytes.toString();
const says = (text: string, values: RecordValues) => recordSays(Secret.of(text), values);

/** What iscsiadm finds in a record: an oracle that knows nothing of bytes. */
function settingsOf(text: string): Map<string, string> {
  const [, record = ""] = /^# BEGIN RECORD[^\n]*\n(.*?)^# END RECORD/ms.exec(text) ?? [];
  const lines = record.split("\n").map((line) => /^([^\s=#]+)\s*=\s*(.*\S)\s*$/s.exec(line) ?? []);
  return new Map(
    lines.flatMap(([, name, found]) =>
      name === undefined || found === undefined ? [] : [[name, found === "<empty>" ? "" : found]],
    ),
  );
}

describe("setRecordValues", () => {
  it("replaces in place, adds at the end, removes, and leaves the rest", () => {
    const changed = set(RECORD, {
      "node.session.auth.authmethod": "CHAP",
      "node.session.auth.password": '%se/c = #r"et',
      "node.session.scan": undefined,
      "node.session.auth.username_in": undefined,
    });
    expect(changed).toBe(
      [
        "# BEGIN RECORD 2.1.8",
        "node.name = iqn.2026-01.test:a",
        "node.session.auth.authmethod = CHAP",
        "node.session.auth.chap_algs = MD5",
        'node.session.auth.password = %se/c = #r"et',
        "# END RECORD",
        "",
      ].join("\n"),
    );
  });

  it("leaves one line of several: iscsiadm would take the last", () => {
    const twice = RECORD.replace("node.name", "node.session.scan = manual\nnode.name");
    expect(set(twice, { "node.session.scan": "auto" }).match(/scan/g)).toHaveLength(1);
  });

  it("touches nothing outside the record", () => {
    const text = `node.session.scan = x\n${RECORD}node.session.scan = y\n`;
    const changed = set(text, { "node.session.scan": "manual" });
    expect(changed).toBe(text.replace("scan = auto", "scan = manual"));
  });

  it("does not take a comment or a longer name for a setting", () => {
    const text = RECORD.replace("node.name", "# node.session = x\nnode.name");
    const changed = set(text, { "node.session": "y" });
    expect(changed).toBe(text.replace("# END", "node.session = y\n# END"));
  });

  it.each(["", "node.name = x\n", "# BEGIN RECORD 2.1.8\n", "# END RECORD\n# BEGIN RECORD\n"])(
    "refuses %j, which is no record",
    (text) => {
      expect(() => set(text, { "node.session.scan": "manual" })).toThrowError(refused);
    },
  );

  it.each([
    "canary\nnode.startup = automatic",
    "canary\r",
    "canary\0",
    " canary",
    "canary\t",
    "",
    "canary".repeat(50),
  ])("refuses the value %j without repeating it", (secret) => {
    const error = captured(() => set(RECORD, { "node.session.auth.password": secret }));
    expect(error).toEqual(refused);
    expect(error.message).not.toContain("canary");
  });

  it.each(["", "a b", "a=b", "a\nb", "#a", "-a", "x".repeat(128)])(
    "refuses the name %j",
    (name) => {
      expect(() => set(RECORD, { [name]: "x" })).toThrowError(refused);
    },
  );

  it("gives a record in which iscsiadm finds exactly what was set, and all else as before", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_.[\]]{0,20}$/);
    const values = fc.dictionary(name, fc.option(value, { nil: undefined }));
    fc.assert(
      fc.property(values, (wanted) => {
        const expected = settingsOf(RECORD);
        for (const [key, text] of Object.entries(wanted)) {
          if (text === undefined) expected.delete(key);
          else expected.set(key, text === "<empty>" ? "" : text);
        }
        const once = set(RECORD, wanted);
        expect(settingsOf(once)).toEqual(expected);
        expect(set(once, wanted)).toBe(once);
        expect(says(once, wanted)).toBe(true);
      }),
    );
  });

  it("throws nothing but BlockhaulErrors, whatever it gets", () => {
    fc.assert(
      fc.property(garbage, garbage, (text, secret) => {
        try {
          const changed = set(text, { "node.session.auth.password": secret });
          expect(changed).toContain(secret);
          expect(changed.split("\n").length - text.split("\n").length).toBeLessThanOrEqual(1);
        } catch (error) {
          expect(error).toEqual(refused);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("recordSays", () => {
  const text = [
    "node.name = before any record",
    "# BEGIN RECORD 2.1.8",
    "node.name = iqn.2026-01.test:a",
    "iface.hwaddress = <empty>",
    'node.session.auth.password = %se/c = #r"et\u2028',
    "  node.session.auth.username =   a = b #c  \r",
    "node.session.scan = auto",
    "node.session.scan = manual",
    "node.tight=x",
    "node.bare",
    "node.nothing =  ",
    "# node.comment = x",
    "two words = x",
    "# END RECORD",
    "node.name = between records",
    "# BEGIN RECORD 2.0-873",
    "node.other = x",
    "# END RECORD",
    "",
  ].join("\n");

  it.each<[RecordValues]>([
    [{ "node.name": iqn, "iface.hwaddress": "" }],
    [{ "node.session.auth.password": Secret.of('%se/c = #r"et\u2028') }],
    [{ "node.session.auth.username": "a = b #c", "node.session.scan": "manual" }],
    [{ "node.tight": "x", "node.bare": undefined, "node.nothing": undefined }],
    [{ "node.comment": undefined, "# node.comment": undefined, two: undefined }],
    [{ "node.other": undefined }],
    [{}],
  ])("is true of %j", (values) => {
    expect(says(text, values)).toBe(true);
  });

  it.each<[RecordValues]>([
    [{ "node.name": "iqn.2026-01.test:b" }],
    [{ "node.name": undefined }],
    [{ "iface.hwaddress": undefined }],
    [{ "node.session.auth.password": Secret.of("another") }],
    [{ "node.session.auth.password": Secret.of('%se/c = #r"et') }],
    [{ "node.session.scan": "auto" }],
    [{ "node.name": iqn, "node.missing": "x" }],
  ])("is false of %j", (values) => {
    expect(says(text, values)).toBe(false);
  });

  it("says nothing of what is no record, and throws nothing", () => {
    fc.assert(
      fc.property(garbage, (some) => {
        if (!some.includes("# BEGIN RECORD")) expect(says(some, { "node.name": iqn })).toBe(false);
        says(some, { "node.name": iqn, __proto__: undefined });
        hasLine(Secret.of(some), "# made");
      }),
      { numRuns: 1000 },
    );
  });
});

it("a heading comes first, and is found again as a line's beginning alone", () => {
  const text = set(RECORD, { "node.session.scan": "manual" }, "# made by us");
  expect(text).toBe(`# made by us\n${RECORD.replace("scan = auto", "scan = manual")}`);
  expect(hasLine(Secret.of(text), "# made by")).toBe(true);
  expect(hasLine(Secret.of(text), "made by")).toBe(false);
  expect(hasLine(Secret.of(RECORD), "# made by")).toBe(false);
});

it("a text is taken whole, at its length and with the bytes that it has", () => {
  const long = RECORD.replace("node.name", `node.long = ${"x".repeat(20_000)}\nnode.name`);
  expect(set(long, {})).toBe(long);
  const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from(RECORD)]);
  expect(setRecordValues(Secret.concat([bytes]), {}).bytes.equals(bytes)).toBe(true);
});

function captured(action: () => unknown): BlockhaulError {
  try {
    action();
  } catch (error) {
    if (error instanceof BlockhaulError) return error;
  }
  throw new Error("no BlockhaulError was thrown");
}
