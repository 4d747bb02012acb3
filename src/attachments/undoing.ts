import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { Attachment } from "./attachment.js";
import { withHostLock } from "./lock.js";

/** Does something that an attachment records, and undoes the attachment where it fails. */
export async function undoing<Result>(
  attachment: Attachment,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    await attachment.undo().catch((undoError: unknown) => {
      throw withUndoFailure(error, undoError);
    });
    throw error;
  }
}

/** Closes what was opened, and undoes what was done for it, also where the close fails. */
export async function closeAttached({
  volume,
  attachment,
}: {
  readonly volume: { close(): Promise<void> };
  readonly attachment: Attachment;
}): Promise<void> {
  const failure = await volume.close().then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  await undoNow(attachment).catch((error: unknown) => {
    throw failure === undefined ? error : withUndoFailure(failure.error, error);
  });
  if (failure !== undefined) throw failure.error;
}

/** Undoes an attachment. What is left, as where others keep the host's lock for too long, `cleanup` takes up. */
export async function undoNow(attachment: Attachment): Promise<void> {
  try {
    await withHostLock(() => attachment.undo());
  } catch (error) {
    attachment.release();
    throw error;
  }
}

/** One error of two: what failed, and what could not be undone after it. */
export function withUndoFailure(error: unknown, undoError: unknown): BlockhaulError {
  const [failure, left] = [toBlockhaulError(error), toBlockhaulError(undoError)];
  return new BlockhaulError(failure.code, {
    message: `${failure.message}; and then ${left.message}`,
    errno: failure.errno,
    hint: left.hint,
    cause: new AggregateError([failure, left]),
  });
}
