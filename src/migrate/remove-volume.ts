import type { DeleteOptions } from "../driver.js";
import { toBlockhaulError } from "../errors.js";
import { outlast } from "./outlast.js";
import type { NamedVolume } from "./target-name.js";

/**
 * Removes a volume; one that is not there is fine.
 *
 * @param expected which one it is, where that is known; and what is looked at last
 * @param deadlineMs how long it is waited for whoever uses it
 * @throws BlockhaulError ERR_IN_USE where somebody uses it; what the driver throws
 */
export async function removeVolume(
  { driver, location, ref }: NamedVolume,
  expected: DeleteOptions,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const remove = async () => {
    try {
      await driver.deleteVolume?.(location, expected);
    } catch (thrown) {
      const error = toBlockhaulError(thrown, { volume: ref, operation: "delete" });
      if (error.code !== "ERR_NOT_FOUND") throw error;
    }
  };
  await outlast(remove, { ...options, isPassing: ({ code }) => code === "ERR_IN_USE" });
}
