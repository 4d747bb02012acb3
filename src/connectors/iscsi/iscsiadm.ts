import { setTimeout as delay } from "node:timers/promises";

import { hostLockDescriptor } from "../../attachments/lock.js";
import { BlockhaulError } from "../../errors.js";
import { type Ended, type Program, runProgram } from "../../system/program.js";
import type { IscsiNode } from "./arguments.js";
import { errorOfStatus, type IscsiadmOperation, isFine, isRetryable } from "./exit-status.js";

export const ISCSIADM: Program = { name: "iscsiadm", package: "open-iscsi" };

/** Longer than iscsid's own deadlines for a login: it is to say itself what was wrong. */
const DEADLINE_MS = 120_000;
const FIRST_PAUSE_MS = 500;
const PAUSE_MS = 2000;
const MOST_TRIES = 3;

export interface IscsiadmOptions {
  readonly node?: Partial<IscsiNode>;
  readonly deadlineMs?: number;
  /** How often it is run at the most: 3 times unless told. */
  readonly tries?: number;
  /** It is not run again then; nor ended, unless told, for what it asked of iscsid would still go on. */
  readonly signal?: AbortSignal | undefined;
  /** It asks iscsid for nothing: the signal may end it. */
  readonly mayBeEnded?: boolean;
}

/**
 * Runs iscsiadm, and again where its status says that this may help. The host's lock is handed on to
 * it: a login that goes on after this process was killed is one that nobody may clean up behind yet.
 *
 * @throws BlockhaulError by the exit status; what it says in words is never read
 */
export async function iscsiadm(
  operation: IscsiadmOperation,
  args: readonly string[],
  options: IscsiadmOptions = {},
): Promise<Ended> {
  const { node, deadlineMs = DEADLINE_MS, tries = MOST_TRIES, signal, mayBeEnded } = options;
  const ending = mayBeEnded ? signal : undefined;
  for (let left = tries - 1; ; left -= 1) {
    const inherited = hostLockDescriptor();
    const ended = await runProgram(ISCSIADM, args, { deadlineMs, inherited, signal: ending });
    const { status } = ended;
    if (isFine(operation, status)) return ended;
    if (left === 0 || !isRetryable(status)) throw errorOfStatus(status, { operation, ...node });
    await pause(left === tries - 1 ? FIRST_PAUSE_MS : PAUSE_MS, signal);
  }
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {}); // only the signal rejects it
  throwIfStopped(signal);
}

/** @throws BlockhaulError ERR_CANCELLED */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new BlockhaulError("ERR_CANCELLED", {
    operation: "attach",
    message: "stopped on request",
    cause: signal.reason,
  });
}
