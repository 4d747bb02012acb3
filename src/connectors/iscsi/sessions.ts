/** What sessions this host has, by the kernel's own account: needs neither iscsid nor its database. */
import path from "node:path";

import { listFolder, readAttribute, resolvePath } from "../../system/sysfs.js";
import type { Portal } from "../connection.js";
import { portalKey } from "./names.js";

const SESSIONS = "/sys/class/iscsi_session";
const CONNECTIONS = "/sys/class/iscsi_connection";

export interface Session {
  readonly sid: number;
  readonly iqn: string;
  /** As it was logged in to; a redirect by the target does not change it. */
  readonly portal: Portal;
  /** "LOGGED_IN", "FAILED" (it is being connected anew), "FREE" */
  readonly state: string;
  /** Of the SCSI host that serves this session alone. */
  readonly host: number;
  /** The target's number on that host, for a scan. */
  readonly target: number;
  /** "/sys/devices/platform/host3/session1": its devices are below. */
  readonly folder: string;
}

export async function listSessions(): Promise<Session[]> {
  const sessions = await Promise.all((await listFolder(SESSIONS)).map(readSession));
  return sessions.filter((session) => session !== undefined);
}

/** The session with a target through a portal, if there is one. */
export async function findSession(iqn: string, portal: Portal): Promise<Session | undefined> {
  const wanted = portalKey(portal);
  const sessions = await listSessions();
  return sessions.find((session) => session.iqn === iqn && portalKey(session.portal) === wanted);
}

async function readSession(name: string): Promise<Session | undefined> {
  const sid = Number(/^session(\d+)$/.exec(name)?.[1]);
  const own = path.join(SESSIONS, name);
  const connection = path.join(CONNECTIONS, `connection${sid}:0`);
  const [iqn, state, target, address, port, folder] = await Promise.all([
    readAttribute(path.join(own, "targetname")),
    readAttribute(path.join(own, "state")),
    readAttribute(path.join(own, "target_id")),
    readAttribute(path.join(connection, "persistent_address")),
    readAttribute(path.join(connection, "persistent_port")),
    resolvePath(path.join(own, "device")),
  ]);
  const host = Number(/\/host(\d+)\/session\d+$/.exec(folder ?? "")?.[1]);
  // One that is just coming or going lacks some of it.
  if (!iqn || !address || !port || folder === undefined || !Number.isInteger(host))
    return undefined;
  return {
    sid,
    iqn,
    portal: { host: address, port: Number(port) },
    state: state ?? "",
    host,
    target: Number(target ?? 0),
    folder,
  };
}
