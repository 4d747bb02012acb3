import { toBlockhaulError } from "../errors.js";
import { outlast } from "./outlast.js";
import type { NamedVolume } from "./target-name.js";

/**
 * Removes a volume; one that is not there is fine.
 *
 * @param deadlineMs how long it is waited for whoever uses it
 * @throws BlockhaulError ERR_IN_USE where somebody uses it; what the driver throws
 */
export async function removeVolume(
  { driver, location, ref }: NamedVolume,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const remove = async () => {
    try {
      await driver.deleteVolume?.(location);
    } catch (thrown) {
      const error = toBlockhaulError(thrown, { volume: ref, operation: "delete" });
      if (error.code !== "ERR_NOT_FOUND") throw error;
    }
  };
  await outlast(remove, { ...options, isPassing: ({ code }) => code === "ERR_IN_USE" });
}
