/** Standard input and output, and named pipes, as the ends of a command. */
import { BlockhaulError, openVolume, resolveRef } from "../index.js";

/** Whether a ref names what can be read or written once only, and in order. What is wrong with a ref, its open says. */
export async function isStream(ref: string): Promise<boolean> {
  try {
    return (await resolveRef(ref)).driver.supports.sequential === true;
  } catch {
    return false;
  }
}

/**
 * How many bytes a stream is to have that does not know it itself: as many as the user says, or as what it is to fill or to
 * be compared with. What ends before was cut short: else half a backup would count as one.
 *
 * @returns undefined of what is no stream, and where the other end is not there yet or is a stream, too
 */
export async function sizeForStream(
  ref: string,
  {
    size,
    other,
    signal,
  }: { readonly size?: number | undefined; readonly other: string; readonly signal: AbortSignal },
): Promise<number | undefined> {
  if (!(await isStream(ref))) return undefined;
  if (size !== undefined || (await isStream(other))) return size;
  try {
    const volume = await openVolume(other, { signal });
    await volume.close();
    return volume.size;
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND") return undefined;
    throw error;
  }
}
