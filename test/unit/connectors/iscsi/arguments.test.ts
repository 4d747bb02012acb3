import fc from "fast-check";
import { describe, expect, it } from "vitest";

import * as build from "../../../../src/connectors/iscsi/arguments.js";
import { groupTag, HOSTILE, portal, targetName } from "./arbitraries.js";

const iqn = "iqn.2026-01.org.example:a";
const node = { iqn, portal: { host: "10.0.0.1", port: 3260 } };
const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });

describe("the arguments of iscsiadm", () => {
  const record = "-m node -T iqn.2026-01.org.example:a -p 10.0.0.1:3260 -I default";
  const discovery = "-t sendtargets -p 10.0.0.1:3260";
  it.each<[string, string[]]>([
    [`${record} -o new`, build.newNodeArguments(node)],
    [`${record.replace(":3260", ":3260,7")} -o new`, build.newNodeArguments(node, 7)],
    [`${record} -o delete`, build.deleteNodeArguments(node)],
    [`${record} --login`, build.loginArguments(node)],
    ["-m session -r 12 -u", build.logoutSessionArguments(12)],
    [`-m discovery ${discovery} -I default -o nonpersistent`, build.discoverArguments(node.portal)],
    [`-m discoverydb ${discovery} -o new`, build.newDiscoveryArguments(node.portal)],
    [
      `-m discoverydb ${discovery} -I default -o nonpersistent --discover`,
      build.discoverByRecordArguments(node.portal),
    ],
    [`-m discoverydb ${discovery} -o delete`, build.deleteDiscoveryArguments(node.portal)],
  ])("are %s", (text, args) => {
    expect(args).toEqual(text.split(" "));
  });

  it("put an IPv6 address in brackets", () => {
    const args = build.loginArguments({ iqn, portal: { host: "FD00::1", port: 3261 } });
    expect(args[5]).toBe("[fd00::1]:3261");
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])("refuse %s as a session's id", (sid) => {
    expect(() => build.logoutSessionArguments(sid)).toThrowError(refused);
  });

  it.each(HOSTILE)("refuse the name, the host and the portal group %j", (text) => {
    for (const args of [build.loginArguments, build.deleteNodeArguments]) {
      expect(() => args({ ...node, iqn: text })).toThrowError(invalid);
      expect(() => args({ iqn, portal: { host: text, port: 3260 } })).toThrowError(invalid);
    }
    expect(() => build.discoverArguments({ host: text, port: 3260 })).toThrowError(invalid);
    expect(() => build.newNodeArguments(node, text as never)).toThrowError(invalid);
  });

  it("have no dash in front of what came from outside, and every option where it belongs", () => {
    fc.assert(
      fc.property(targetName, portal, groupTag, (name, where, tag) => {
        const args = build.newNodeArguments({ iqn: name, portal: where }, tag);
        expect(args.filter((_, index) => index % 2 === 0)).toEqual(["-m", "-T", "-p", "-I", "-o"]);
        expect(args.filter((text, index) => index % 2 === 1 && text.startsWith("-"))).toEqual([]);
        expect(args[3]).toBe(name);
      }),
    );
  });
});
