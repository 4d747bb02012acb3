import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

/**
 * Puts a text into a file such that whoever reads it, also after a crash, finds all of the old text or
 * all of the new: a new file that is flushed, given the name, and its folder flushed. Only the owner
 * can read it. A process that is killed meanwhile may leave the new file: `draftOf()`.
 */
export async function writeDurably(
  file: string,
  text: string | AsyncIterable<string>,
): Promise<void> {
  const folder = path.dirname(file);
  await makeFolder(folder);
  const draft = draftOf(file);
  try {
    const handle = await open(draft, "w", 0o600);
    try {
      await writeFile(handle, text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

/** Removes a file for good; one that is not there is fine. */
export async function removeDurably(file: string): Promise<void> {
  await rm(file, { force: true });
  await syncFolder(path.dirname(file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

/** The path of a file's text while it is being written. */
export function draftOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.new`);
}

/** The file that a path is the draft of; undefined where it is none. */
export function fileOfDraft(draft: string): string | undefined {
  const name = /^\.(.+)\.new$/.exec(path.basename(draft))?.[1];
  return name === undefined ? undefined : path.join(path.dirname(draft), name);
}

/** For its owner only; and there to stay, with all folders that were made on the way to it. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = path.dirname(made)) {
    await syncFolder(path.dirname(made));
  }
}

/** Makes the names of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
