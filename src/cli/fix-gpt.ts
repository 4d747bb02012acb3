/** --fix-gpt: what a copy or a resume does to its target once all of it is there. */
import {
  BlockhaulError,
  closeVolume,
  type GptBackup,
  moveGptBackup,
  openVolume,
} from "../index.js";

/**
 * Moves the backup of the target's GPT to its end.
 *
 * @throws BlockhaulError which says that the copy is done, and only this is not
 */
export async function fixGpt(target: string): Promise<GptBackup> {
  try {
    const volume = await openVolume(target, { mode: "write" });
    try {
      return await moveGptBackup(volume);
    } finally {
      await closeVolume(volume);
    }
  } catch (thrown) {
    if (!(thrown instanceof BlockhaulError)) throw thrown;
    throw thrown.withContext({
      hint: "all is copied; only the backup of its GPT is still where it was",
    });
  }
}

export function gptText(done: GptBackup): string {
  if (done === "moved") return "the backup of its GPT was moved to its end";
  return done === "in place" ? "the backup of its GPT is at its end" : "it has no GPT";
}
