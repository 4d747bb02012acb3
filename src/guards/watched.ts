/** The guards of images that clients of a cluster share. */
import { BlockhaulError } from "../errors.js";
import type { NativeVolume, NativeWatcher } from "../native.js";
import { free, taken, type Verdict } from "./guard.js";

/**
 * No other client may have the image open.
 *
 * @param gone clients that are known to be gone; a cluster shows one that was killed for half a minute
 */
export async function checkWatched(
  volume: NativeVolume,
  gone: readonly string[] = [],
): Promise<Verdict> {
  const others = await othersOf(volume, gone);
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
async function othersOf(
  volume: NativeVolume,
  gone: readonly string[],
): Promise<NativeWatcher[] | string | undefined> {
  try {
    const watchers = await volume.watchers();
    return watchers?.filter(({ own, client }) => !own && !gone.includes(client));
  } catch (error) {
    if (!(error instanceof BlockhaulError)) throw error;
    return `nobody can say who has it open: ${error.message}`;
  }
}

function nameWatcher({ client, address }: NativeWatcher): string {
  return `${client} at ${address} has it open for writing`;
}

/** The client that has an image open for us; undefined of what is no image, or cannot be asked. */
export async function ownClient(volume: NativeVolume): Promise<string | undefined> {
  const watchers = await volume.watchers().catch(() => null);
  return watchers?.find(({ own }) => own)?.client;
}
