import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { type NativeFileLock, native } from "../native.js";
import { removeDurably, writeDurably } from "../system/durable-file.js";
import { stateDirectory } from "../system/state-directory.js";
import { listFolder } from "../system/sysfs.js";
import { type AttachmentRecord, formatRecord, parseRecord } from "./record.js";

const RECORD_NAME = /^([0-9a-f]{12})\.json$/;

/** The records of this host's attachments. The caller has the host's lock, but for `list`. */
export const attachmentStore = {
  async save(record: AttachmentRecord): Promise<void> {
    await writeDurably(fileOf(record.id), formatRecord(record));
  },

  async remove(id: string): Promise<void> {
    await removeDurably(fileOf(id));
    await removeDurably(lockOf(id));
  },

  /**
   * Says that a process of ours answers for an attachment. The kernel takes that back when the process
   * ends, however it does; so that a pid that is used again, or one of another container, misleads
   * nobody.
   *
   * @returns undefined where another holder answers for it
   */
  async hold(id: string): Promise<NativeFileLock | undefined> {
    await mkdir(folder(), { recursive: true, mode: 0o700 });
    return native().lockFile(lockOf(id)) ?? undefined;
  },

  /**
   * Every attachment, oldest first.
   *
   * @throws BlockhaulError ERR_IO for a file that is no record: what it stood for is not known, so
   *   nothing may be taken for free
   */
  async list(): Promise<AttachmentRecord[]> {
    const names = await listFolder(folder());
    const records: AttachmentRecord[] = [];
    for (const name of names) {
      if (!RECORD_NAME.test(name)) continue;
      const file = path.join(folder(), name);
      const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined; // undone in the meantime
        throw error;
      });
      if (text === undefined) continue;
      const record = parseRecord(text);
      if (record === undefined) throw unreadable(file);
      records.push(record);
    }
    return records.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  },
};

function folder(): string {
  return path.join(stateDirectory(), "attachments");
}

function fileOf(id: string): string {
  return path.join(folder(), `${id}.json`);
}

function lockOf(id: string): string {
  return path.join(folder(), `${id}.lock`);
}

function unreadable(file: string): BlockhaulError {
  return new BlockhaulError("ERR_IO", {
    message: `${file} is no record of an attachment`,
    hint: "look at it, undo by hand what it stands for, then remove it",
  });
}
