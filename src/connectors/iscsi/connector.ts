import type { Attachment } from "../../attachments/attachment.js";
import { settleAbandoned } from "../../attachments/cleanup.js";
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { sizeInWords } from "../../units.js";
import type {
  AttachedDevice,
  CheckedConnection,
  DeviceIdentity,
  ExpectedDevice,
  IscsiConnection,
  Portal,
} from "../connection.js";
import { wipeChapAuth } from "./chap.js";
import { checkConnection } from "./check-connection.js";
import { bareWwid } from "./identity.js";
import { throwIfStopped } from "./iscsiadm.js";
import { ensureSession } from "./login.js";
import { type AttachedPath, attachLun } from "./lun.js";
import { claimedMap, isMultipathdRunning, pathsOf, sizeOf } from "./multipath.js";
import { formatPortal, portalKey } from "./names.js";
import { firstThatAnswers, resolvePortal } from "./portal.js";
import { nodeOf } from "./scsi-device.js";
import { findSession } from "./sessions.js";
import { lunStep, mapStep } from "./steps.js";

const NODE_DEADLINE_MS = 10_000;

/**
 * Attaches one LUN: a session through every portal, the LUN's device on each, and the multipath map
 * over them where multipathd runs. Everything that is made is a step of the attachment, recorded
 * before; on failure the caller undoes it. The caller has the host's lock. The connection's secrets are wiped
 * in any case.
 *
 * @throws BlockhaulError ERR_WRONG_DEVICE where a device is not what was expected, or paths lead to
 *   different volumes; and whatever the last portal met, where none works
 */
export async function attachIscsi(
  connection: IscsiConnection,
  attachment: Attachment,
  signal?: AbortSignal,
): Promise<AttachedDevice> {
  let checked: CheckedConnection | undefined;
  try {
    checked = checkConnection(connection);
    return await attachChecked(checked, attachment, signal);
  } finally {
    // The node record has them by now, until the logout.
    for (const { auth } of [connection, checked ?? {}]) wipeChapAuth(auth);
  }
}

async function attachChecked(
  { iqn, lun, auth, expected, timeouts, portals: named }: CheckedConnection,
  attachment: Attachment,
  signal: AbortSignal | undefined,
): Promise<AttachedDevice> {
  const { portals, failures } = await resolvePortals(named);
  await settleAbandoned(
    portals
      .flat()
      .map(({ host, port }) => `${lunStep.name} ${lunStep.key({ iqn, host, port, lun })}`),
  );
  const paths: AttachedPath[] = [];
  const attach = async (portal: Portal): Promise<AttachedPath> => {
    throwIfStopped(signal);
    const session = await ensureSession({ iqn, auth, timeouts, signal }, portal, attachment);
    throwIfStopped(signal);
    return attachLun(session, lun, attachment);
  };
  for (const addresses of portals) {
    try {
      paths.push(await firstThatAnswers(await loggedInFirst(iqn, addresses), attach, isOfOnePath));
    } catch (error) {
      const failure = toBlockhaulError(error);
      if (!isOfOnePath(failure)) throw failure;
      failures.push(failure);
    }
  }
  const [first] = paths;
  if (first === undefined) throw failures.at(-1);
  for (const path of paths) checkIdentity(path, first.identity, expected);
  if (paths.length > 1) checkTellable(first);
  throwIfStopped(signal);
  const map = await claim(paths, attachment);
  throwIfStopped(signal);
  const used = map === undefined ? paths : paths.filter(({ name }) => map.paths.includes(name));
  const unused = paths.filter((path) => !used.includes(path));
  return {
    path: map?.node ?? first.node,
    identity: first.identity,
    paths: used.length,
    failures: [...failures, ...unused.map(unclaimed)],
  };
}

/**
 * Portals by their addresses, and the failures of those that have none. Two names that share an address are one
 * portal, and one path.
 */
async function resolvePortals(
  named: readonly Portal[],
): Promise<{ portals: Portal[][]; failures: BlockhaulError[] }> {
  const seen = new Set<string>();
  const portals: Portal[][] = [];
  const failures: BlockhaulError[] = [];
  for (const answer of await Promise.allSettled(named.map(resolvePortal))) {
    if (answer.status === "rejected") {
      failures.push(toBlockhaulError(answer.reason));
      continue;
    }
    const keys = answer.value.map(portalKey);
    if (!keys.some((key) => seen.has(key))) portals.push(answer.value);
    for (const key of keys) seen.add(key);
  }
  return { portals, failures };
}

