import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { waitFor } from "../system/wait.js";
import type { NamedVolume } from "./target-name.js";

/**
 * Removes a volume; one that is not there is fine.
 *
 * @param deadlineMs how long it is waited for whoever uses it
 * @throws BlockhaulError ERR_IN_USE where somebody uses it; what the driver throws
 */
export async function removeVolume(
  { driver, location, ref }: NamedVolume,
  {
    deadlineMs,
    signal,
  }: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  let last: BlockhaulError | undefined;
  const removed = await waitFor(
    async () => {
      try {
        await driver.deleteVolume?.(location);
        return true;
      } catch (thrown) {
        last = toBlockhaulError(thrown, { volume: ref, operation: "delete" });
        if (last.code === "ERR_NOT_FOUND") return true;
        if (last.code !== "ERR_IN_USE") throw last;
        return undefined;
      }
    },
    { deadlineMs, longestMs: 1000, signal },
  );
  if (!removed) throw last ?? new BlockhaulError("ERR_CANCELLED");
}
