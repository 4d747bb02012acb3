import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";

/**
 * Puts a text into a file such that whoever reads it, also after a crash, finds all of the old text or
 * all of the new: a new file that is flushed, given the name, and its folder flushed. Only the owner
 * can read it.
 */
export async function writeDurably(file: string, text: string): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = path.join(folder, `.${path.basename(file)}.new`);
  const handle = await open(draft, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  await syncFolder(folder);
}

/** Removes a file for good; one that is not there is fine. */
export async function removeDurably(file: string): Promise<void> {
  await rm(file, { force: true });
  await syncFolder(path.dirname(file));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
