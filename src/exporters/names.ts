/** What an export is called, which follows from its id, and what it says it is. */
import { createHash } from "node:crypto";
import { isIP } from "node:net";

import type { Portal } from "../connectors/connection.js";
import { checkPortal, formatPortal } from "../connectors/iscsi/names.js";
import { BlockhaulError } from "../errors.js";

const ID = /^[0-9a-f]{12}$/;
const DEVICE = /^\/dev\/[\w+.:/-]+$/;

/** The target's name. */
export function targetName(id: string): string {
  return `iqn.2026-11.blockhaul:${checkId(id)}`;
}

/** The kernel keeps LIO's backstores in numbered folders; tools count up from 0, we are far above. */
export function lioHba(id: string): string {
  return `iblock_${0x40000000 + Number.parseInt(checkId(id).slice(0, 7), 16)}`;
}

export function lioBackstore(id: string): string {
  return `blockhaul-${checkId(id)}`;
}

/**
 * A unit's serial number, of which the targets make its WWID. Their own would count up from one, and
 * so be the same on every host.
 *
 * @param identity of the volume: the same in each of its exports
 */
export function unitSerial(identity: string): string {
  return createHash("sha256").update(`blockhaul export ${identity}`).digest("hex").slice(0, 32);
}

export function chapUser(id: string): string {
  return `blockhaul-${checkId(id)}`;
}

/** @throws BlockhaulError ERR_INTERNAL: ids are made here, never given from outside */
function checkId(id: string): string {
  if (ID.test(id)) return id;
  throw new BlockhaulError("ERR_INTERNAL", { message: "an export's id is malformed" });
}

/**
 * A device's path that may stand in a target's settings, where commas and spaces have a meaning.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT
 */
export function checkDevicePath(device: string): string {
  if (DEVICE.test(device) && !device.split("/").includes("..")) return device;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `${JSON.stringify(device.slice(0, 64))} cannot be exported: it is no plain path in /dev`,
  });
}

/**
 * The portal of an export as text. It is listened on and logged in to, so it is one address of this
 * host, neither a name nor all addresses at once.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT
 */
export function exportPortal(portal: Portal): string {
  const { host, port } = checkPortal(portal);
  if (isIP(host) !== 0 && host !== "0.0.0.0" && host !== "::") return formatPortal({ host, port });
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `an export cannot listen on ${host}`,
    hint: "give one IP address of this host, as in portal=127.0.0.1",
  });
}
