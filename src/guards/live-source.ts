import type { NativeVolume } from "../native.js";
import type { Use } from "../usage/uses.js";
import type { Volume } from "../volume.js";
import { free, type Verdict } from "./guard.js";
import { checkUnwritten } from "./in-use.js";
import { checkWatched } from "./watched.js";

/**
 * The source must be frozen, or what is copied is a mixture of several moments.
 *
 * @param uses of a source that is a file or a device of this host
 */
export async function checkLiveSource(
  source: Volume,
  native: NativeVolume,
  uses: readonly Use[] | undefined,
): Promise<Verdict> {
  if (source.info.snapshot) return free("it is a snapshot");
  if (uses !== undefined) return checkUnwritten(uses);
  if (source.info.kind === "rbd") return checkWatched(native);
  return free(
    source.info.driver === "synthetic"
      ? "nobody can write to it"
      : "its driver does not tell who uses it",
  );
}
