/** Which targets a portal offers. Nothing of it stays in open-iscsi's database. */
import { type Attachment, openAttachment } from "../../attachments/attachment.js";
import { withHostLock } from "../../attachments/lock.js";
import { undoing } from "../../attachments/undoing.js";
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { listFolder } from "../../system/sysfs.js";
import type { ChapAuth, CheckedChapAuth, Portal } from "../connection.js";
import {
  discoverArguments,
  discoverByRecordArguments,
  newDiscoveryArguments,
} from "./arguments.js";
import { checkChapAuth, wipeChapAuth } from "./chap.js";
import { ensureInitiator } from "./initiator.js";
import { iscsiadm } from "./iscsiadm.js";
import { checkPortal, formatPortal } from "./names.js";
import { completeRecord, findDiscoveryRecord } from "./node-database.js";
import { discoveryAuthValues } from "./node-record.js";
import { type ListedNode, parseNodes } from "./output.js";
import { firstThatAnswers, probePortal, resolvePortal } from "./portal.js";
import { recordSays } from "./record-text.js";
import { discoveryStep } from "./steps.js";

const SECONDS = 20;
/** A killed iscsiadm leaves its database's lock behind: the next one waits so long, then takes it. */
const LOCKED_MS = 32_000;
const LOCK_FOLDER = "/run/lock/iscsi";
const LOCK_HELD = "lock.write";

/** A target, and where it can be reached. */
export interface DiscoveredTarget {
  readonly iqn: string;
  readonly portals: readonly Portal[];
}

/**
 * Asks a portal for its targets (SendTargets), as whom the credentials say; their secrets are wiped in any case.
 *
 * @throws BlockhaulError ERR_UNREACHABLE, ERR_AUTHENTICATION, ERR_TIMEOUT, ERR_DRIVER_UNAVAILABLE;
 *   ERR_IN_USE where somebody's discovery record of the portal has other credentials
 */
export async function discoverTargets(
  portal: Portal,
  auth?: ChapAuth,
): Promise<DiscoveredTarget[]> {
  let checked: CheckedChapAuth | undefined;
  try {
    checked = auth === undefined ? undefined : checkChapAuth(auth);
    return await discoverAll(portal, checked);
  } finally {
    for (const one of [auth, checked]) wipeChapAuth(one);
  }
}

async function discoverAll(
  portal: Portal,
  auth: CheckedChapAuth | undefined,
): Promise<DiscoveredTarget[]> {
  const addresses = await resolvePortal(checkPortal(portal));
  const listed = await withHostLock(async () => {
    await ensureInitiator();
    const ask = async (address: Portal) => {
      await probePortal(address);
      return auth === undefined ? discover(address) : discoverAs(address, auth);
    };
    return firstThatAnswers(addresses, ask, ({ code }) =>
      ["ERR_UNREACHABLE", "ERR_TIMEOUT"].includes(code),
    );
  });
  const targets = new Map<string, Portal[]>();
  for (const node of listed) {
    targets.set(node.iqn, [...(targets.get(node.iqn) ?? []), node.portal]);
  }
  return [...targets].map(([iqn, portals]) => ({ iqn, portals }));
}

/** How long an answer is waited for. */
export interface DiscoveryPatience {
  readonly seconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a portal tells everybody. The caller has the host's lock.
 *
 * @throws BlockhaulError ERR_TIMEOUT where it says nothing at all: nor would it to a login
 */
export async function discover(
  portal: Portal,
  patience: DiscoveryPatience = {},
): Promise<ListedNode[]> {
  return ask(portal, discoverArguments(portal), patience);
}

async function ask(
  portal: Portal,
  args: readonly string[],
  { seconds = SECONDS, signal }: DiscoveryPatience = {},
): Promise<ListedNode[]> {
  const isLocked = (await listFolder(LOCK_FOLDER)).includes(LOCK_HELD);
  const deadlineMs = seconds * 1000 + (isLocked ? LOCKED_MS : 0);
  try {
    // It tries a connection again and again by itself.
    const options = { node: { portal }, deadlineMs, signal, mayBeEnded: true, tries: 1 };
    return parseNodes((await iscsiadm("discover", args, options)).stdout);
  } catch (error) {
    if (toBlockhaulError(error).code !== "ERR_TIMEOUT") throw error;
    throw new BlockhaulError("ERR_TIMEOUT", {
      message: `the portal ${formatPortal(portal)} accepts connections, but does not answer`,
      hint: "check that it is an iSCSI target's, and that the target does not hang",
    });
  }
}

/** Credentials are no arguments: they go into a record, which is there for as long as this takes. */
async function discoverAs(portal: Portal, auth: CheckedChapAuth): Promise<ListedNode[]> {
  const attachment = await openAttachment(`iscsi discovery at ${formatPortal(portal)}`);
  const listed = await undoing(attachment, async () => {
    await ensureDiscoveryRecord(portal, auth, attachment);
    return ask(portal, discoverByRecordArguments(portal));
  });
  await attachment.undo();
  return listed;
}

async function ensureDiscoveryRecord(
  portal: Portal,
  auth: CheckedChapAuth,
  attachment: Attachment,
): Promise<void> {
  const wanted = discoveryAuthValues(auth);
  const there = await findDiscoveryRecord(portal);
  if (there !== undefined) {
    const isSame = recordSays(there.text, wanted);
    there.text.wipe();
    if (isSame) return;
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
  try {
    await completeRecord(made, wanted);
  } finally {
    made.text.wipe();
  }
  await attachment.amend(discoveryStep, { ...data, marked: true });
}
