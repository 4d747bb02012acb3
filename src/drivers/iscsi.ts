import type { ChapAuth, IscsiConnection } from "../connectors/connection.js";
import { ISCSIADM } from "../connectors/iscsi/iscsiadm.js";
import type { DriverStatus } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { ExportDriver, type ExportRequest } from "../export-driver.js";
import { programVersion } from "../system/program.js";
import { readSecret } from "../system/secret.js";
import { formatIscsiRef, type IscsiLocation, parseIscsiRef } from "./iscsi-ref.js";

const USER_SECRET = { variable: "BLOCKHAUL_CHAP_SECRET", option: "secret-file" } as const;
const TARGET_SECRET = {
  variable: "BLOCKHAUL_CHAP_TARGET_SECRET",
  option: "target-secret-file",
} as const;

/** LUNs of iSCSI targets, attached through iscsiadm: exported by somebody else, for as long as they like. */
class IscsiDriver extends ExportDriver<IscsiLocation> {
  readonly name = "iscsi";
  readonly schemes = ["iscsi"];
  readonly summary = "LUNs of iSCSI targets, attached through iscsiadm";
  readonly refForms = ["iscsi://[USER@]HOST[:PORT][,HOST2[:PORT]...]/IQN/LUN[?OPTION=VALUE&...]"];
  readonly supports = {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: true,
    snapshots: false,
    delete: false,
  } as const;

  parseRef(ref: string): IscsiLocation {
    return parseIscsiRef(ref);
  }

  formatRef(location: IscsiLocation): string {
    return formatIscsiRef(location);
  }

  override async status(): Promise<DriverStatus> {
    const version = await programVersion(ISCSIADM, ["--version"]);
    return version === undefined
      ? { available: false, reason: "iscsiadm is missing: apt-get install open-iscsi" }
      : { available: true, version };
  }

  override async initializeConnection({
    location,
  }: ExportRequest<IscsiLocation>): Promise<IscsiConnection> {
    const { portals, iqn, lun, expected, timeouts } = location;
    const auth = await readAuth(location);
    return { portals, iqn, lun, auth, expected, timeouts };
  }
}

export const iscsiDriver = new IscsiDriver();

/** The credentials of a ref: its users, and their secrets from files or the environment. */
async function readAuth(location: IscsiLocation): Promise<ChapAuth | undefined> {
  const { user, targetUser } = location;
  if (user === undefined) {
    if (targetUser === undefined) return undefined;
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: "a target that has to prove who it is wants to know who asks: a user is missing",
    });
  }
  const secret = await readSecret({ ...USER_SECRET, file: location.secretFile });
  if (secret === undefined) throw noSecret(user, USER_SECRET);
  if (targetUser === undefined) return { user, secret };
  const targetSecret = await readSecret({ ...TARGET_SECRET, file: location.targetSecretFile });
  if (targetSecret === undefined) throw noSecret(targetUser, TARGET_SECRET);
  return { user, secret, targetUser, targetSecret };
}

function noSecret(
  user: string,
  { variable, option }: { readonly variable: string; readonly option: string },
): BlockhaulError {
  return new BlockhaulError("ERR_AUTHENTICATION", {
    message: `there is no secret for the user ${user}`,
    hint: `put it into a file that only you can read and write ?${option}=PATH, or set ${variable}_FILE or ${variable}`,
  });
}
