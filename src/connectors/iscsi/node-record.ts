/** The records of open-iscsi's database: where they are, and what is to stand in ours. */
import type { CheckedChapAuth, Portal } from "../connection.js";
import { INTERFACE, type IscsiNode } from "./arguments.js";
import { checkChapAuth } from "./chap.js";
import { checkGroupTag, checkPortal, checkTargetName } from "./names.js";
import type { RecordValues } from "./record-text.js";

const RECORD_PATH =
  /^nodes\/([^/,]+)\/([^/,]+),([1-9]\d{0,4})(?:,(0|[1-9]\d{0,4})\/([a-z0-9][a-z0-9._:-]{0,63}))?$/i;

/** The settings of a *node* record that log in by CHAP; secret. */
export function nodeAuthValues(auth: CheckedChapAuth): RecordValues {
  return authValues("node.session", auth);
}

/** The settings of a *discovery* record that ask for targets by CHAP; secret. */
export function discoveryAuthValues(auth: CheckedChapAuth): RecordValues {
  return authValues("discovery.sendtargets", auth);
}

function authValues(prefix: string, auth: CheckedChapAuth): RecordValues {
  const { user, secret, targetUser, targetSecret } = checkChapAuth(auth);
  return {
    [`${prefix}.auth.authmethod`]: "CHAP",
    [`${prefix}.auth.username`]: user,
    [`${prefix}.auth.password`]: secret,
    // A new record may have these from the host's iscsid.conf.
    [`${prefix}.auth.username_in`]: targetUser,
    [`${prefix}.auth.password_in`]: targetSecret,
  };
}

/** What the path of a node record says. */
export interface RecordPlace extends IscsiNode {
  /** The target portal group and the interface; a record of the old form has neither in its path. */
  readonly bound?: { readonly groupTag: number; readonly interface: string };
}

/**
 * Where the record of a node may be, below the folder of the database, /etc/iscsi or /var/lib/iscsi.
 * iscsiadm looks for the old form first, *whatever the interface*: where somebody has such a record,
 * `newNodeArguments` would replace it, and where blockhaul made one, it would hide those of others.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function recordPaths(
  { iqn, portal }: IscsiNode,
  groupTag: number,
): { readonly bound: string; readonly old: string } {
  const old = `nodes/${checkTargetName(iqn)}/${folderOf(portal)}`;
  return { old, bound: `${old},${checkGroupTag(groupTag)}/${INTERFACE}` };
}

/**
 * The node whose record a path below the database's folder is; undefined where it is none, or one
 * whose names no grammar here lets through.
 */
export function parseRecordPath(file: string): RecordPlace | undefined {
  const [, iqn = "", host = "", port, groupTag, iface] = RECORD_PATH.exec(file) ?? [];
  try {
    const portal = checkPortal({ host, port: Number(port) });
    const node = { iqn: checkTargetName(iqn), portal };
    if (groupTag === undefined || iface === undefined) return node;
    return { ...node, bound: { groupTag: checkGroupTag(Number(groupTag)), interface: iface } };
  } catch {
    return undefined;
  }
}

/**
 * Where the discovery record of a portal may be, below the folder of the database; `old` is a file
 * where `bound` is not used, and a folder otherwise.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function discoveryRecordPaths(portal: Portal): {
  readonly bound: string;
  readonly old: string;
} {
  const old = `send_targets/${folderOf(portal)}`;
  return { old, bound: `${old}/st_config` };
}

function folderOf(portal: Portal): string {
  const { host, port } = checkPortal(portal);
  return `${host},${port}`;
}
