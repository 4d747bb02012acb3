/**
 * The argument arrays of every call of iscsiadm: each function gives one. Names are checked again
 * here, so that no way leads around the grammar. None passes a setting, which may be a secret: everybody
 * on a host can read the arguments of its processes, so settings go into the record (`node-record.ts`).
 *
 * @throws BlockhaulError ERR_INVALID_REF and ERR_INVALID_ARGUMENT, each of them
 */
import { BlockhaulError } from "../../errors.js";
import type { Portal } from "../connection.js";
import { checkTargetName, formatPortal } from "./names.js";

/**
 * The iSCSI interface that blockhaul's records and sessions belong to. One of its own would tell them
 * from those of others; but as long as there is another than this, every discovery on the host makes
 * its records for that one.
 */
export const INTERFACE = "default";

/** A target at one of its portals: what iscsiadm calls a node. */
export interface IscsiNode {
  readonly iqn: string;
  readonly portal: Portal;
}

/**
 * Makes a node record, or makes it anew. Status 3 where the interface is not there.
 *
 * @param groupTag the target portal group; without it iscsiadm writes a record of the old form, which
 *   takes the place of everybody's records of that portal: `recordPaths` says more
 */
export function newNodeArguments(node: IscsiNode, groupTag?: number): string[] {
  return [...ofNode(node, groupTag), "-o", "new"];
}

export function deleteNodeArguments(node: IscsiNode): string[] {
  return [...ofNode(node), "-o", "delete"];
}

export function loginArguments(node: IscsiNode): string[] {
  return [...ofNode(node), "--login"];
}

/** Ends the one session with this id: the kernel counts them from 1. */
export function logoutSessionArguments(sid: number): string[] {
  // 0 would match every session of the same target and portal.
  if (!Number.isSafeInteger(sid) || sid < 1) {
    throw refused(`${sid} is no id of a session`);
  }
  return ["-m", "session", "-r", String(sid), "-u"];
}

/** Asks a portal for its targets, without CHAP, and leaves no record of it. */
export function discoverArguments(portal: Portal): string[] {
  return ["-m", "discovery", ...ofDiscovery(portal), "-I", INTERFACE, "-o", "nonpersistent"];
}

/** Makes a discovery record, or makes it anew *in the place of anybody's*. */
export function newDiscoveryArguments(portal: Portal): string[] {
  return ["-m", "discoverydb", ...ofDiscovery(portal), "-o", "new"];
}

/** Asks a portal for its targets as the discovery record says, and leaves no record of them. */
export function discoverByRecordArguments(portal: Portal): string[] {
  const quietly = ["-I", INTERFACE, "-o", "nonpersistent", "--discover"];
  return ["-m", "discoverydb", ...ofDiscovery(portal), ...quietly];
}

/** Removes a discovery record *with the node records that came of it*; status 6 without it. */
export function deleteDiscoveryArguments(portal: Portal): string[] {
  return ["-m", "discoverydb", ...ofDiscovery(portal), "-o", "delete"];
}

function ofNode({ iqn, portal }: IscsiNode, groupTag?: number): string[] {
  const where = formatPortal(portal, groupTag);
  return ["-m", "node", "-T", checkTargetName(iqn), "-p", where, "-I", INTERFACE];
}

function ofDiscovery(portal: Portal): string[] {
  return ["-t", "sendtargets", "-p", formatPortal(portal)];
}

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
