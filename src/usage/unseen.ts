/** Why somebody may use a volume who does not show: what this process cannot see is not nothing. */
import { existsSync, readlinkSync } from "node:fs";
import path from "node:path";

import type { HostFolders } from "./host.js";
import { type HostNode, isDevice, keyOf } from "./node.js";
import type { Stack } from "./stack.js";

/** The kernel's first namespace of processes, in which all others are seen: PROC_PID_INIT_INO of proc_ns.h. */
const ALL_PROCESSES = "pid:[4026531836]";

/**
 * Why something that is built on a node may not be seen.
 *
 * @returns a clause; undefined where all of it is
 */
export async function whyDevicesAreUnseen(
  node: HostNode,
  stack: Stack,
): Promise<string | undefined> {
  const { sysfs } = stack.host;
  if (isDevice(node)) {
    return existsSync(path.join(sysfs, "dev", "block", keyOf(node)))
      ? undefined
      : `${sysfs} does not show it: what is built on it, or is the same disk, is not seen`;
  }
  if (!existsSync(path.join(sysfs, "dev", "block"))) {
    return `${sysfs} shows no devices: loop devices over it are not seen`;
  }
  const isHidden = (await stack.loops()).some(({ backing }) => backing === undefined);
  return isHidden ? "of a loop device nobody tells this user which file is behind it" : undefined;
}

/**
 * Why a process that has something open may not be seen.
 *
 * @param incomplete one could not be looked into
 * @returns a clause; undefined where all are seen
 */
export function whyProcessesAreUnseen(
  incomplete: boolean,
  { proc }: HostFolders,
): string | undefined {
  if (namespaceOf(proc) !== ALL_PROCESSES) {
    return "processes outside this container do not show: one of them may have it open";
  }
  // A /proc that hides the processes of others hides the first one.
  if (incomplete || !existsSync(path.join(proc, "1"))) {
    return "this user may not look into processes of others: one of them may have it open";
  }
  return undefined;
}

function namespaceOf(proc: string): string | undefined {
  try {
    return readlinkSync(path.join(proc, "self", "ns", "pid"));
  } catch {
    return undefined;
  }
}
