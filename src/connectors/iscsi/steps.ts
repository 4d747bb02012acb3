/** What attaching a LUN leaves on this host, and how each of it is undone. */
import type { StepKind } from "../../attachments/step.js";
import { BlockhaulError } from "../../errors.js";
import { waitFor } from "../../system/wait.js";
import { logoutSessionArguments } from "./arguments.js";
import { flushBuffers } from "./flush.js";
import { whatUses } from "./holders.js";
import { iscsiadm } from "./iscsiadm.js";
import {
  findMap,
  flushMap,
  type MultipathMap,
  mapOver,
  pathsOf,
  waitUntilForgotten,
} from "./multipath.js";
import { formatPortal } from "./names.js";
import { removeDiscoveryRecord, removeNodeRecord } from "./node-database.js";
import { deleteDevice, devicesOf, findDevice, isDisk, type ScsiDevice } from "./scsi-device.js";
import { findSession, type Session } from "./sessions.js";

const GONE_DEADLINE_MS = 30_000;
const UNKNOWN_DEADLINE_MS = 2000;
/** iscsid logs nothing out while it tries to connect anew, which it does in turns of some seconds. */
const LOGOUT_TRIES = 20;

type NodeData = {
  readonly iqn: string;
  readonly host: string;
  readonly port: number;
  /** Whether our mark is in it yet; one without it is then somebody else's. */
  readonly marked?: boolean;
};

type DiscoveryData = {
  readonly host: string;
  readonly port: number;
  readonly marked?: boolean;
};

type SessionData = {
  readonly iqn: string;
  readonly host: string;
  readonly port: number;
  /** Of the session that came of the login; another one is somebody else's. */
  readonly sid?: number;
  /** The login brought every LUN's device along: an old iscsiadm, or a record of somebody else. */
  readonly scansAll?: boolean;
};

type LunData = {
  readonly iqn: string;
  readonly host: string;
  readonly port: number;
  readonly lun: number;
  /** Where it is, for the kernel; of records that have none it is the LUN itself. */
  readonly address?: number;
};

export function lunData({ iqn, portal }: Session, lun: number, address: number): LunData {
  return { iqn, host: portal.host, port: portal.port, lun, address };
}

type MapData = { readonly uuid: string };

const nodeText = ({ iqn, host, port }: NodeData) => `${iqn} at ${formatPortal({ host, port })}`;
const portalOf = ({ host, port }: { host: string; port: number }) => ({ host, port });

export const nodeStep: StepKind<NodeData> = {
  name: "iscsi-node",
  key: nodeText,
  describe: (data) => `node record of ${nodeText(data)}`,
  undo: async (data) => {
    // A session that others still use needs it for its logout.
    if ((await findSession(data.iqn, portalOf(data))) !== undefined) return;
    await removeNodeRecord({ iqn: data.iqn, portal: portalOf(data) }, data.marked ?? false);
  },
};

export const discoveryStep: StepKind<DiscoveryData> = {
  name: "iscsi-discovery",
  key: (data) => formatPortal(portalOf(data)),
  describe: (data) => `discovery record of ${formatPortal(portalOf(data))}`,
  undo: (data) => removeDiscoveryRecord(portalOf(data), data.marked ?? false),
};

export const sessionStep: StepKind<SessionData> = {
  name: "iscsi-session",
  untilReboot: true,
  key: nodeText,
  describe: (data) => `session with ${nodeText(data)}`,
  undo: async (data) => {
    const session = await findSession(data.iqn, portalOf(data));
    if (session === undefined || (data.sid ?? session.sid) !== session.sid) return;
    for (const device of await devicesOf(session)) {
      if (!(await isDisk(device))) continue;
      // A LUN of others: the session is theirs from now on.
      if (!data.scansAll || (await isUsed(device))) return;
      await deleteDevice(device);
    }
    const args = logoutSessionArguments(session.sid);
    const { status } = await iscsiadm("logout", args, { node: session, tries: LOGOUT_TRIES });
    const gone = async () =>
      (await findSession(data.iqn, portalOf(data)))?.sid === session.sid ? undefined : true;
    // Without iscsid, iscsiadm says that it found no session, as if there were none.
    const deadlineMs = status === 0 ? GONE_DEADLINE_MS : UNKNOWN_DEADLINE_MS;
    if (await waitFor(gone, { deadlineMs })) return;
    if (status !== 0) throw unknownToIscsid(session.sid);
    throw new BlockhaulError("ERR_TIMEOUT", {
      message: `the session ${session.sid} is still there ${GONE_DEADLINE_MS / 1000} seconds after its logout`,
    });
  },
};

export const lunStep: StepKind<LunData> = {
  name: "iscsi-lun",
  untilReboot: true,
  key: (data) => `${data.lun} of ${nodeText(data)}`,
  describe: (data) => `LUN ${data.lun} of ${nodeText(data)}`,
  undo: async (data) => {
    const device = await deviceOfStep(data);
    if (device !== undefined) await removeDevice(device);
  },
  device: async (data) => {
    const device = await deviceOfStep(data);
    return device?.name === undefined ? undefined : `/dev/${device.name}`;
  },
};

async function deviceOfStep(data: LunData): Promise<ScsiDevice | undefined> {
  const session = await findSession(data.iqn, portalOf(data));
  return session && findDevice(session, data.address ?? data.lun);
}

export const mapStep: StepKind<MapData> = {
  name: "multipath-map",
  untilReboot: true,
  key: ({ uuid }) => uuid,
  describe: ({ uuid }) => `multipath map ${uuid}`,
  undo: async ({ uuid }) => {
    const map = await findMap(uuid);
    if (map !== undefined) await removeMap(map);
  },
  device: async ({ uuid }) => {
    const map = await findMap(uuid);
    return map === undefined ? undefined : `/dev/mapper/${map.name}`;
  },
};

async function removeMap(map: MultipathMap): Promise<void> {
  const holder = await whatUses(map.device);
  if (holder !== undefined) throw inUse(holder, map.device);
  await flushBuffers(map.device);
  if (!(await flushMap(map))) throw inUse(`${map.name} does not go`, map.device);
}

/**
 * Takes a device away that a step lists, and its map with it where that has no other path.
 *
 * @throws BlockhaulError ERR_IN_USE where somebody uses it, naming them
 */
export async function removeDevice(device: ScsiDevice): Promise<void> {
  const { name } = device;
  if (name !== undefined) {
    // multipathd may have claimed it after we looked last; a map with other paths left stays.
    const map = await mapOver(name);
    if (map !== undefined && (await pathsOf(map)).length === 1) await removeMap(map);
    const isPath = (await mapOver(name)) !== undefined;
    const holder = isPath ? undefined : await whatUses(name);
    if (holder !== undefined) throw inUse(holder, name);
    if (!isPath) await flushBuffers(name);
  }
  if (!(await deleteDevice(device))) throw inUse(`${name ?? device.folder} does not go`, name);
  if (name !== undefined) await waitUntilForgotten(name);
}

async function isUsed({ name }: ScsiDevice): Promise<boolean> {
  return name !== undefined && (await whatUses(name)) !== undefined;
}

function unknownToIscsid(sid: number): BlockhaulError {
  return new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
    message: `iscsid does not run, or does not know the session ${sid}, which is still there`,
  });
}

function inUse(what: string, name: string | undefined): BlockhaulError {
  return new BlockhaulError("ERR_IN_USE", {
    message: what,
    hint:
      name === undefined
        ? undefined
        : `stop what uses it: \`lsblk /dev/${name}\` and \`fuser -v /dev/${name}\` show it`,
  });
}
