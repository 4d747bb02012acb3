/** The exit statuses of iscsiadm (iscsi_err.h of open-iscsi, iscsiadm(8)) by what they mean here. */
import type { ErrorCode } from "../../error-codes.js";
import { BlockhaulError, ERROR_CODES } from "../../errors.js";
import type { Portal } from "../connection.js";
import { portalKey } from "./names.js";

/** What iscsiadm was asked for, and how that reads behind "could not". */
const OPERATIONS = {
  login: "log in to",
  logout: "log out of",
  discover: "ask for the targets of",
  "new-node": "make the node record of",
  "delete-node": "remove the node record of",
  "new-discovery": "make the discovery record of",
  "delete-discovery": "remove the discovery record of",
} as const;

export type IscsiadmOperation = keyof typeof OPERATIONS;

export interface StatusMeaning {
  /** As open-iscsi's sources have it, without "ISCSI_". */
  readonly name: string;
  readonly meaning: string;
  /**
   * "success"; "state": something is already, or is not there, which is fine for some operations;
   * "temporary": the same may work later; "final": it will not.
   */
  readonly kind: "success" | "state" | "temporary" | "final";
  /** Of the error that it is where it is not fine. */
  readonly code: ErrorCode;
  readonly hint?: string | undefined;
}

const START_ISCSID =
  "start it: `systemctl start iscsid.socket`, or `iscsid` where there is no systemd";
const SEE_LOGS = "the log of iscsid (`journalctl -u iscsid`) and the kernel's (`dmesg`) say more";
const STALE_LOCK =
  "a killed iscsiadm leaves /run/lock/iscsi/lock.write behind: remove it where none runs";
const LETS_IN = "the target lets in the name in /etc/iscsi/initiatorname.iscsi";

/** By status, from 1 on. */
const FAILURES: readonly (readonly [
  name: string,
  code: ErrorCode,
  meaning: string,
  hint?: string,
])[] = [
  ["ERR", "ERR_INTERNAL", "iscsiadm failed", SEE_LOGS],
  ["ERR_SESS_NOT_FOUND", "ERR_NOT_FOUND", "there is no such session"],
  ["ERR_NOMEM", "ERR_RESOURCES", "iscsiadm got no memory, or does not know its iSCSI interface"],
  ["ERR_TRANS", "ERR_UNREACHABLE", "the connection to the portal failed"],
  ["ERR_LOGIN", "ERR_UNREACHABLE", "the login broke off"],
  ["ERR_IDBM", "ERR_RESOURCES", "open-iscsi's database cannot be read or changed", STALE_LOCK],
  ["ERR_INVAL", "ERR_INTERNAL", "iscsiadm does not take an argument"],
  ["ERR_TRANS_TIMEOUT", "ERR_UNREACHABLE", "the portal cannot be reached"],
  ["ERR_INTERNAL", "ERR_INTERNAL", "iscsid or the kernel failed", SEE_LOGS],
  ["ERR_LOGOUT", "ERR_IO", "the target or the kernel failed the logout", SEE_LOGS],
  ["ERR_PDU_TIMEOUT", "ERR_TIMEOUT", "the target does not answer"],
  [
    "ERR_TRANS_NOT_FOUND",
    "ERR_DRIVER_UNAVAILABLE",
    "the kernel has no iSCSI initiator",
    "load its module: `modprobe iscsi_tcp`",
  ],
  ["ERR_ACCESS", "ERR_PERMISSION", "this user may not use iscsid", "iscsiadm needs root"],
  ["ERR_TRANS_CAPS", "ERR_UNSUPPORTED", "the transport cannot do that"],
  [
    "ERR_SESS_EXISTS",
    "ERR_EXISTS",
    "a session is logged in",
    "`iscsiadm -m session -P 3` shows it and its devices",
  ],
  [
    "ERR_INVALID_MGMT_REQ",
    "ERR_INTERNAL",
    "iscsid does not know the request",
    "iscsid and iscsiadm may be of two versions: restart iscsid",
  ],
  ["ERR_ISNS_UNAVAILABLE", "ERR_UNSUPPORTED", "there is no iSNS"],
  ["ERR_ISCSID_COMM_ERR", "ERR_DRIVER_UNAVAILABLE", "iscsid went away meanwhile", START_ISCSID],
  [
    "ERR_FATAL_LOGIN",
    "ERR_NOT_FOUND",
    "the target refused the login for good",
    `check that there is a target of this name, and that ${LETS_IN}`,
  ],
  ["ERR_ISCSID_NOTCONN", "ERR_DRIVER_UNAVAILABLE", "iscsid does not run", START_ISCSID],
  ["ERR_NO_OBJS_FOUND", "ERR_NOT_FOUND", "there is no such record, session, target or portal"],
  ["ERR_SYSFS_LOOKUP", "ERR_NOT_FOUND", "the kernel has no such session"],
  ["ERR_HOST_NOT_FOUND", "ERR_NOT_FOUND", "the kernel has no such SCSI host"],
  [
    "ERR_LOGIN_AUTH_FAILED",
    "ERR_AUTHENTICATION",
    "the target does not let this host in",
    `check the CHAP user and secret, and that ${LETS_IN}`,
  ],
  ["ERR_ISNS_QUERY", "ERR_UNSUPPORTED", "iSNS failed"],
  ["ERR_ISNS_REG_FAILED", "ERR_UNSUPPORTED", "iSNS failed"],
  ["ERR_OP_NOT_SUPP", "ERR_UNSUPPORTED", "iscsiadm cannot do that"],
  ["ERR_BUSY", "ERR_IN_USE", "a device of the session is in use"],
  ["ERR_AGAIN", "ERR_UNREACHABLE", "it did not work this time"],
  ["ERR_UNKNOWN_DISCOVERY_TYPE", "ERR_UNSUPPORTED", "iscsiadm cannot discover in this way"],
  ["ERR_CHILD_TERMINATED", "ERR_RESOURCES", "a process of iscsiadm was killed"],
  ["ERR_SESSION_NOT_CONNECTED", "ERR_UNREACHABLE", "the session is not connected"],
  ["ERR_REQ_TIMEDOUT", "ERR_TIMEOUT", "iscsid does not answer", SEE_LOGS],
];

