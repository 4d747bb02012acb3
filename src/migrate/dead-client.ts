/** A cluster shows a client that was killed for half a minute, as if it were still at work. */
import type { BlockhaulError, ErrorCode } from "../errors.js";
import type { Migration } from "./migration.js";
import { outlast } from "./outlast.js";

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
  let isTold = false;
  const isPassing = ({ code, message }: BlockhaulError) => {
    if (!migration.wasKilled || !IN_THE_WAY.includes(code)) return false;
    if (!isTold) {
      const notice = `${message}; if that is the run that was killed, it is gone within a minute`;
      migration.tell({ type: "notice", id: migration.id, message: notice });
    }
    isTold = true;
    return true;
  };
  return outlast(action, { isPassing, deadlineMs: WATCH_MS, signal: migration.watch.signal });
}
