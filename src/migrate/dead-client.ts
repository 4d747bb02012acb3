/** A cluster shows a client that was killed for half a minute, as if it were still at work. */
import { type BlockhaulError, type ErrorCode, toBlockhaulError } from "../errors.js";
import { waitFor } from "../system/wait.js";
import type { Migration } from "./migration.js";

/** As long as a cluster shows a client that was killed, and a little more, in milliseconds. */
export const WATCH_MS = 45_000;

const IN_THE_WAY: readonly ErrorCode[] = ["ERR_IN_USE", "ERR_LIVE_SOURCE"];

/**
 * Does something that a client of the run before may be in the way of, where that run was killed: until it is
 * gone. Whoever is there for longer is somebody else.
 *
 * @throws what `action` throws
 */
export async function pastDeadClients<Result>(
  migration: Migration,
  action: () => Promise<Result>,
): Promise<Result> {
  let last: BlockhaulError | undefined;
  const attempt = async () => {
    try {
      return { result: await action() };
    } catch (thrown) {
      const error = toBlockhaulError(thrown);
      if (!migration.wasKilled || !IN_THE_WAY.includes(error.code)) throw thrown;
      if (last === undefined) {
        const message = `${error.message}; if that is the run that was killed, it is gone within a minute`;
        migration.tell({ type: "notice", id: migration.id, message });
      }
      last = error;
      return undefined;
    }
  };
  const { signal } = migration.watch;
  const done = await waitFor(attempt, { deadlineMs: WATCH_MS, longestMs: 1000, signal });
  if (done === undefined) throw last;
  return done.result;
}
