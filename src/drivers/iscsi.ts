import type { IscsiConnection } from "../connectors/connection.js";
import { ISCSIADM } from "../connectors/iscsi/iscsiadm.js";
import type { DriverStatus } from "../driver.js";
import { ExportDriver, type ExportRequest } from "../export-driver.js";
import { programVersion } from "../system/program.js";
import { readChapAuth } from "./chap-auth.js";
import { iscsiPlaces } from "./iscsi-place.js";
import { formatIscsiRef, type IscsiLocation, parseIscsiRef } from "./iscsi-ref.js";

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

  readonly places = iscsiPlaces;

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
    const auth = await readChapAuth(location);
    return { portals, iqn, lun, auth, expected, timeouts };
  }
}

export const iscsiDriver = new IscsiDriver();
