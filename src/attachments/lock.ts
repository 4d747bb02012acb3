import path from "node:path";

import type { NativeFileLock } from "../native-host.js";
import { withFileLock } from "../system/file-lock.js";
import { lockFolder, makeStateFolder } from "../system/state-directory.js";
import { inStateDirectory } from "./store.js";

/** Logins may time out one after the other, and detached devices may take a while to go. */
const DEADLINE_MS = 10 * 60 * 1000;

/** This process's; there is only one on the host. */
let held: NativeFileLock | undefined;

/**
 * Runs what attaches or detaches, one at a time on this host, whichever process does it. Simultaneous
 * logins make duplicate LUNs (open-iscsi issue 108), and a scan beside a detach finds devices again
 * that are just being taken away.
 *
 * @throws BlockhaulError ERR_TIMEOUT where others keep it for ten minutes
 */
export async function withHostLock<Result>(
  action: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const folder = lockFolder();
  await inStateDirectory(() => makeStateFolder(folder));
  const file = path.join(folder, "attach.lock");
  const holding = async (lock: NativeFileLock) => {
    held = lock;
    try {
      return await action();
    } finally {
      held = undefined;
    }
  };
  return withFileLock(file, holding, {
    deadlineMs: DEADLINE_MS,
    ...(signal === undefined ? {} : { signal }),
  });
}

/**
 * The host's lock, for a program to be handed on: where this process is killed, what the program does
 * then still goes on, and nobody may clean up behind it before it has ended.
 */
export function hostLockDescriptor(): number | undefined {
  return held?.descriptor;
}
