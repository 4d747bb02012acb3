import { setTimeout as delay } from "node:timers/promises";

import { type Ended, type Program, runProgram } from "../../system/program.js";
import type { IscsiNode } from "./arguments.js";
import { errorOfStatus, type IscsiadmOperation, isFine, isRetryable } from "./exit-status.js";

export const ISCSIADM: Program = { name: "iscsiadm", package: "open-iscsi" };

/** Longer than iscsid's own deadlines for a login: it is to say itself what was wrong. */
const DEADLINE_MS = 120_000;
const PAUSES_MS = [500, 2000] as const;

export interface IscsiadmOptions {
  readonly node?: Partial<IscsiNode>;
  readonly deadlineMs?: number;
}

/**
 * Runs iscsiadm, and again where its status says that this may help: three times at the most.
 *
 * @throws BlockhaulError by the exit status; what it says in words is never read
 */
export async function iscsiadm(
  operation: IscsiadmOperation,
  args: readonly string[],
  { node, deadlineMs = DEADLINE_MS }: IscsiadmOptions = {},
): Promise<Ended> {
  for (let tries = 0; ; tries += 1) {
    const ended = await runProgram(ISCSIADM, args, { deadlineMs });
    const { status } = ended;
    if (isFine(operation, status)) return ended;
    const pause = PAUSES_MS[tries];
    if (pause === undefined || !isRetryable(status)) {
      throw errorOfStatus(status, { operation, ...node });
    }
    await delay(pause);
  }
}
