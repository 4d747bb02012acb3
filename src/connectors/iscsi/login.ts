import type { Attachment } from "../../attachments/attachment.js";
import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import { waitFor } from "../../system/wait.js";
import type { CheckedConnection, Portal } from "../connection.js";
import { type IscsiNode, loginArguments } from "./arguments.js";
import { type DiscoveryPatience, discover } from "./discovery.js";
import { ensureInitiator } from "./initiator.js";
import { iscsiadm } from "./iscsiadm.js";
import { formatPortal, portalKey } from "./names.js";
import type { ListedNode } from "./output.js";
import { probePortal } from "./portal.js";
import { ensureNodeRecord } from "./prepare-node.js";
import { findSession, type Session } from "./sessions.js";
import { nodeStep, sessionStep } from "./steps.js";

const READY_DEADLINE_MS = 10_000;
/** iscsid tries a connection again and again within it: others wait for their turn meanwhile. */
const LOGIN_SECONDS = 10;

/** What a session needs beyond its portal. */
export type SessionWish = Pick<CheckedConnection, "iqn" | "auth" | "timeouts"> & {
  readonly signal?: AbortSignal | undefined;
};

/**
 * The session with a target through one portal: one that is there already, whoever made it, or a new
 * one, which is then a step of the attachment. The caller has the host's lock.
 *
 * @throws BlockhaulError ERR_UNREACHABLE, ERR_AUTHENTICATION, ERR_NOT_FOUND, ERR_IN_USE, ERR_TIMEOUT,
 *   ERR_DRIVER_UNAVAILABLE, ERR_PERMISSION, ERR_CANCELLED
 */
export async function ensureSession(
  wish: SessionWish,
  portal: Portal,
  attachment: Attachment,
): Promise<Session> {
  const there = await findSession(wish.iqn, portal);
  if (there !== undefined) return useSession(there, attachment);
  await ensureInitiator();
  await probePortal(portal);
  return logIn(wish, portal, attachment);
}

/** A session of an attachment of ours is undone by the last that uses it; others' are never undone. */
async function useSession(session: Session, attachment: Attachment): Promise<Session> {
  const { iqn, portal } = session;
  const data = { iqn, host: portal.host, port: portal.port };
  // Its record is left where the session is, and goes with it.
  await attachment.share(nodeStep, data);
  await attachment.share(sessionStep, data);
  return waitUntilReady(session);
}

async function logIn(wish: SessionWish, portal: Portal, attachment: Attachment): Promise<Session> {
  const { iqn, auth, timeouts, signal } = wish;
  const node = { iqn, portal };
  const loginSeconds = timeouts?.loginSeconds ?? LOGIN_SECONDS;
  const listed = await listTargets(portal, { seconds: 2 * loginSeconds, signal });
  const found = listed?.find(
    (target) => target.iqn === iqn && portalKey(target.portal) === portalKey(portal),
  );
  const { scansAll } = await ensureNodeRecord(
    { ...node, groupTag: found?.groupTag, auth, timeouts: { ...timeouts, loginSeconds } },
    attachment,
  );
  const data = { iqn, host: portal.host, port: portal.port, scansAll };
  await attachment.record(sessionStep, data);
  const isUnlisted = listed !== undefined && found === undefined;
  try {
    // Some portals do not list all that they have; and LIO just hangs up on who asks for what it has not.
    const once = isUnlisted ? { tries: 1 } : {};
    await iscsiadm("login", loginArguments(node), { node, signal, ...once });
  } catch (error) {
    if (isUnlisted && isRefusal(error)) throw notListed(iqn, portal, listed);
    throw found !== undefined && auth?.targetUser !== undefined && isFinal(error)
      ? notProven(auth.targetUser, node)
      : error;
  }
  const session = await waitFor(() => findSession(iqn, portal), { deadlineMs: READY_DEADLINE_MS });
  if (session === undefined) {
    throw new BlockhaulError("ERR_DEVICE_GONE", {
      message: `the session with ${iqn} at ${formatPortal(portal)} ended as soon as it was there`,
    });
  }
  await attachment.amend(sessionStep, { ...data, sid: session.sid });
  return waitUntilReady(session);
}

/** One that is being connected anew may come back, or may not. */
async function waitUntilReady({ iqn, portal }: Session): Promise<Session> {
  const ready = async () => {
    const session = await findSession(iqn, portal);
    return session?.state === "LOGGED_IN" ? session : undefined;
  };
  const session = await waitFor(ready, { deadlineMs: READY_DEADLINE_MS });
  if (session !== undefined) return session;
  throw new BlockhaulError("ERR_UNREACHABLE", {
    message: `the session with ${iqn} at ${formatPortal(portal)} has lost its connection`,
  });
}

/**
 * The targets that a portal lists, and their portal groups; undefined where it does not tell everybody.
 * A record without the right group would take the place of everybody's records of that portal.
 *
 * @throws BlockhaulError ERR_TIMEOUT where it says nothing at all: nor would it to a login
 */
async function listTargets(
  portal: Portal,
  patience: DiscoveryPatience,
): Promise<ListedNode[] | undefined> {
  try {
    return await discover(portal, patience);
  } catch (error) {
    const { code } = toBlockhaulError(error);
    if (["ERR_TIMEOUT", "ERR_DRIVER_UNAVAILABLE", "ERR_CANCELLED"].includes(code)) throw error;
    return undefined;
  }
}

/** Of a target that is there: this host is the one that refused, for the target did not prove itself. */
function isFinal(error: unknown): boolean {
  return error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND";
}

function notProven(targetUser: string, { iqn, portal }: IscsiNode): BlockhaulError {
  return new BlockhaulError("ERR_AUTHENTICATION", {
    message: `the target ${iqn} at ${formatPortal(portal)} does not prove to be ${targetUser}`,
    hint: "check the target's CHAP user and secret",
  });
}

function isRefusal(error: unknown): boolean {
  const codes = ["ERR_NOT_FOUND", "ERR_UNREACHABLE", "ERR_TIMEOUT"];
  return error instanceof BlockhaulError && codes.includes(error.code);
}

function notListed(
  iqn: string,
  portal: Portal,
  listed: readonly { readonly iqn: string }[],
): BlockhaulError {
  const names = [...new Set(listed.map((target) => target.iqn))];
  const others = names.length === 0 ? "none" : names.slice(0, 5).join(", ");
  return new BlockhaulError("ERR_NOT_FOUND", {
    message: `the portal ${formatPortal(portal)} has no target ${iqn}`,
    hint: `targets that it lists: ${others}`,
  });
}
