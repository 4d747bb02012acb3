import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkChapAuth } from "../../../../src/connectors/iscsi/chap.js";
import {
  discoveryAuthValues,
  discoveryRecordPaths,
  nodeAuthValues,
  parseRecordPath,
  recordPaths,
} from "../../../../src/connectors/iscsi/node-record.js";
import { Secret } from "../../../../src/system/secret.js";
import { garbage, groupTag, HOSTILE, portal, targetName } from "./arbitraries.js";

const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });
const iqn = "iqn.2026-01.test:a";
/** Secrets as texts, to be compared. */
const shown = (values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value instanceof Secret ? `secret ${value.bytes}` : value,
    ]),
  );

describe("the values of CHAP", () => {
  it("clear what is mutual where nobody asked for it", () => {
    expect(shown(nodeAuthValues(checkChapAuth({ user: "u", secret: "s" })))).toEqual({
      "node.session.auth.authmethod": "CHAP",
      "node.session.auth.username": "u",
      "node.session.auth.password": "secret s",
      "node.session.auth.username_in": undefined,
      "node.session.auth.password_in": undefined,
    });
  });

  it("are those of both sides, for discoveries too", () => {
    const auth = checkChapAuth({ user: "u", secret: "s", targetUser: "t", targetSecret: "ts" });
    expect(shown(discoveryAuthValues(auth))).toEqual({
      "discovery.sendtargets.auth.authmethod": "CHAP",
      "discovery.sendtargets.auth.username": "u",
      "discovery.sendtargets.auth.password": "secret s",
      "discovery.sendtargets.auth.username_in": "t",
      "discovery.sendtargets.auth.password_in": "secret ts",
    });
    const same = { ...auth, targetSecret: auth.secret };
    expect(() => nodeAuthValues(same)).toThrowError(refused);
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
        const safe = /^nodes\/[a-z0-9][a-z0-9_.:-]*\/[a-z0-9:][a-z0-9.:-]*,\d+(,\d+\/default)?$/i;
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