/** Statuses that say how things are, rather than that something failed. */
const STATES: readonly number[] = [2, 15, 21, 22];

/** The statuses besides 0 after which all is as an operation was to leave or to find it. */
const FINE: Readonly<Partial<Record<IscsiadmOperation, readonly number[]>>> = {
  login: [15],
  logout: [2, 21, 22],
  "delete-node": [21],
};

/** What a status means; of one that is none of iscsiadm's, such as 137, that. */
export function meaningOfStatus(status: number): StatusMeaning {
  if (status === 0) {
    return { name: "SUCCESS", meaning: "it worked", kind: "success", code: "ERR_INTERNAL" };
  }
  const [name, code, meaning, hint] = FAILURES[status - 1] ?? [];
  if (name === undefined || code === undefined || meaning === undefined) {
    const unknown = "iscsiadm ended with a status that is none of its own";
    return { name: "unknown", meaning: unknown, kind: "final", code: "ERR_INTERNAL" };
  }
  const isTemporary = ERROR_CODES[code].retryable;
  const kind = STATES.includes(status) ? "state" : isTemporary ? "temporary" : "final";
  return { name, meaning, kind, code, hint };
}

/** Whether all is as it was asked for: a login finds a session, a logout finds none. */
export function isFine(operation: IscsiadmOperation, status: number): boolean {
  return status === 0 || (FINE[operation] ?? []).includes(status);
}

/** Whether the same call may succeed later, with nothing changed by a person. */
export function isRetryable(status: number): boolean {
  return meaningOfStatus(status).kind === "temporary";
}

/** The error of a status that is not fine: "could not log in to iqn.… at 10.0.0.1:3260: …". */
export function errorOfStatus(
  status: number,
  place: {
    readonly operation: IscsiadmOperation;
    readonly iqn?: string | undefined;
    readonly portal?: Portal | undefined;
  },
): BlockhaulError {
  const { meaning, code, hint } = meaningOfStatus(status);
  const portal = place.portal === undefined ? undefined : portalKey(place.portal);
  const where = [place.iqn, portal].filter((part) => part !== undefined).join(" at ");
  const what = [OPERATIONS[place.operation], where].filter(Boolean).join(" ");
  return new BlockhaulError(code, {
    message: `could not ${what}: ${meaning} (iscsiadm's status ${status})`,
    hint,
  });
}
