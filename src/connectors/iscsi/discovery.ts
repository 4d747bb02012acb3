/** Which targets a portal offers. Nothing of it stays in open-iscsi's database. */
import { type Attachment, openAttachment } from "../../attachments/attachment.js";
import { withHostLock } from "../../attachments/lock.js";
import { undoing } from "../../attachments/undoing.js";
import { BlockhaulError } from "../../errors.js";
import type { ChapAuth, Portal } from "../connection.js";
import {
  discoverArguments,
  discoverByRecordArguments,
  newDiscoveryArguments,
} from "./arguments.js";
import { ensureInitiator } from "./initiator.js";
import { iscsiadm } from "./iscsiadm.js";
import { checkPortal, formatPortal } from "./names.js";
import { completeRecord, findDiscoveryRecord } from "./node-database.js";
import { discoveryAuthValues } from "./node-record.js";
import { type ListedNode, parseNodes, parseRecords } from "./output.js";
import { probePortal, resolvePortal } from "./portal.js";
import { discoveryStep } from "./steps.js";

/** Beyond the half minute that a lock left behind in its database keeps iscsiadm. */
const DEADLINE_MS = 45_000;

/** A target, and where it can be reached. */
export interface DiscoveredTarget {
  readonly iqn: string;
  readonly portals: readonly Portal[];
}

/**
 * Asks a portal for its targets (SendTargets), as whom the credentials say.
 *
 * @throws BlockhaulError ERR_UNREACHABLE, ERR_AUTHENTICATION, ERR_TIMEOUT, ERR_DRIVER_UNAVAILABLE;
 *   ERR_IN_USE where somebody's discovery record of the portal has other credentials
 */
export async function discoverTargets(
  portal: Portal,
  auth?: ChapAuth,
): Promise<DiscoveredTarget[]> {
  const resolved = await resolvePortal(checkPortal(portal));
  const listed = await withHostLock(async () => {
    await ensureInitiator();
    await probePortal(resolved);
    return auth === undefined ? discover(resolved) : discoverAs(resolved, auth);
  });
  const targets = new Map<string, Portal[]>();
  for (const node of listed) {
    targets.set(node.iqn, [...(targets.get(node.iqn) ?? []), node.portal]);
  }
  return [...targets].map(([iqn, portals]) => ({ iqn, portals }));
}

/** What a portal tells everybody. The caller has the host's lock. */
export async function discover(portal: Portal): Promise<ListedNode[]> {
  const { stdout } = await iscsiadm("discover", discoverArguments(portal), {
    node: { portal },
    deadlineMs: DEADLINE_MS,
  });
  return parseNodes(stdout);
}

/** Credentials are no arguments: they go into a record, which is there for as long as this takes. */
async function discoverAs(portal: Portal, auth: ChapAuth): Promise<ListedNode[]> {
  const attachment = await openAttachment(`iscsi discovery at ${formatPortal(portal)}`);
  const listed = await undoing(attachment, async () => {
    await ensureDiscoveryRecord(portal, auth, attachment);
    const { stdout } = await iscsiadm("discover", discoverByRecordArguments(portal), {
      node: { portal },
      deadlineMs: DEADLINE_MS,
    });
    return parseNodes(stdout);
  });
  await attachment.undo();
  return listed;
}

async function ensureDiscoveryRecord(
  portal: Portal,
  auth: ChapAuth,
  attachment: Attachment,
): Promise<void> {
  const wanted = discoveryAuthValues(auth);
  const there = await findDiscoveryRecord(portal);
  if (there !== undefined) {
    const [settings] = parseRecords(there.text);
    if (Object.entries(wanted).every(([name, value]) => settings?.get(name) === value)) return;
    throw new BlockhaulError("ERR_IN_USE", {
      message: `a discovery record of ${formatPortal(portal)} is there already, with other credentials`,
      hint: "it is not ours to change: give it these credentials, or delete it with iscsiadm",
    });
  }
  const data = { host: portal.host, port: portal.port };
  await attachment.record(discoveryStep, data);
  await iscsiadm("new-discovery", newDiscoveryArguments(portal), { node: { portal } });
  const made = await findDiscoveryRecord(portal);
  if (made === undefined) {
    throw new BlockhaulError("ERR_IO", {
      message: `iscsiadm made a discovery record of ${formatPortal(portal)}, but it cannot be found`,
    });
  }
  await completeRecord(made, wanted);
  await attachment.amend(discoveryStep, { ...data, marked: true });
}
