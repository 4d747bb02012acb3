/** Folders, links and values in configfs: what is made and removed there, the kernel does at once. */
import { mkdir, rmdir, symlink, unlink } from "node:fs/promises";

import { toBlockhaulError } from "../errors.js";
import { writeAttribute } from "../system/sysfs.js";

/** Makes a folder; one that is there is fine. */
export async function makeFolder(folder: string): Promise<void> {
  await ignoring(["EEXIST"], mkdir(folder));
}

/** Makes a link; one that is there is fine. */
export async function makeLink(target: string, link: string): Promise<void> {
  await ignoring(["EEXIST"], symlink(target, link));
}

/** Removes a folder; one that is missing is fine. */
export async function removeFolder(folder: string): Promise<void> {
  await ignoring(["ENOENT"], rmdir(folder));
}

/** Removes a folder unless it is missing or others have something in it. */
export async function removeEmptyFolder(folder: string): Promise<void> {
  await ignoring(["ENOENT", "ENOTEMPTY"], rmdir(folder));
}

/** Removes a link; one that is missing is fine. */
export async function removeLink(link: string): Promise<void> {
  await ignoring(["ENOENT"], unlink(link));
}

/** @param what for the message, where the value must not stand in one */
export async function setValue(
  file: string,
  value: string | number | Uint8Array,
  what = "",
): Promise<void> {
  try {
    await writeAttribute(file, typeof value === "number" ? String(value) : value);
  } catch (error) {
    throw toBlockhaulError(error, {
      message: `the kernel refused ${what || `${JSON.stringify(value)} for ${file}`}`,
    });
  }
}

async function ignoring(codes: readonly string[], done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!codes.includes(code)) throw toBlockhaulError(error);
  }
}
