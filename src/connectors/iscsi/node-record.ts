/**
 * The files of open-iscsi's database, as text and as paths. CHAP secrets are written into a record
 * here: iscsiadm would take them as arguments only, for everybody on the host to read.
 *
 * iscsiadm reads a record line by line: "name = value", spaces around the value stripped, and nothing
 * of it quoted. Its buffers hold 255 bytes of a value, unchecked.
 */
import { BlockhaulError } from "../../errors.js";
import type { ChapAuth, Portal } from "../connection.js";
import { INTERFACE, type IscsiNode } from "./arguments.js";
import { checkChapAuth, faultOfValue } from "./chap.js";
import { checkGroupTag, checkPortal, checkTargetName } from "./names.js";
import { RECORD_BEGIN, RECORD_END } from "./output.js";

const RECORD_PATH =
  /^nodes\/([^/,]+)\/([^/,]+),([1-9]\d{0,4})(?:,(0|[1-9]\d{0,4})\/([a-z0-9][a-z0-9._:-]{0,63}))?$/i;

/** Names of settings, and what they are set to; undefined: to nothing. */
export type RecordValues = Readonly<Record<string, string | undefined>>;

/** The settings of a *node* record that log in by CHAP; secret. */
export function nodeAuthValues(auth: ChapAuth): RecordValues {
  return authValues("node.session", auth);
}

/** The settings of a *discovery* record that ask for targets by CHAP; secret. */
export function discoveryAuthValues(auth: ChapAuth): RecordValues {
  return authValues("discovery.sendtargets", auth);
}

function authValues(prefix: string, auth: ChapAuth): RecordValues {
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

/**
 * A record's text with settings added or replaced; every other line stays as it is.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where a value cannot stand in a record, or the text is
 *   none: never with a value in its message
 */
export function setRecordValues(record: string, values: RecordValues): string {
  for (const [name, value] of Object.entries(values)) checkSetting(name, value);
  const lines = record.split("\n");
  const begin = lines.findIndex((line) => line.startsWith(RECORD_BEGIN));
  const end = lines.findIndex((line, index) => index > begin && line.startsWith(RECORD_END));
  if (begin === -1 || end === -1) throw refused("the text is no record of open-iscsi");
  const kept: string[] = [];
  const left = new Map(Object.entries(values));
  for (const line of lines.slice(begin + 1, end)) {
    const name = /^\s*([^\s=#]+)/.exec(line)?.[1] ?? "";
    // In the first place where the setting stands; of several lines the last one would count.
    if (Object.hasOwn(values, name)) kept.push(...settingLine(name, left.get(name)));
    else kept.push(line);
    left.delete(name);
  }
  const added = [...left].flatMap(([name, value]) => settingLine(name, value));
  return [...lines.slice(0, begin + 1), ...kept, ...added, ...lines.slice(end)].join("\n");
}

function settingLine(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${name} = ${value}`];
}

function checkSetting(name: string, value: string | undefined): void {
  if (!/^[a-z][a-z0-9_.[\]]{0,126}$/i.test(name)) throw refused("a setting has a malformed name");
  const fault = value === undefined ? undefined : faultOfValue(value);
  if (fault !== undefined) throw refused(`the value of ${name} ${fault}`);
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

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
