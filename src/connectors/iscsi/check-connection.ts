import { BlockhaulError } from "../../errors.js";
import type { CheckedConnection, ExpectedDevice, IscsiConnection, Portal } from "../connection.js";
import { checkChapAuth, faultOfValue } from "./chap.js";
import { checkLun, checkPortal, checkTargetName, portalKey } from "./names.js";
import { settingsOfTimeouts } from "./timeouts.js";

/**
 * A connection with every part of it checked and in one form: nothing that a driver, a settings file
 * or a backend says reaches iscsiadm or a path otherwise. Of portals that are the same the first stays.
 *
 * @throws BlockhaulError ERR_INVALID_REF, and ERR_INVALID_ARGUMENT for users, secrets and settings
 */
export function checkConnection(connection: IscsiConnection): CheckedConnection {
  const { auth, expected, timeouts } = connection;
  const portals = new Map<string, Portal>();
  for (const named of connection.portals) {
    const portal = checkPortal(named);
    const key = portalKey(portal);
    if (!portals.has(key)) portals.set(key, portal);
  }
  if (portals.size === 0) {
    throw new BlockhaulError("ERR_INVALID_REF", { message: "the connection names no portal" });
  }
  settingsOfTimeouts(timeouts ?? {});
  return {
    portals: [...portals.values()],
    iqn: checkTargetName(connection.iqn),
    lun: checkLun(connection.lun),
    ...(auth === undefined ? {} : { auth: checkChapAuth(auth) }),
    ...(expected === undefined ? {} : { expected: checkExpected(expected) }),
    ...(timeouts === undefined ? {} : { timeouts }),
  };
}

function checkExpected(expected: ExpectedDevice): ExpectedDevice {
  for (const name of ["wwid", "serial"] as const) {
    const value = expected[name];
    const fault = value === undefined ? undefined : faultOfValue(value);
    if (fault !== undefined) throw refused(`the expected ${name} ${fault}`);
  }
  const { size } = expected;
  if (size !== undefined && !(Number.isSafeInteger(size) && size > 0)) {
    throw refused("the expected size is no positive whole number of bytes");
  }
  return expected;
}

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
