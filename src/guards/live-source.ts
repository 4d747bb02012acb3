import { BlockhaulError } from "../errors.js";
import type { Sight } from "../usage/uses.js";
import { holdVolume, type Volume } from "../volume.js";
import { free, freeUnless, type HeldVolume, taken, type Verdict, whyNotTold } from "./guard.js";
import { checkUnwritten } from "./in-use.js";
import { checkWatched } from "./watched.js";

/**
 * The source must be frozen, or what is copied is a mixture of several moments.
 *
 * @param sight uses of a source that is a file or a device of this host
 * @param writers what the kernel says of them: "some" of a writer that does not show, too
 */
export async function checkLiveSource(
  source: HeldVolume,
  sight: Sight | undefined,
  writers: "some" | "unknown",
): Promise<Verdict> {
  const { info } = source.volume;
  if (info.snapshot) return free("it is a snapshot");
  if (sight !== undefined) {
    const verdict = checkUnwritten(sight);
    const isHidden = writers === "some" && verdict.state !== "refused" && !sight.isOwn;
    if (!isHidden) return verdict;
    return taken("the kernel says that somebody has it open for writing, who does not show");
  }
  const why = await whyNotTold(source);
  if (why !== undefined || info.ephemeral) {
    return freeUnless(why, "nobody can write to it");
  }
  return checkWatched(source.native);
}

/**
 * Why nobody can say of an image file that no one has it open for writing: it is on a file system without leases, is
 * another user's, or is open for writing where no process shows it, as a mapping whose descriptor is closed, or by a
 * part of the kernel. Undefined where somebody can say it, and of what is no image file.
 */
export async function unknownWriters(volume: Volume): Promise<BlockhaulError | undefined> {
  if (volume.info.node?.inode === undefined) return undefined;
  const writers = await holdVolume(volume, "look", async (native) => native.writers());
  if (writers === "none") return undefined;
  return new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume: volume.ref,
    message:
      "nobody can say that no one writes to it: somebody has it open or mapped for writing unseen, it is another user's, or its file system has no leases",
    hint: "end what uses it; where you know that nobody writes to it, --allow-live-source goes on",
  });
}
