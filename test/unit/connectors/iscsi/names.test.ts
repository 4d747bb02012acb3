import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  checkGroupTag,
  checkLun,
  checkPortal,
  checkTargetName,
  formatPortal,
  parseLun,
  parsePortal,
  portalKey,
} from "../../../../src/connectors/iscsi/names.js";
import { BlockhaulError } from "../../../../src/errors.js";
import { HOSTILE, portal, targetName } from "./arbitraries.js";

const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });

/** What has no place in the middle of a name either. */
const FOREIGN = HOSTILE.filter((text) => !/^[a-z0-9.-]{0,99}$/i.test(text));

/** The property that everything else rests on: nothing of it can become an option or leave a folder. */
const isHarmless = (text: string) => /^[a-z0-9[][a-z0-9_.:,[\]-]*$/i.test(text) && text !== "..";

describe("checkTargetName", () => {
  it.each([
    "iqn.2026-01.org.example",
    "iqn.2026-12.org.example:disk-1.a:b",
    "iqn.1992-08.com.netapp:sn.4121a",
    "iqn.2000-01.com.synology:NAS_1.Target-1.0aB",
    "iqn.2026-01.org.Example:a_b",
    "iqn.2026-01.a_b.Example",
    "iqn.2010-10.org.openstack:volume-0a1b2c3d-0000-4000-8000-000000000000",
    "iqn.2003-01.org.linux-iscsi.host.x8664:sn.0123456789ab",
    `iqn.2026-01.t:${"x".repeat(223 - 14)}`,
    "eui.02004567A425678D",
    "naa.52004567ba64678d",
    "naa.62004567ba64678d0123456789abcdef",
  ])("takes %s", (name) => {
    expect(checkTargetName(name)).toBe(name);
  });

  it.each([
    ...HOSTILE,
    ...FOREIGN.map((text) => `iqn.2026-01.org.example:${text}`),
    ...FOREIGN.map((text) => `iqn.2026-01.${text}`),
    ...FOREIGN.map((text) => `${text}iqn.2026-01.org.example`),
    "iqn.2026-01.-T",
    "iqn.2026-01.--",
    "iqn.2026-01...",
    "iqn.2026-01.org.example:",
    "iqn.2026-01",
    "iqn.2026-01.",
    "iqn.2026-01..example",
    "iqn.2026-01.example.",
    "iqn.2026-00.org.example",
    "iqn.2026-13.org.example",
    "iqn.26-01.org.example",
    "iqn.2026-01._org.example",
    "iqn.2026-01.org.example:a,b",
    "iqn.2026-01.org.example\n",
    "IQN.2026-01.org.example",
    `iqn.2026-01.t:${"x".repeat(224 - 14)}`,
    "eui.02004567A425678",
    "eui.02004567A425678DD",
    "eui.02004567A425678G",
    "eui.02004567A425678D\n",
    "naa.52004567ba64678d0",
    "naa.52004567ba64678d01234567",
  ])("refuses %j", (name) => {
    expect(() => checkTargetName(name)).toThrowError(invalid);
  });

  it("says which part is wrong and why, on one short line", () => {
    expect(() => checkTargetName("iqn.2026-01.org.exa mple")).toThrowError(
      'the target name "iqn.2026-01.org.exa mple" has the character " "',
    );
    expect(() => checkTargetName(`iqn.2026-01.a:\n${"x".repeat(9999)}`)).toThrowError(
      /^the target name "iqn[^\n]{1,80}…" has \d+ characters; 223 are the most$/,
    );
  });

  it("takes every name that the standards allow, and nothing harmful", () => {
    fc.assert(
      fc.property(targetName, (name) => {
        expect(checkTargetName(name)).toBe(name);
        expect(isHarmless(name)).toBe(true);
      }),
    );
  });

  it("lets nothing through that could be an argument or a path", () => {
    const pieces = fc.array(fc.oneof(fc.constantFrom("iqn.2026-01.", "a", ":", ...HOSTILE)));
    fc.assert(
      fc.property(pieces, (parts) => {
        const name = parts.join("");
        if (accepts(() => checkTargetName(name))) expect(isHarmless(name)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("parsePortal", () => {
  it.each([
    ["10.0.0.1", { host: "10.0.0.1", port: 3260 }],
    ["10.0.0.1:1", { host: "10.0.0.1", port: 1 }],
    ["10.0.0.1:65535", { host: "10.0.0.1", port: 65_535 }],
    ["Storage-1.Example.org:3261", { host: "storage-1.example.org", port: 3261 }],
    ["localhost", { host: "localhost", port: 3260 }],
    ["3com.example", { host: "3com.example", port: 3260 }],
    ["::1", { host: "::1", port: 3260 }],
    ["[::1]", { host: "::1", port: 3260 }],
    ["[::1]:3261", { host: "::1", port: 3261 }],
    ["FD00:0:0:0::00A", { host: "fd00::a", port: 3260 }],
    ["[0:0:0:0:0:0:0:1]:3260", { host: "::1", port: 3260 }],
    // Without brackets all of it is the address.
    ["fd00::1:3260", { host: "fd00::1:3260", port: 3260 }],
    ["[::ffff:10.0.0.1]:3260", { host: "::ffff:a00:1", port: 3260 }],
  ])("reads %s", (text, expected) => {
    expect(parsePortal(text)).toEqual(expected);
  });

  it.each([
    ...HOSTILE,
    ...FOREIGN.map((text) => `10.0.0.1${text}`),
    ...HOSTILE.map((text) => `10.0.0.1:${text}`),
    ...HOSTILE.map((text) => `[${text}]:3260`),
    "10.0.0.1:",
    "10.0.0.1:0",
    "10.0.0.1:03260",
    "10.0.0.1:65536",
    "10.0.0.1:-1",
    "10.0.0.1:3260:1",
    "10.0.0.1:3260,1",
    "10.0.0.256",
    "010.0.0.1",
    "10.1",
    "0x7f000001",
    "1",
    "[10.0.0.1]:3260",
    "[localhost]:3260",
    "[::1",
    "::1]",
    "[::1]3260",
    "[[::1]]:3260",
    "[::1]:3260 ",
    ":3260",
    "fe80::1%eth0",
    "[fe80::1%eth0]:3260",
    "[::1%../x]:3260",
    "fd00::1:3260:99999",
    "host.",
    ".host",
    "-host",
    "host-",
    "a..b",
    "a_b",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(127)}`,
  ])("refuses %j", (text) => {
    expect(() => parsePortal(text)).toThrowError(invalid);
  });

  it("says how an IPv6 address with a port is written", () => {
    expect(() => parsePortal("fd00::1:3260:99999")).toThrowError("[::1]:3260");
  });

  it("is what formatPortal undoes", () => {
    fc.assert(
      fc.property(portal, (before) => {
        const text = formatPortal(before);
        expect(parsePortal(text)).toEqual(before);
        expect(isHarmless(text)).toBe(true);
        expect(formatPortal(before, 7)).toBe(`${text},7`);
      }),
    );
  });

  it("gives what formatPortal takes, whatever it gets", () => {
    const piece = fc.oneof(fc.constantFrom(..."[]:.,-%0123456789abc", ...HOSTILE), fc.ipV6());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join("");
        if (!accepts(() => parsePortal(text))) return;
        expect(isHarmless(formatPortal(parsePortal(text)))).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("formatPortal", () => {
  it("writes no dot into an IPv6 address: iscsiadm would take it for an IPv4 one", () => {
    expect(formatPortal({ host: "::ffff:10.0.0.1", port: 3260 })).toBe("[::ffff:a00:1]:3260");
  });

  it.each([
    [{ host: "10.0.0.1", port: 0 }, undefined],
    [{ host: "10.0.0.1", port: 1.5 }, undefined],
    [{ host: "10.0.0.1", port: Number.NaN }, undefined],
    [{ host: "[::1]", port: 3260 }, undefined],
    [{ host: "-I", port: 3260 }, undefined],
    [{ host: "a b", port: 3260 }, undefined],
    [{ host: "10.0.0.1", port: 3260 }, -1],
    [{ host: "10.0.0.1", port: 3260 }, 65_536],
    [{ host: "10.0.0.1", port: 3260 }, 0.5],
  ])("refuses %j with the group %s", (broken, tag) => {
    expect(() => formatPortal(broken, tag)).toThrowError(invalid);
  });
});

describe("portalKey", () => {
  it.each([
    ["[fd00:0::A]:3260", "fd00::a"],
    ["[::FFFF:10.0.0.1]", "::ffff:a00:1"],
    ["Storage:3260", "storage"],
  ])("is the same for %s and %s", (one, other) => {
    expect(portalKey(parsePortal(one))).toBe(portalKey(parsePortal(other)));
  });

  it("takes hosts as iscsiadm prints them", () => {
    expect(portalKey({ host: "[FD00::0:1]", port: 1 })).toBe("[fd00::1]:1");
    expect(portalKey({ host: "fe80::1%eth0", port: 1 })).toBe("[fe80::1%eth0]:1");
  });

  it("differs where the portals do, and throws at nothing", () => {
    fc.assert(
      fc.property(portal, portal, fc.string(), (one, other, garbage) => {
        fc.pre(one.host !== other.host || one.port !== other.port);
        expect(portalKey(one)).not.toBe(portalKey(other));
        expect(portalKey({ host: garbage, port: 1 })).toContain(":1");
      }),
    );
  });
});

describe("LUNs and portal groups", () => {
  it.each(["0", "1", "255", "16383"])("parseLun takes %s", (text) => {
    expect(parseLun(text)).toBe(Number(text));
  });

  it.each([...HOSTILE, "16384", "99999", "-1", "+1", "01", "1.0", "1e3", "0x1", "1 ", "1\n", "١"])(
    "parseLun refuses %j",
    (text) => {
      expect(() => parseLun(text)).toThrowError(invalid);
    },
  );

  it("check numbers too", () => {
    expect([checkLun(0), checkLun(16_383), checkGroupTag(0), checkGroupTag(65_535)]).toHaveLength(
      4,
    );
    for (const number of [-1, 16_384, 0.5, Number.NaN]) {
      expect(() => checkLun(number)).toThrowError(invalid);
    }
    for (const number of [-1, 65_536, 0.5, Number.NaN]) {
      expect(() => checkGroupTag(number)).toThrowError(invalid);
    }
    expect(() => checkPortal({ host: "", port: 3260 })).toThrowError(invalid);
  });
});

/** Whether a grammar lets something through; what it refuses, it refuses with one code. */
function accepts(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(BlockhaulError);
    expect(error).toEqual(invalid);
    return false;
  }
}
