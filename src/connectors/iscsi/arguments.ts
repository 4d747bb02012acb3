/**
 * The argument arrays of every call of iscsiadm: each function gives one. Names are checked again
 * here, so that no way leads around the grammar; and there is no setting by which a secret could be
 * passed, since everybody on a host can read the arguments of its processes (`node-record.ts`).
 *
 * @throws BlockhaulError ERR_INVALID_REF and ERR_INVALID_ARGUMENT, each of them
 */
import { BlockhaulError } from "../../errors.js";
import type { Portal } from "../connection.js";
import { checkChapUser } from "./chap.js";
import { checkTargetName, formatPortal } from "./names.js";
import { TIMEOUTS, type TimeoutSetting } from "./timeouts.js";

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

/** The settings of a node record that blockhaul changes by iscsiadm; none of them is a secret. */
export interface NodeSettings extends Readonly<Partial<Record<TimeoutSetting, number>>> {
  readonly "node.startup"?: "manual";
  /** "manual": a login scans no LUN. */
  readonly "node.session.scan"?: "manual" | "auto";
  /** How often iscsid tries a first login. */
  readonly "node.session.initial_login_retry_max"?: number;
  /** How many sessions one login makes. */
  readonly "node.session.nr_sessions"?: number;
  readonly "node.session.auth.authmethod"?: "CHAP" | "None";
  readonly "node.session.auth.username"?: string;
  readonly "node.session.auth.username_in"?: string;
}

/** The settings of a discovery record that blockhaul changes by iscsiadm; none of them is a secret. */
export interface DiscoverySettings {
  readonly "discovery.sendtargets.auth.authmethod"?: "CHAP" | "None";
  readonly "discovery.sendtargets.auth.username"?: string;
  readonly "discovery.sendtargets.auth.username_in"?: string;
  readonly "discovery.sendtargets.timeo.login_timeout"?: number;
  readonly "discovery.sendtargets.reopen_max"?: number;
}

type Check = (value: unknown) => boolean;

const isCount: Check = (value) => Number.isInteger(value) && Number(value) >= 0;
const isOneOf =
  (...words: readonly unknown[]): Check =>
  (value) =>
    words.includes(value);
const isUser: Check = (value) => typeof value === "string" && checkChapUser(value) === value;

const NODE_CHECKS: Readonly<Record<keyof NodeSettings, Check>> = {
  "node.startup": isOneOf("manual"),
  "node.session.scan": isOneOf("manual", "auto"),
  "node.session.initial_login_retry_max": isCount,
  "node.session.nr_sessions": isCount,
  "node.session.auth.authmethod": isOneOf("CHAP", "None"),
  "node.session.auth.username": isUser,
  "node.session.auth.username_in": isUser,
  // Below nothing but "for ever" (-1) can stand; `settingsOfTimeouts` knows what each may be.
  [TIMEOUTS.replacementSeconds.setting]: (value) => value === -1 || isCount(value),
  [TIMEOUTS.noopIntervalSeconds.setting]: isCount,
  [TIMEOUTS.noopTimeoutSeconds.setting]: isCount,
  [TIMEOUTS.loginSeconds.setting]: isCount,
};

const DISCOVERY_CHECKS: Readonly<Record<keyof DiscoverySettings, Check>> = {
  "discovery.sendtargets.auth.authmethod": isOneOf("CHAP", "None"),
  "discovery.sendtargets.auth.username": isUser,
  "discovery.sendtargets.auth.username_in": isUser,
  "discovery.sendtargets.timeo.login_timeout": isCount,
  "discovery.sendtargets.reopen_max": isCount,
};

/** All sessions of this host; status 21 where there is none. */
export function listSessionsArguments(): string[] {
  return ["-m", "session"];
}

/** All node records of this host; status 21 where there is none. */
export function listNodesArguments(): string[] {
  return ["-m", "node"];
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

/** The node record, secrets masked; status 21 where there is none. */
export function showNodeArguments(node: IscsiNode): string[] {
  return ofNode(node);
}

/** Changes settings of a node record, all of them by one call. */
export function updateNodeArguments(node: IscsiNode, settings: NodeSettings): string[] {
  return [...ofNode(node), "-o", "update", ...changes(settings, NODE_CHECKS)];
}

export function deleteNodeArguments(node: IscsiNode): string[] {
  return [...ofNode(node), "-o", "delete"];
}

export function loginArguments(node: IscsiNode): string[] {
  return [...ofNode(node), "--login"];
}

/** Ends the session that was logged in from the node's record. */
export function logoutNodeArguments(node: IscsiNode): string[] {
  return [...ofNode(node), "--logout"];
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

/** Changes settings of a discovery record, all of them by one call. */
export function updateDiscoveryArguments(portal: Portal, settings: DiscoverySettings): string[] {
  const changed = changes(settings, DISCOVERY_CHECKS);
  return ["-m", "discoverydb", ...ofDiscovery(portal), "-o", "update", ...changed];
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

function changes(settings: object, checks: Readonly<Record<string, Check>>): string[] {
  const changed = Object.entries(settings).filter(([, value]) => value !== undefined);
  if (changed.length === 0) throw refused("there is no setting to change");
  return changed.flatMap(([name, value]) => {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw refused(`${name} is no setting that blockhaul passes on`);
    if (!check(value)) throw refused(`the setting ${name} cannot have this value`);
    return ["-n", name, "-v", String(value)];
  });
}

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
