import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";

import type { Attachment } from "../../attachments/attachment.js";
import { BlockhaulError } from "../../errors.js";
import { type Program, runProgram } from "../../system/program.js";
import { listFolder } from "../../system/sysfs.js";
import { waitFor } from "../../system/wait.js";
import type { IscsiConnection, Portal } from "../connection.js";
import { discoverArguments, loginArguments } from "./arguments.js";
import { iscsiadm } from "./iscsiadm.js";
import { formatPortal, portalKey } from "./names.js";
import { parseNodes } from "./output.js";
import { ensureNodeRecord } from "./prepare-node.js";
import { findSession, type Session } from "./sessions.js";
import { sessionStep } from "./steps.js";

const TRANSPORT = "/sys/class/iscsi_transport/tcp";
const MODPROBE: Program = { name: "modprobe", package: "kmod" };
const MODULE_DEADLINE_MS = 30_000;
const CONNECT_DEADLINE_MS = 5000;
/** Beyond the half minute that a lock left behind in its database keeps iscsiadm. */
const DISCOVERY_DEADLINE_MS = 45_000;
const READY_DEADLINE_MS = 10_000;
/** iscsid tries a connection again and again within it: others wait for their turn meanwhile. */
const LOGIN_SECONDS = 10;

/** What a session needs beyond its portal. */
export type SessionWish = Pick<IscsiConnection, "iqn" | "auth" | "timeouts">;

/**
 * The session with a target through one portal: one that is there already, whoever made it, or a new
 * one, which is then a step of the attachment. The caller has the host's lock.
 *
 * @throws BlockhaulError ERR_UNREACHABLE, ERR_AUTHENTICATION, ERR_NOT_FOUND, ERR_IN_USE, ERR_TIMEOUT,
 *   ERR_DRIVER_UNAVAILABLE
 */
export async function ensureSession(
  wish: SessionWish,
  portal: Portal,
  attachment: Attachment,
): Promise<Session> {
  const there = await findSession(wish.iqn, portal);
  if (there !== undefined) return useSession(there, attachment);
  await ensureInitiator();
  await probe(portal);
  return logIn(wish, portal, attachment);
}

/** A session of an attachment of ours is undone by the last that uses it; others' are never undone. */
async function useSession(session: Session, attachment: Attachment): Promise<Session> {
  const { iqn, portal, sid } = session;
  await attachment.share(sessionStep, { iqn, host: portal.host, port: portal.port, sid });
  return waitUntilReady(session);
}

async function logIn(wish: SessionWish, portal: Portal, attachment: Attachment): Promise<Session> {
  const { iqn, auth, timeouts } = wish;
  const node = { iqn, portal };
  const listed = await discover(portal);
  const found = listed?.find(
    (target) => target.iqn === iqn && portalKey(target.portal) === portalKey(portal),
  );
  const patient = { loginSeconds: LOGIN_SECONDS, ...timeouts };
  const { scansAll } = await ensureNodeRecord(
    { ...node, groupTag: found?.groupTag, auth, timeouts: patient },
    attachment,
  );
  const data = { iqn, host: portal.host, port: portal.port, scansAll };
  await attachment.record(sessionStep, data);
  try {
    await iscsiadm("login", loginArguments(node), { node });
  } catch (error) {
    throw listed !== undefined && found === undefined && isRefusal(error)
      ? notListed(iqn, portal, listed)
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
 */
export async function discover(portal: Portal) {
  try {
    const { stdout } = await iscsiadm("discover", discoverArguments(portal), {
      node: { portal },
      deadlineMs: DISCOVERY_DEADLINE_MS,
    });
    return parseNodes(stdout);
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_DRIVER_UNAVAILABLE") throw error;
    return undefined;
  }
}

/** A portal by its address: names may lead elsewhere later, and the kernel knows addresses only. */
export async function resolvePortal({ host, port }: Portal): Promise<Portal> {
  try {
    return { host: (await lookup(host)).address, port };
  } catch (cause) {
    throw new BlockhaulError("ERR_UNREACHABLE", {
      message: `the host ${host} is not known`,
      cause,
    });
  }
}

/** Without the module, a discovery says that there are no targets. */
async function ensureInitiator(): Promise<void> {
  const isThere = async () => (await listFolder(TRANSPORT)).length > 0;
  if (await isThere()) return;
  await runProgram(MODPROBE, ["iscsi_tcp"], { deadlineMs: MODULE_DEADLINE_MS });
  if (await isThere()) return;
  throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
    message:
      "the kernel of this host has no iSCSI initiator: its module iscsi_tcp cannot be loaded",
    hint: "install the modules of the running kernel, and look at `modprobe -v iscsi_tcp`",
  });
}

/** iscsid would try a closed port again and again, for minutes. */
async function probe(portal: Portal): Promise<void> {
  const socket = connect(portal);
  try {
    const signal = AbortSignal.timeout(CONNECT_DEADLINE_MS);
    await once(socket, "connect", { signal });
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    const reason = code === "ECONNREFUSED" ? "refuses connections" : "does not answer";
    throw new BlockhaulError("ERR_UNREACHABLE", {
      message: `the portal ${formatPortal(portal)} ${reason}`,
      ...(typeof errno === "number" ? { errno: Math.abs(errno) } : {}),
      hint: "check the address, the network, and that the target runs",
    });
  } finally {
    socket.destroy();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof BlockhaulError && error.code !== "ERR_AUTHENTICATION" && !error.retryable;
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
