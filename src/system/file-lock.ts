import { readFile } from "node:fs/promises";

import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeFileLock } from "../native-host.js";
import { waitFor } from "./wait.js";

export interface FileLockOptions {
  /** Milliseconds that are waited for the lock. */
  readonly deadlineMs: number;
  /** Ends the wait, not the action. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does something while nobody else on this host holds the lock, in this process or another. The
 * kernel frees the lock of a process that is killed. The file is made where it is missing, for its
 * owner only, and stays: to remove it would let two in. An action that takes the same lock again
 * waits for itself, until the deadline.
 *
 * @throws BlockhaulError ERR_TIMEOUT, naming the process that holds it; ERR_CANCELLED; and what
 *   `action` throws
 */
export async function withFileLock<Answer>(
  path: string,
  action: (lock: NativeFileLock) => Promise<Answer>,
  { deadlineMs, signal }: FileLockOptions,
): Promise<Answer> {
  const lock = await waitFor<NativeFileLock>(async () => native().lockFile(path) ?? undefined, {
    deadlineMs,
    signal,
  });
  if (lock === undefined) throw await heldByOther(path, deadlineMs);
  try {
    return await action(lock);
  } finally {
    lock.release();
  }
}

/** Not ERR_IN_USE: nobody has to do anything about it but wait. */
async function heldByOther(path: string, deadlineMs: number): Promise<BlockhaulError> {
  const holder = await holderOf(path);
  const who = holder === undefined ? "somebody else" : `process ${holder}`;
  return new BlockhaulError("ERR_TIMEOUT", {
    message: `the lock ${path} is held by ${who}, and was not free within ${deadlineMs / 1000} seconds`,
    hint: `wait until ${who} is done, and try again; \`lslocks\` shows who holds it`,
  });
}

/** The process that a lock's file names; undefined while it has just changed hands. */
async function holderOf(path: string): Promise<number | undefined> {
  const content = await readFile(path, "latin1").catch(() => "");
  return /^\d+\n$/.test(content) ? Number(content) : undefined;
}
