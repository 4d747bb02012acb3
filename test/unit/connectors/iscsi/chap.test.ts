import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { CheckedChapAuth, IscsiConnection } from "../../../../src/connectors/connection.js";
import {
  checkChapAuth,
  checkChapSecret,
  checkChapUser,
} from "../../../../src/connectors/iscsi/chap.js";
import { checkConnection } from "../../../../src/connectors/iscsi/check-connection.js";
import { attachIscsi } from "../../../../src/connectors/iscsi/connector.js";
import { discoverTargets } from "../../../../src/connectors/iscsi/discovery.js";
import { settingsOfTimeouts } from "../../../../src/connectors/iscsi/timeouts.js";
import { BlockhaulError } from "../../../../src/errors.js";
import { Secret } from "../../../../src/system/secret.js";

const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
const invalid = expect.objectContaining({ code: "ERR_INVALID_REF" });
const CANARY = "canary-secret";

/** Credentials with their secrets as texts, to be compared. */
const shown = (auth: CheckedChapAuth | undefined) =>
  auth && {
    ...auth,
    secret: auth.secret.bytes.toString(),
    ...(auth.targetSecret && { targetSecret: auth.targetSecret.bytes.toString() }),
  };

describe("CHAP", () => {
  it.each(["u", "iqn.1993-08.org.debian:01:abc", "user with spaces", "üser", "x".repeat(255)])(
    "takes the user %s",
    (user) => {
      expect(checkChapUser(user)).toBe(user);
    },
  );

  it.each(["", "-u", "--", "a\nb", "a\0b", " a", "a ", "\ud800", "x".repeat(256), "ü".repeat(128)])(
    "refuses the user %j",
    (user) => {
      expect(() => checkChapUser(user)).toThrowError(refused);
    },
  );

  it.each(["x", "-secret", "%se/cr@et", "a b", "#x", "x".repeat(255)])(
    "takes the secret %s",
    (text) => {
      expect(checkChapSecret(text).bytes.toString()).toBe(text);
      const secret = Secret.of(text);
      expect(checkChapSecret(secret)).toBe(secret);
    },
  );

  it.each([
    "",
    `${CANARY}\n`,
    `a\n${CANARY}`,
    `${CANARY}\0`,
    `${CANARY}\u007f`,
    `\u0080${CANARY}`,
    `${CANARY}\u009f`,
    ` ${CANARY}`,
    `${CANARY} `,
    CANARY.repeat(20),
  ])("refuses the secret %j without repeating it", (secret) => {
    const error = captured(() => checkChapSecret(secret));
    expect(error).toEqual(refused);
    expect(error.message + JSON.stringify(error)).not.toContain(CANARY);
  });

  it("takes what is no control character, though a byte of it looks like one", () => {
    for (const text of ["\u00a0x", "x\u00c2", "\u00c2\u00a0", "ƀ", "é"]) {
      expect(checkChapSecret(text).bytes.toString()).toBe(text);
    }
  });

  it("refuses a secret that is no text, without repeating it", () => {
    const error = captured(() => checkChapSecret(Secret.concat([CANARY, Buffer.from([0xff])])));
    expect(error).toEqual(refused);
    expect(error.message).toBe("the CHAP secret is no text in UTF-8");
  });

  it("wants both parts of mutual CHAP, and two secrets", () => {
    const auth = { user: "u", secret: CANARY };
    expect(shown(checkChapAuth(auth))).toEqual(auth);
    const mutual = { ...auth, targetUser: "t", targetSecret: "another" };
    expect(shown(checkChapAuth(mutual))).toEqual(mutual);
    for (const broken of [
      { ...auth, targetUser: "t" },
      { ...auth, targetSecret: "another" },
      { ...mutual, targetSecret: CANARY },
      { ...mutual, targetUser: "-t" },
    ]) {
      const error = captured(() => checkChapAuth(broken));
      expect(error).toEqual(refused);
      expect(error.message).not.toContain(CANARY);
    }
  });
});

