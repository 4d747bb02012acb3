import { BlockhaulError } from "../errors.js";

/** @throws BlockhaulError ERR_CANCELLED where nobody waits any more */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new BlockhaulError("ERR_CANCELLED", {
    message: "stopped on request",
    cause: signal.reason,
  });
}
