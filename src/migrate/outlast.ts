import { type BlockhaulError, toBlockhaulError } from "../errors.js";
import { waitFor } from "../system/wait.js";

export interface OutlastOptions {
  /** Of an error: what is in the way may go by itself. */
  isPassing(error: BlockhaulError): boolean;
  /** Milliseconds; 0: one try. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does something again and again, until what is in its way is gone.
 *
 * @throws what `action` throws last; BlockhaulError ERR_CANCELLED
 */
export async function outlast<Result>(
  action: () => Promise<Result>,
  { isPassing, deadlineMs, signal }: OutlastOptions,
): Promise<Result> {
  let last: BlockhaulError | undefined;
  const attempt = async () => {
    try {
      return { result: await action() };
    } catch (thrown) {
      const error = toBlockhaulError(thrown);
      if (!isPassing(error)) throw thrown;
      last = error;
      return undefined;
    }
  };
  const done = await waitFor(attempt, { deadlineMs, longestMs: 1000, signal });
  if (done === undefined) throw last;
  return done.result;
}