/** Whoever attaches by a name again comes to the session that is there, whatever order the resolver has now. */
async function loggedInFirst(iqn: string, addresses: readonly Portal[]): Promise<Portal[]> {
  const sessions = await Promise.all(addresses.map((address) => findSession(iqn, address)));
  const rank = (index: number) => (sessions[index]?.state === "LOGGED_IN" ? 0 : 1);
  const order = addresses.map((address, index) => ({ address, rank: rank(index) }));
  return order.sort((one, other) => one.rank - other.rank).map(({ address }) => address);
}

/** What another portal may do better: not a wrong password, nor what is missing on this host. */
function isOfOnePath({ code }: BlockhaulError): boolean {
  return ["ERR_UNREACHABLE", "ERR_TIMEOUT", "ERR_DEVICE_GONE", "ERR_NOT_FOUND"].includes(code);
}

/**
 * The map over the paths, where multipathd makes one; without it, one path is opened, and the others
 * have only shown that they lead to the same. The map is recorded once it is there: multipathd makes it
 * by itself, and the undo of a LUN knows maps, too. One that has paths of others is theirs.
 */
async function claim(
  paths: readonly AttachedPath[],
  attachment: Attachment,
): Promise<{ node: string; paths: readonly string[] } | undefined> {
  if (!(await isMultipathdRunning())) return undefined;
  const map = await claimedMap(paths.map(({ name }) => name));
  if (map === undefined) return undefined;
  const ours = paths.filter(({ isOurs }) => isOurs).map(({ name }) => name);
  const inMap = await pathsOf(map);
  const isOurs = inMap.every((name) => ours.includes(name));
  if (isOurs) await attachment.record(mapStep, { uuid: map.uuid });
  const size = await sizeOf(map);
  if (paths.some(({ identity }) => identity.size !== size)) {
    throw new BlockhaulError("ERR_WRONG_DEVICE", {
      message: `the multipath map ${map.name} has ${sizeInWords(size)}, and its paths have another size`,
      hint: `the LUN has been resized: \`multipathd resize map ${map.name}\``,
    });
  }
  // udev makes its node, a moment after multipathd has made the map.
  const node = await nodeOf(map.device, NODE_DEADLINE_MS, `/dev/mapper/${map.name}`);
  if (node !== undefined) return { node, paths: inMap };
  throw new BlockhaulError("ERR_DEVICE_GONE", {
    message: `the multipath map ${map.name} vanished, or has no node in /dev/mapper`,
  });
}

function unclaimed({ node, session }: AttachedPath): BlockhaulError {
  return new BlockhaulError("ERR_TIMEOUT", {
    message: `multipathd did not take ${node}, from ${formatPortal(session.portal)}, into the map`,
  });
}

/** Two volumes of one size that say nothing of themselves would pass for one. */
function checkTellable({ identity: { wwid, serial }, node }: AttachedPath): void {
  if (wwid !== undefined || serial !== undefined) return;
  throw new BlockhaulError("ERR_WRONG_DEVICE", {
    message: `${node} has neither a WWID nor a serial number: nothing shows that the portals lead to one volume`,
    hint: "name one portal only",
  });
}

function checkIdentity(
  { identity, node, session }: AttachedPath,
  first: DeviceIdentity,
  expected: ExpectedDevice = {},
): void {
  const place = `${node}, from ${formatPortal(session.portal)},`;
  const fail = (what: string) => {
    throw new BlockhaulError("ERR_WRONG_DEVICE", { message: `${place} ${what}` });
  };
  if (identity.wwid !== first.wwid || identity.serial !== first.serial) {
    fail(
      `is another volume than the one from the first portal: ${tell(identity)}, not ${tell(first)}`,
    );
  }
  if (identity.size !== first.size) {
    fail(
      `has ${sizeInWords(identity.size)}, and through the first portal it has ${sizeInWords(first.size)}`,
    );
  }
  if (expected.wwid !== undefined && bareWwid(identity.wwid) !== bareWwid(expected.wwid)) {
    fail(`is ${identity.wwid ?? "without a WWID"}, not ${expected.wwid}`);
  }
  if (expected.serial !== undefined && identity.serial !== expected.serial) {
    fail(`has the serial number ${identity.serial ?? "(none)"}, not ${expected.serial}`);
  }
  if (expected.size !== undefined && identity.size !== expected.size) {
    fail(`has ${sizeInWords(identity.size)}, not ${sizeInWords(expected.size)}`);
  }
}

function tell({ wwid, serial }: DeviceIdentity): string {
  return [wwid ?? "no WWID", serial ?? "no serial number"].join(", ");
}
