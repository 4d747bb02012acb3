import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  discoveryAuthValues,
  discoveryRecordPaths,
  nodeAuthValues,
  parseRecordPath,
  recordPaths,
  setRecordValues,
} from "../../../../src/connectors/iscsi/node-record.js";
import { parseRecords } from "../../../../src/connectors/iscsi/output.js";
import { BlockhaulError } from "../../../../src/errors.js";
import { garbage, groupTag, HOSTILE, portal, targetName, value } from "./arbitraries.js";

const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });
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

describe("setRecordValues", () => {
  it("replaces in place, adds at the end, removes, and leaves the rest", () => {
    const changed = setRecordValues(RECORD, {
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
    expect(setRecordValues(twice, { "node.session.scan": "auto" }).match(/scan/g)).toHaveLength(1);
  });

  it("touches nothing outside the record", () => {
    const text = `node.session.scan = x\n${RECORD}node.session.scan = y\n`;
    const changed = setRecordValues(text, { "node.session.scan": "manual" });
    expect(changed).toBe(text.replace("scan = auto", "scan = manual"));
  });

  it("does not take a comment or a longer name for a setting", () => {
    const text = RECORD.replace("node.name", "# node.session = x\nnode.name");
    const changed = setRecordValues(text, { "node.session": "y" });
    expect(changed).toBe(text.replace("# END", "node.session = y\n# END"));
  });

  it.each(["", "node.name = x\n", "# BEGIN RECORD 2.1.8\n", "# END RECORD\n# BEGIN RECORD\n"])(
    "refuses %j, which is no record",
    (text) => {
      expect(() => setRecordValues(text, { "node.session.scan": "manual" })).toThrowError(refused);
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
    const error = captured(() => setRecordValues(RECORD, { "node.session.auth.password": secret }));
    expect(error).toEqual(refused);
    expect(error.message).not.toContain("canary");
  });

  it.each(["", "a b", "a=b", "a\nb", "#a", "-a", "x".repeat(128)])(
    "refuses the name %j",
    (name) => {
      expect(() => setRecordValues(RECORD, { [name]: "x" })).toThrowError(refused);
    },
  );

  it("gives a record in which iscsiadm finds exactly what was set, and all else as before", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_.[\]]{0,20}$/);
    const values = fc.dictionary(name, fc.option(value, { nil: undefined }));
    fc.assert(
      fc.property(values, (set) => {
        const expected = new Map(parseRecords(RECORD)[0]);
        for (const [key, text] of Object.entries(set)) {
          if (text === undefined) expected.delete(key);
          else expected.set(key, text === "<empty>" ? "" : text);
        }
        const once = setRecordValues(RECORD, set);
        expect(parseRecords(once)).toEqual([expected]);
        expect(setRecordValues(once, set)).toBe(once);
      }),
    );
  });

  it("throws nothing but BlockhaulErrors, whatever it gets", () => {
    fc.assert(
      fc.property(garbage, garbage, (text, secret) => {
        try {
          const changed = setRecordValues(text, { "node.session.auth.password": secret });
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

describe("the values of CHAP", () => {
  it("clear what is mutual where nobody asked for it", () => {
    expect(nodeAuthValues({ user: "u", secret: "s" })).toEqual({
      "node.session.auth.authmethod": "CHAP",
      "node.session.auth.username": "u",
      "node.session.auth.password": "s",
      "node.session.auth.username_in": undefined,
      "node.session.auth.password_in": undefined,
    });
  });

  it("are those of both sides, for discoveries too", () => {
    const auth = { user: "u", secret: "s", targetUser: "t", targetSecret: "ts" };
    expect(discoveryAuthValues(auth)).toEqual({
      "discovery.sendtargets.auth.authmethod": "CHAP",
      "discovery.sendtargets.auth.username": "u",
      "discovery.sendtargets.auth.password": "s",
      "discovery.sendtargets.auth.username_in": "t",
      "discovery.sendtargets.auth.password_in": "ts",
    });
    expect(() => nodeAuthValues({ ...auth, targetSecret: "s" })).toThrowError(refused);
  });
});

describe("the paths of records", () => {
  it("are those of both forms", () => {
    expect(recordPaths({ iqn, portal: { host: "10.0.0.1", port: 3260 } }, 1)).toEqual({
      bound: "nodes/iqn.2026-01.test:a/10.0.0.1,3260,1/default",
      old: "nodes/iqn.2026-01.test:a/10.0.0.1,3260",
    });
    expect(recordPaths({ iqn, portal: { host: "fd00:0::1", port: 3260 } }, 0).bound).toBe(
      "nodes/iqn.2026-01.test:a/fd00::1,3260,0/default",
    );
    expect(discoveryRecordPaths({ host: "Host", port: 1 })).toEqual({
      bound: "send_targets/host,1/st_config",
      old: "send_targets/host,1",
    });
  });

  it("are read again, and never leave the folder", () => {
    fc.assert(
      fc.property(targetName, portal, groupTag, (name, where, tag) => {
        const node = { iqn: name, portal: where };
        const { bound, old } = recordPaths(node, tag);
        expect(parseRecordPath(old)).toEqual(node);
        const place = { groupTag: tag, interface: "default" };
        expect(parseRecordPath(bound)).toEqual({ ...node, bound: place });
        const safe = /^nodes\/[a-z0-9][a-z0-9.:-]*\/[a-z0-9:][a-z0-9.:-]*,\d+(,\d+\/default)?$/i;
        for (const file of [bound, old]) {
          expect(file).toMatch(safe);
          expect(file.split("/")).not.toContain("..");
        }
      }),
    );
  });

  it("of other people's interfaces are read", () => {
    const file = `nodes/${iqn}/10.0.0.1,3260,1/bnx2i.00:17:a4:77:00:1e`;
    const bound = { groupTag: 1, interface: "bnx2i.00:17:a4:77:00:1e" };
    expect(parseRecordPath(file)?.bound).toEqual(bound);
  });

  it.each(HOSTILE)("are not made of %j", (text) => {
    const where = { host: "10.0.0.1", port: 3260 };
    expect(() => recordPaths({ iqn: text, portal: where }, 1)).toThrowError(invalid);
    expect(() => recordPaths({ iqn, portal: { host: text, port: 3260 } }, 1)).toThrowError(invalid);
    expect(() => recordPaths({ iqn, portal: where }, text as never)).toThrowError(invalid);
    expect(() => discoveryRecordPaths({ host: text, port: 3260 })).toThrowError(invalid);
    for (const file of [
      text,
      `nodes/${text}/10.0.0.1,3260`,
      `nodes/${iqn}/${text},3260`,
      `nodes/${iqn}/10.0.0.1,${text}`,
      `nodes/${iqn}/10.0.0.1,3260,${text}/default`,
    ]) {
      expect(parseRecordPath(file)).toBeUndefined();
    }
  });

  it.each([
    "",
    "nodes",
    `nodes/${iqn}`,
    `/nodes/${iqn}/10.0.0.1,3260`,
    `nodes/${iqn}/10.0.0.1,3260/`,
    `nodes/${iqn}/10.0.0.1,3260,1`,
    `nodes/${iqn}/10.0.0.1,3260,1/`,
    `nodes/${iqn}/10.0.0.1,3260,1/..`,
    `nodes/${iqn}/10.0.0.1,3260,1/a/b`,
    `nodes/${iqn}/10.0.0.1,3260,1/-I`,
    `nodes/${iqn}/10.0.0.1,3260,01/a`,
    `nodes/${iqn}/10.0.0.1,3260,65536/a`,
    `nodes/${iqn}/10.0.0.1,65536`,
    `nodes/${iqn}/10.0.0.1,3260\n`,
    `nodes/${iqn}/[,1,2/default`,
    `nodes/../10.0.0.1,3260`,
    `send_targets/10.0.0.1,3260/st_config`,
  ])("are not %j", (file) => {
    expect(parseRecordPath(file)).toBeUndefined();
  });

  it("are not read from garbage, which throws nothing", () => {
    const piece = fc.oneof(
      fc.constantFrom("nodes/", iqn, "/", ",", "3260", "..", ".", "10.0.0.1"),
      garbage,
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const place = parseRecordPath(pieces.join(""));
        if (place !== undefined) expect(pieces.join("")).not.toMatch(/\.\.\/|\/\.\.|\s|\0/);
      }),
      { numRuns: 2000 },
    );
  });
});

function captured(action: () => unknown): BlockhaulError {
  try {
    action();
  } catch (error) {
    if (error instanceof BlockhaulError) return error;
  }
  throw new Error("no BlockhaulError was thrown");
}
