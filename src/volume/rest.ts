import type { Volume } from "../volume.js";

/**
 * Makes a new volume's rest zero, behind the end of what is copied to it: storage may have given it space that still holds
 * what another volume left there.
 *
 * @param from bytes from the volume's start
 */
export async function zeroRest(volume: Volume, from: number): Promise<void> {
  if (volume.info.zeroState === "proven-zero" || volume.size <= from) return;
  await volume.zero(from, volume.size - from);
}
