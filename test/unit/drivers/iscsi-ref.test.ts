import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  formatIscsiRef,
  type IscsiLocation,
  parseIscsiRef,
} from "../../../src/drivers/iscsi-ref.js";
import { BlockhaulError } from "../../../src/errors.js";
import { HOSTILE, portal, targetName, value } from "../connectors/iscsi/arbitraries.js";

const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });
const iqn = "iqn.2026-01.org.example:a";
const at = (host: string, port = 3260) => ({ host, port });

describe("parseIscsiRef", () => {
  it.each<[string, IscsiLocation]>([
    [`iscsi://10.0.0.1/${iqn}/1`, { portals: [at("10.0.0.1")], iqn, lun: 1 }],
    [`iscsi://10.0.0.1:3261/${iqn}/0`, { portals: [at("10.0.0.1", 3261)], iqn, lun: 0 }],
    [`iscsi://[FD00::1]/${iqn}/16383`, { portals: [at("fd00::1")], iqn, lun: 16_383 }],
    [`iscsi://[::1]:3261/${iqn}/0`, { portals: [at("::1", 3261)], iqn, lun: 0 }],
    [
      `iscsi://nova@10.0.0.1,10.0.0.2:3261,[::1]/${iqn}/1`,
      { portals: [at("10.0.0.1"), at("10.0.0.2", 3261), at("::1")], iqn, lun: 1, user: "nova" },
    ],
    [
      "iscsi://Storage-1/eui.02004567A425678D/1",
      { portals: [at("storage-1")], iqn: "eui.02004567A425678D", lun: 1 },
    ],
    [
      `iscsi://u@h/${iqn}/1?secret-file=/etc/block%20haul/s%40&target-user=t&target-secret-file=../t`,
      {
        portals: [at("h")],
        iqn,
        lun: 1,
        user: "u",
        secretFile: "/etc/block haul/s@",
        targetUser: "t",
        targetSecretFile: "../t",
      },
    ],
    [
      `iscsi://h/${iqn}/1?user=iqn.1993-08.org.debian:01:abc`,
      { portals: [at("h")], iqn, lun: 1, user: "iqn.1993-08.org.debian:01:abc" },
    ],
    [
      `iscsi://h/${iqn}/1?wwid=t10.IET%20%20%2000010001&serial=a=b?c&size=1.5G`,
      {
        portals: [at("h")],
        iqn,
        lun: 1,
        expected: { wwid: "t10.IET   00010001", serial: "a=b?c", size: 1.5 * 1024 ** 3 },
      },
    ],
    [
      `iscsi://h/${iqn}/1?replacement-timeout=-1&noop-interval=0&noop-timeout=5&login-timeout=15`,
      {
        portals: [at("h")],
        iqn,
        lun: 1,
        timeouts: {
          replacementSeconds: -1,
          noopIntervalSeconds: 0,
          noopTimeoutSeconds: 5,
          loginSeconds: 15,
        },
      },
    ],
  ])("reads %s", (ref, location) => {
    expect(parseIscsiRef(ref)).toEqual(location);
  });

  it.each([
    "",
    "iscsi:",
    "iscsi://",
    "iscsi:///",
    "ISCSI://h/x/1",
    "http://h/x/1",
    `iscsi:h/${iqn}/1`,
    `iscsi:///${iqn}/1`,
    `iscsi://h`,
    `iscsi://h/${iqn}`,
    `iscsi://h/${iqn}/`,
    `iscsi://h/${iqn}/1/`,
    `iscsi://h//1`,
    `iscsi://h/${iqn}/1#part`,
    `iscsi://h,/${iqn}/1`,
    `iscsi://,h/${iqn}/1`,
    `iscsi://h,h:3260/${iqn}/1`,
    `iscsi://[::1],[0::1]/${iqn}/1`,
    `iscsi://::1/${iqn}/1`,
    `iscsi://::1:3260/${iqn}/1`,
    `iscsi://[::1/${iqn}/1`,
    `iscsi://[fe80::1%25eth0]/${iqn}/1`,
    `iscsi://h:0/${iqn}/1`,
    `iscsi://h%2e/${iqn}/1`,
    `iscsi://h/iqn.2026-01.org%2eexample/1`,
    `iscsi://h/${iqn}/%31`,
    `iscsi://h/${iqn}/01`,
    `iscsi://h/${iqn}/-1`,
    `iscsi://h/${iqn}/16384`,
    `iscsi://@h/${iqn}/1`,
    `iscsi://-u@h/${iqn}/1`,
    `iscsi://a@b@h/${iqn}/1`,
    `iscsi://a/b@h/${iqn}/1`,
    `iscsi://u@h/${iqn}/1?user=v`,
    `iscsi://h/${iqn}/1?`,
    `iscsi://h/${iqn}/1?&`,
    `iscsi://h/${iqn}/1?size`,
    `iscsi://h/${iqn}/1?size=`,
    `iscsi://h/${iqn}/1?size=0`,
    `iscsi://h/${iqn}/1?size=many`,
    `iscsi://h/${iqn}/1?size=-1`,
    `iscsi://h/${iqn}/1?size=1&size=1`,
    `iscsi://h/${iqn}/1?Size=1`,
    `iscsi://h/${iqn}/1?color=red`,
    `iscsi://h/${iqn}/1?toString=x`,
    `iscsi://h/${iqn}/1?wwid=%`,
    `iscsi://h/${iqn}/1?wwid=%ff`,
    `iscsi://h/${iqn}/1?wwid=%0a`,
    `iscsi://h/${iqn}/1?wwid=%00`,
    `iscsi://h/${iqn}/1?wwid=a b`,
    `iscsi://h/${iqn}/1?wwid=${"x".repeat(256)}`,
    `iscsi://h/${iqn}/1?user=-u`,
    `iscsi://h/${iqn}/1?user=`,
    `iscsi://h/${iqn}/1?secret-file=/s`,
    `iscsi://h/${iqn}/1?target-user=t`,
    `iscsi://u@h/${iqn}/1?secret-file=`,
    `iscsi://u@h/${iqn}/1?secret-file=%00`,
    `iscsi://u@h/${iqn}/1?target-secret-file=/s`,
    `iscsi://h/${iqn}/1?replacement-timeout=-2`,
    `iscsi://h/${iqn}/1?replacement-timeout=-0`,
    `iscsi://h/${iqn}/1?noop-interval=-1`,
    `iscsi://h/${iqn}/1?noop-timeout=0`,
    `iscsi://h/${iqn}/1?login-timeout=0`,
    `iscsi://h/${iqn}/1?login-timeout=1.5`,
    `iscsi://h/${iqn}/1?login-timeout=010`,
    `iscsi://h/${iqn}/1?login-timeout=86401`,
  ])("refuses %j", (ref) => {
    expect(() => parseIscsiRef(ref)).toThrowError(invalid);
  });

  it.each(HOSTILE)("refuses %j in each of its places", (text) => {
    for (const ref of [
      text,
      `iscsi://${text}/${iqn}/1`,
      `iscsi://10.0.0.1:${text}/${iqn}/1`,
      `iscsi://10.0.0.1,${text}/${iqn}/1`,
      `iscsi://[${text}]/${iqn}/1`,
      `iscsi://10.0.0.1/${text}/1`,
      `iscsi://10.0.0.1/${iqn}/${text}`,
      `iscsi://10.0.0.1/${iqn}/1?${text}`,
      `iscsi://10.0.0.1/${iqn}/1?login-timeout=${text}`,
    ]) {
      expect(() => parseIscsiRef(ref)).toThrowError(invalid);
    }
  });

  it("shows the form, and the options that there are", () => {
    expect(captured(() => parseIscsiRef("iscsi://h"))?.hint).toContain("iscsi://[USER@]HOST");
    const unknown = captured(() => parseIscsiRef(`iscsi://h/${iqn}/1?lun=1`));
    expect(unknown?.hint).toMatch(/user, secret-file, .*login-timeout$/);
    expect(captured(() => parseIscsiRef(`iscsi://h/${iqn}/1?size=x`))?.message).toBe(
      `iscsi://h/${iqn}/1?size=x: "x" is not a size`,
    );
    expect(captured(() => parseIscsiRef(`iscsi://::1/${iqn}/1`))?.message).toContain("brackets");
  });

  it.each([
    `iscsi://user%canary@h/${iqn}/1`,
    `iscsi://user:canary@h/${iqn}/1`,
    `iscsi://user%can/canary@h/${iqn}/1`,
    `iscsi://user%c@canary@h/${iqn}/1`,
    `iscsi://user%c?canary@h/${iqn}/1`,
    `iscsi://user@example.org%canary@h/${iqn}/1`,
    `iscsi://user@example.org:canary@h/${iqn}/1`,
    `iscsi://user%c canary@h/${iqn}/1`,
    `iscsi://user%c\ncanary@h/${iqn}/1`,
    `iscsi://user:%canary%@h/${iqn}/1`,
    `iscsi://:canary@h/${iqn}/1`,
    `iscsi://h/${iqn}/1?secret=canary`,
    `iscsi://h/${iqn}/1?target_password=canary`,
    `iscsi://h/${iqn}/1?chap-secret=canary`,
  ])("refuses the secret in %j, without repeating it", (ref) => {
    const error = captured(() => parseIscsiRef(ref));
    expect(error).toMatchObject({
      code: "ERR_INVALID_REF",
      hint: expect.stringMatching(/secret-file=PATH.*BLOCKHAUL_CHAP_SECRET_FILE/),
    });
    const again = error?.withContext({ volume: ref, side: "source" });
    for (const text of [error, again].map((each) => `${each?.stack} ${JSON.stringify(each)}`)) {
      expect(text).not.toContain("canary");
    }
  });

  it("throws nothing but BlockhaulErrors with ERR_INVALID_REF, whatever it gets", () => {
    const piece = fc.oneof(
      fc.constantFrom(..."@:%/?&=,[]-", iqn, "10.0.0.1", "::1", "1", "size=", "user=", "%41", "\0"),
      fc.string({ unit: "binary" }),
    );
    const start = fc.constantFrom("", `10.0.0.1/${iqn}/1`, `10.0.0.1/${iqn}/1?`);
    fc.assert(
      fc.property(start, fc.array(piece), (begin, pieces) => {
        const error = captured(() => parseIscsiRef(`iscsi://${begin}${pieces.join("")}`));
        expect(error === undefined || error.code === "ERR_INVALID_REF").toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("formatIscsiRef", () => {
  it("is short where it can be", () => {
    const location: IscsiLocation = {
      portals: [at("10.0.0.1"), at("::1"), at("h", 3261)],
      iqn,
      lun: 1,
      user: "nova",
      secretFile: "/etc/s",
      expected: { size: 4 * 1024 ** 2 },
      timeouts: { replacementSeconds: -1 },
    };
    expect(formatIscsiRef(location)).toBe(
      `iscsi://nova@10.0.0.1,[::1],h:3261/${iqn}/1?secret-file=/etc/s&size=4MiB&replacement-timeout=-1`,
    );
  });

  it("gives a ref that is read as the same location again", () => {
    const user = value.filter((text) => !text.startsWith("-"));
    const file = fc.oneof(value, fc.constantFrom("/a b", " ", "%41", "a&b=c?d#e@f,g:h+i"));
    const seconds = (min: number) => fc.integer({ min, max: 86_400 });
    const nonEmpty = (part: object) => Object.keys(part).length > 0;
    const options = { requiredKeys: [] };
    const location: fc.Arbitrary<IscsiLocation> = fc.record(
      {
        portals: fc.uniqueArray(portal, {
          minLength: 1,
          maxLength: 4,
          selector: (each) => `${each.host} ${each.port}`,
        }),
        iqn: targetName,
        lun: fc.integer({ min: 0, max: 16_383 }),
        user: fc
          .oneof(user, fc.stringMatching(/^[a-z0-9._~+=!*-]{1,9}$/))
          .filter((text) => !text.startsWith("-")),
        secretFile: file,
        targetUser: user,
        targetSecretFile: file,
        expected: fc
          .record(
            { wwid: value, serial: value, size: fc.maxSafeInteger().filter((n) => n > 0) },
            options,
          )
          .filter(nonEmpty),
        timeouts: fc
          .record(
            {
              replacementSeconds: seconds(-1),
              noopIntervalSeconds: seconds(0),
              noopTimeoutSeconds: seconds(1),
              loginSeconds: seconds(1),
            },
            options,
          )
          .filter(nonEmpty),
      },
      { requiredKeys: ["portals", "iqn", "lun"] },
    );
    fc.assert(
      fc.property(location.map(possible), (before) => {
        const ref = formatIscsiRef(before);
        expect(parseIscsiRef(ref)).toEqual(before);
        expect(ref).toMatch(/^[!-~]+$/);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Without what cannot stand alone: secrets without a user. */
function possible({
  user,
  secretFile,
  targetUser,
  targetSecretFile,
  ...rest
}: IscsiLocation): IscsiLocation {
  if (user === undefined) return rest;
  const own = { ...rest, user, ...(secretFile === undefined ? {} : { secretFile }) };
  if (targetUser === undefined) return own;
  return { ...own, targetUser, ...(targetSecretFile === undefined ? {} : { targetSecretFile }) };
}

function captured(action: () => unknown): BlockhaulError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof BlockhaulError) return error;
    throw error;
  }
}
