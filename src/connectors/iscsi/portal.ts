import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";

import { BlockhaulError, toBlockhaulError } from "../../errors.js";
import type { Portal } from "../connection.js";
import { formatPortal, portalKey } from "./names.js";

const CONNECT_DEADLINE_MS = 5000;

/**
 * A portal by its addresses, in the resolver's order: names may lead elsewhere later, and the kernel knows addresses
 * only. Several are ways to one portal, of which one is enough.
 *
 * @throws BlockhaulError ERR_UNREACHABLE where the name has none
 */
export async function resolvePortal({ host, port }: Portal): Promise<Portal[]> {
  try {
    const found = await lookup(host, { all: true });
    const portals = new Map(
      found.map(({ address }) => [portalKey({ host: address, port }), { host: address, port }]),
    );
    return [...portals.values()];
  } catch (cause) {
    throw new BlockhaulError("ERR_UNREACHABLE", {
      message: `the host ${host} is not known`,
      hint: "check its name, and this host's resolver",
      cause,
    });
  }
}

/**
 * The first answer that one of a portal's addresses gives.
 *
 * @param isOfOne whether another address may do better after such a failure
 * @throws BlockhaulError of the last address where none gives one, naming the failures of the others
 */
export async function firstThatAnswers<Answer>(
  addresses: readonly Portal[],
  ask: (address: Portal) => Promise<Answer>,
  isOfOne: (error: BlockhaulError) => boolean,
): Promise<Answer> {
  const failures: BlockhaulError[] = [];
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (thrown) {
      const error = toBlockhaulError(thrown);
      failures.push(error);
      if (!isOfOne(error)) throw error;
    }
  }
  const last = failures.at(-1);
  if (last === undefined || failures.length === 1) throw last;
  throw new BlockhaulError(last.code, {
    message: `none of its ${failures.length} addresses works: ${failures.map(({ message }) => message).join("; ")}`,
    hint: last.hint,
    errno: last.errno,
    cause: last,
  });
}

/** iscsid would try a closed port again and again, for minutes. */
export async function probePortal(portal: Portal): Promise<void> {
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
