/** The guards of images that clients of a cluster share. */
import { BlockhaulError } from "../errors.js";
import type { NativeVolume, NativeWatcher } from "../native.js";
import { free, taken, type Verdict } from "./guard.js";

/** No other client may have the image open. */
export async function checkWatched(volume: NativeVolume): Promise<Verdict> {
  const others = await othersOf(volume);
  if (others === undefined) return free("it is no image that clients of a cluster share");
  if (typeof others === "string") return taken(others);
  return others.length === 0
    ? free("no other client has it open")
    : taken(others.map(nameWatcher).join("; "));
}

/**
 * The watchers that are not ours; undefined where the storage tells none; a text where it could not
 * be asked.
 */
async function othersOf(volume: NativeVolume): Promise<NativeWatcher[] | string | undefined> {
  try {
    const watchers = await volume.watchers();
    return watchers?.filter(({ own }) => !own);
  } catch (error) {
    if (!(error instanceof BlockhaulError)) throw error;
    return `nobody can say who has it open: ${error.message}`;
  }
}

function nameWatcher({ client, address }: NativeWatcher): string {
  return `${client} at ${address} has it open for writing`;
}
