import fc from "fast-check";
import { describe, expect, it } from "vitest";

import * as build from "../../../../src/connectors/iscsi/arguments.js";
import { settingsOfTimeouts } from "../../../../src/connectors/iscsi/timeouts.js";
import { groupTag, HOSTILE, portal, targetName } from "./arbitraries.js";

const iqn = "iqn.2026-01.org.example:a";
const node = { iqn, portal: { host: "10.0.0.1", port: 3260 } };
const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });

describe("the arguments of iscsiadm", () => {
  const record = "-m node -T iqn.2026-01.org.example:a -p 10.0.0.1:3260 -I default";
  const discovery = "-t sendtargets -p 10.0.0.1:3260";
  it.each<[string, string[]]>([
    ["-m session", build.listSessionsArguments()],
    ["-m node", build.listNodesArguments()],
    [record, build.showNodeArguments(node)],
    [`${record} -o new`, build.newNodeArguments(node)],
    [`${record.replace(":3260", ":3260,7")} -o new`, build.newNodeArguments(node, 7)],
    [`${record} -o delete`, build.deleteNodeArguments(node)],
    [`${record} --login`, build.loginArguments(node)],
    [`${record} --logout`, build.logoutNodeArguments(node)],
    ["-m session -r 12 -u", build.logoutSessionArguments(12)],
    [`-m discovery ${discovery} -I default -o nonpersistent`, build.discoverArguments(node.portal)],
    [`-m discoverydb ${discovery} -o new`, build.newDiscoveryArguments(node.portal)],
    [
      `-m discoverydb ${discovery} -I default -o nonpersistent --discover`,
      build.discoverByRecordArguments(node.portal),
    ],
    [`-m discoverydb ${discovery} -o delete`, build.deleteDiscoveryArguments(node.portal)],
    [
      `-m discoverydb ${discovery} -o update -n discovery.sendtargets.auth.authmethod -v CHAP`,
      build.updateDiscoveryArguments(node.portal, {
        "discovery.sendtargets.auth.authmethod": "CHAP",
      }),
    ],
  ])("are %s", (text, args) => {
    expect(args).toEqual(text.split(" "));
  });

  it("change several settings at once, and leave out what is undefined", () => {
    const args = build.updateNodeArguments(node, {
      "node.session.scan": "manual",
      "node.session.auth.username": "iqn.1993-08.org.debian:01:a b",
      ...settingsOfTimeouts({ replacementSeconds: -1, loginSeconds: undefined }),
    });
    expect(args.slice(args.indexOf("-o"))).toEqual([
      "-o",
      "update",
      "-n",
      "node.session.scan",
      "-v",
      "manual",
      "-n",
      "node.session.auth.username",
      "-v",
      "iqn.1993-08.org.debian:01:a b",
      "-n",
      "node.session.timeo.replacement_timeout",
      "-v",
      "-1",
    ]);
  });

  it("put an IPv6 address in brackets", () => {
    const args = build.showNodeArguments({ iqn, portal: { host: "FD00::1", port: 3261 } });
    expect(args[5]).toBe("[fd00::1]:3261");
  });

  it.each<object>([
    {},
    { "node.startup": "automatic" },
    { "node.startup": undefined },
    { "node.session.scan": "yes" },
    { "node.session.nr_sessions": -1 },
    { "node.session.timeo.replacement_timeout": -2 },
    { "node.session.timeo.replacement_timeout": "1" },
    { "node.session.auth.username": "-u" },
    { "node.session.auth.username": "a\nb" },
    { "node.session.auth.username": 5 },
    { "node.session.auth.password": "sesame" },
    { "node.session.auth.password_in": "sesame" },
    { "node.name": "x" },
    { toString: "x" },
    { constructor: "x" },
  ])("refuse to change %j", (settings) => {
    expect(() => build.updateNodeArguments(node, settings as build.NodeSettings)).toThrowError(
      refused,
    );
  });

  it("refuse to change a discovery's secret", () => {
    const settings = { "discovery.sendtargets.auth.password": "sesame" };
    const update = () => build.updateDiscoveryArguments(node.portal, settings as never);
    expect(update).toThrowError(refused);
    expect(update).not.toThrowError(/sesame/);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])("refuse %s as a session's id", (sid) => {
    expect(() => build.logoutSessionArguments(sid)).toThrowError(refused);
  });

  it.each(HOSTILE)("refuse the name, the host and the portal group %j", (text) => {
    for (const args of [build.showNodeArguments, build.loginArguments, build.deleteNodeArguments]) {
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
