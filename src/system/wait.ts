import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  readonly deadlineMs: number;
  /** Milliseconds before the second look; 10 unless told. Each pause is longer, up to `longestMs`. */
  readonly firstMs?: number;
  readonly longestMs?: number;
}

/**
 * Asks again and again until there is an answer, at the least twice.
 *
 * @returns undefined where there is none within the deadline
 */
export async function waitFor<Answer>(
  ask: () => Promise<Answer | undefined>,
  { deadlineMs, firstMs = 10, longestMs = 500 }: WaitOptions,
): Promise<Answer | undefined> {
  const end = performance.now() + deadlineMs;
  for (let pause = firstMs; ; pause = Math.min(pause * 1.5, longestMs)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    const left = end - performance.now();
    if (left <= 0) return undefined;
    await delay(Math.min(pause, left));
  }
}
