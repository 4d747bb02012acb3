import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";

import { BlockhaulError } from "../../errors.js";
import type { Portal } from "../connection.js";
import { formatPortal } from "./names.js";

const CONNECT_DEADLINE_MS = 5000;

/** A portal by its address: names may lead elsewhere later, and the kernel knows addresses only. */
export async function resolvePortal({ host, port }: Portal): Promise<Portal> {
  try {
    return { host: (await lookup(host)).address, port };
  } catch (cause) {
    throw new BlockhaulError("ERR_UNREACHABLE", {
      message: `the host ${host} is not known`,
      hint: "check its name, and this host's resolver",
      cause,
    });
  }
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