describe("secrets that were handed over", () => {
  const usedAfter = /was used after it was wiped/;
  const given = () => ({
    user: "u",
    secret: Secret.of(CANARY),
    targetUser: "t",
    targetSecret: Secret.of("another"),
  });

  it.each<[string, (auth: ReturnType<typeof given>) => Promise<unknown>]>([
    ["a portal is asked for its targets", (auth) => discoverTargets({ host: "-I", port: 1 }, auth)],
    [
      "their users are refused",
      (auth) => discoverTargets({ host: "10.0.0.1", port: 1 }, { ...auth, user: "-u" }),
    ],
    [
      "a LUN is attached",
      (auth) => {
        const portals = [{ host: "-I", port: 1 }];
        return attachIscsi({ portals, iqn: "iqn.2026-01.test:a", lun: 1, auth }, {} as never);
      },
    ],
  ])("are wiped when %s, also where that fails", async (_, use) => {
    const auth = given();
    await expect(use(auth)).rejects.toMatchObject({ name: "BlockhaulError" });
    expect(() => auth.secret.bytes).toThrowError(usedAfter);
    expect(() => auth.targetSecret.bytes).toThrowError(usedAfter);
  });
});

describe("settingsOfTimeouts", () => {
  it("names the settings of a node record", () => {
    const timeouts = {
      replacementSeconds: -1,
      noopIntervalSeconds: 0,
      noopTimeoutSeconds: 1,
      loginSeconds: 86_400,
    };
    expect(settingsOfTimeouts(timeouts)).toEqual({
      "node.session.timeo.replacement_timeout": -1,
      "node.conn[0].timeo.noop_out_interval": 0,
      "node.conn[0].timeo.noop_out_timeout": 1,
      "node.conn[0].timeo.login_timeout": 86_400,
    });
    expect(settingsOfTimeouts({})).toEqual({});
  });

  it.each([
    { replacementSeconds: -2 },
    { replacementSeconds: 0.5 },
    { noopIntervalSeconds: -1 },
    { noopTimeoutSeconds: 0 },
    { loginSeconds: 0 },
    { loginSeconds: 86_401 },
    { loginSeconds: Number.NaN },
  ])("refuses %j", (timeouts) => {
    expect(() => settingsOfTimeouts(timeouts)).toThrowError(refused);
  });
});

describe("checkConnection", () => {
  const connection: IscsiConnection = {
    portals: [{ host: "10.0.0.1", port: 3260 }],
    iqn: "iqn.2026-01.org.example:a",
    lun: 1,
  };

  it("gives every part in one form", () => {
    const full: IscsiConnection = {
      ...connection,
      auth: { user: "u", secret: "s" },
      expected: { wwid: "t10.IET     00010001", serial: "beaf11", size: 4096 },
      timeouts: { replacementSeconds: 0 },
    };
    const { auth, ...rest } = checkConnection(full);
    expect({ ...rest, auth: shown(auth) }).toEqual(full);
    const portals = ["FD00:0::1", "Host", "fd00::1", "host"].map((host) => ({ host, port: 3260 }));
    expect(checkConnection({ ...connection, portals }).portals).toEqual([
      { host: "fd00::1", port: 3260 },
      { host: "host", port: 3260 },
    ]);
  });

  it.each<Partial<IscsiConnection>>([
    { portals: [] },
    { portals: [{ host: "-I", port: 3260 }] },
    { portals: [{ host: "10.0.0.1", port: 0 }] },
    { iqn: "../x" },
    { iqn: "-T" },
    { lun: 16_384 },
    { lun: -1 },
  ])("refuses %j", (part) => {
    expect(() => checkConnection({ ...connection, ...part })).toThrowError(invalid);
  });

  it.each<Partial<IscsiConnection>>([
    { auth: { user: "-u", secret: "s" } },
    { auth: { user: "u", secret: "s\n" } },
    { expected: { wwid: "" } },
    { expected: { serial: "a\nb" } },
    { expected: { size: 0 } },
    { expected: { size: 1.5 } },
    { timeouts: { loginSeconds: 0 } },
  ])("refuses the setting %j", (part) => {
    expect(() => checkConnection({ ...connection, ...part })).toThrowError(refused);
  });

  it("never repeats a secret", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const secret = `${text}${CANARY}${text}`;
        try {
          checkConnection({ ...connection, auth: { user: "u", secret } });
        } catch (error) {
          expect(String(error)).not.toContain(CANARY);
        }
      }),
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
