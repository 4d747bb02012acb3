import { setTimeout as delay } from "node:timers/promises";

import { BlockhaulError } from "../errors.js";

export interface WaitOptions {
  readonly deadlineMs: number;
  /** Milliseconds before the second look; 10 unless told. Each pause is longer, up to `longestMs`. */
  readonly firstMs?: number;
  readonly longestMs?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks again and again until there is an answer, at the least twice.
 *
 * @returns undefined where there is none within the deadline
 * @throws BlockhaulError ERR_CANCELLED with the signal's reason as the cause
 */
export async function waitFor<Answer>(
  ask: () => Promise<Answer | undefined>,
  { deadlineMs, firstMs = 10, longestMs = 500, signal }: WaitOptions,
): Promise<Answer | undefined> {
  const end = performance.now() + deadlineMs;
  for (let pause = firstMs; ; pause = Math.min(pause * 1.5, longestMs)) {
    if (signal?.aborted) throw cancelled(signal);
    const answer = await ask();
    if (answer !== undefined) return answer;
    const left = end - performance.now();
    if (left <= 0) return undefined;
    // Only the signal rejects it, and that is looked at above.
    await delay(Math.min(pause, left), undefined, { signal }).catch(() => {});
  }
}

function cancelled(signal: AbortSignal): BlockhaulError {
  return new BlockhaulError("ERR_CANCELLED", {
    message: "a wait was stopped on request",
    cause: signal.reason,
  });
}
