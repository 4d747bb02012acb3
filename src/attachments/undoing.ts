import { BlockhaulError, toBlockhaulError } from "../errors.js";
import type { Attachment } from "./attachment.js";

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
