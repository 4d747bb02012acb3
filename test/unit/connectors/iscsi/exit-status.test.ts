import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  errorOfStatus,
  type IscsiadmOperation,
  isFine,
  isRetryable,
  meaningOfStatus,
} from "../../../../src/connectors/iscsi/exit-status.js";
import { ERROR_CODES } from "../../../../src/errors.js";

const place = {
  operation: "login",
  iqn: "iqn.2026-01.test:a",
  portal: { host: "fd00::1", port: 3260 },
} as const;

describe("the exit statuses of iscsiadm", () => {
  it.each([
    [1, "ERR_INTERNAL", false],
    [2, "ERR_NOT_FOUND", false],
    [3, "ERR_RESOURCES", true],
    [4, "ERR_UNREACHABLE", true],
    [5, "ERR_UNREACHABLE", true],
    [6, "ERR_RESOURCES", true],
    [7, "ERR_INTERNAL", false],
    [8, "ERR_UNREACHABLE", true],
    [9, "ERR_INTERNAL", false],
    [10, "ERR_IO", false],
    [11, "ERR_TIMEOUT", true],
    [12, "ERR_DRIVER_UNAVAILABLE", false],
    [13, "ERR_PERMISSION", false],
    [14, "ERR_UNSUPPORTED", false],
    [15, "ERR_EXISTS", false],
    [16, "ERR_INTERNAL", false],
    [17, "ERR_UNSUPPORTED", false],
    [18, "ERR_DRIVER_UNAVAILABLE", false],
    [19, "ERR_NOT_FOUND", false],
    [20, "ERR_DRIVER_UNAVAILABLE", false],
    [21, "ERR_NOT_FOUND", false],
    [22, "ERR_NOT_FOUND", false],
    [23, "ERR_NOT_FOUND", false],
    [24, "ERR_AUTHENTICATION", false],
    [25, "ERR_UNSUPPORTED", false],
    [26, "ERR_UNSUPPORTED", false],
    [27, "ERR_UNSUPPORTED", false],
    [28, "ERR_IN_USE", false],
    [29, "ERR_UNREACHABLE", true],
    [30, "ERR_UNSUPPORTED", false],
    [31, "ERR_RESOURCES", true],
    [32, "ERR_UNREACHABLE", true],
    [33, "ERR_TIMEOUT", true],
    [34, "ERR_INTERNAL", false],
    [137, "ERR_INTERNAL", false],
    [255, "ERR_INTERNAL", false],
    [-1, "ERR_INTERNAL", false],
  ])("%i is %s, retryable: %s", (status, code, retryable) => {
    const error = errorOfStatus(status, place);
    expect(error).toMatchObject({ code, retryable });
    expect(isRetryable(status)).toBe(retryable);
    expect(error.message).toMatch(
      /^could not log in to iqn\.2026-01\.test:a at \[fd00::1\]:3260: .*status -?\d+\)$/,
    );
  });

  it("have the names of open-iscsi's sources", () => {
    expect([0, 8, 15, 20, 24, 28, 33, 34].map((status) => meaningOfStatus(status).name)).toEqual([
      "SUCCESS",
      "ERR_TRANS_TIMEOUT",
      "ERR_SESS_EXISTS",
      "ERR_ISCSID_NOTCONN",
      "ERR_LOGIN_AUTH_FAILED",
      "ERR_BUSY",
      "ERR_REQ_TIMEDOUT",
      "unknown",
    ]);
  });

  it("are fine where what was asked for is so already", () => {
    const fine: [IscsiadmOperation, number][] = [
      ["login", 15],
      ["logout", 2],
      ["logout", 21],
      ["logout", 22],
      ["delete-node", 21],
    ];
    for (const [operation, status] of fine) expect(isFine(operation, status)).toBe(true);
    for (const status of Array(40).keys()) {
      const states = fine.some((pair) => pair[1] === status);
      expect(meaningOfStatus(status).kind === "state").toBe(states);
    }
    // A login that finds no record, a record that a session uses, a discovery without an answer.
    expect(isFine("login", 21)).toBe(false);
    expect(isFine("delete-node", 15)).toBe(false);
    expect(isFine("discover", 21)).toBe(false);
    expect(isFine("logout", 0)).toBe(true);
  });

  it("say how to start iscsid, and where a wrong secret is put right", () => {
    expect(errorOfStatus(20, place).hint).toContain("systemctl start iscsid");
    expect(errorOfStatus(24, place).hint).toContain("secret");
    expect(errorOfStatus(8, place).hint).toBe(ERROR_CODES.ERR_UNREACHABLE.hint);
  });

  it("are retried exactly where their error says so", () => {
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 300 }), (status) => {
        expect(isRetryable(status)).toBe(errorOfStatus(status, place).retryable && status !== 0);
      }),
    );
  });
});
