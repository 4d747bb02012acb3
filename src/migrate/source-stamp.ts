/** What changes when somebody writes to the source of a migration, as far as that shows without reading it. */
import { checksOf, type Volume } from "../volume.js";
import { type Migration, openSource } from "./migration.js";

/**
 * The stamp of a file or a device of this host; undefined of one that shows nothing. Of an image its snapshot says more,
 * and taking or dropping that changes the stamp.
 */
export async function stampOf(volume: Volume): Promise<string | undefined> {
  return volume.info.node === undefined ? undefined : checksOf(volume).writeStamp?.();
}

/** The stamp of the source, which is opened for it; undefined of one that shows nothing. */
export async function stampSource(migration: Migration): Promise<string | undefined> {
  const volume = await openSource(migration);
  try {
    return await stampOf(volume);
  } finally {
    await volume.close();
  }
}
