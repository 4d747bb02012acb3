import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeFileLock } from "../native-host.js";
import { fileOfDraft, removeDurably, writeDurably } from "../system/durable-file.js";
import { checkStateFolder, makeStateFolder, stateDirectory } from "../system/state-directory.js";
import { readOwn } from "../system/trusted.js";
import { waitFor } from "../system/wait.js";
import { type AttachmentRecord, formatRecord, parseRecord } from "./record.js";

const RECORD_NAME = /^([0-9a-f]{12})\.json$/;
const LOCK_NAME = /^([0-9a-f]{12})\.lock$/;
/** Whoever only looks whether somebody holds a lock has it for a moment. */
const LOOK_MS = 100;
/** Bytes. */
const LARGEST = 1024 ** 2;

/**
 * The records of this host's attachments. The caller has the host's lock, but for `list` and `look`. What somebody else
 * could have written does not count: ERR_PERMISSION.
 */
export const attachmentStore = {
  save(record: AttachmentRecord): Promise<void> {
    return inStateDirectory(() => writeDurably(fileOf(record.id), formatRecord(record)));
  },

  remove(id: string): Promise<void> {
    return inStateDirectory(async () => {
      await removeDurably(fileOf(id));
      await removeDurably(lockOf(id));
    });
  },

  /**
   * Says that a process of ours answers for an attachment. The kernel takes that back when the process
   * ends, however it does; so that a pid that is used again, or one of another container, misleads
   * nobody.
   *
   * @returns undefined where another holder answers for it
   */
  hold(id: string): Promise<NativeFileLock | undefined> {
    return inStateDirectory(async () => {
      await makeStateFolder(folder());
      const take = async () => native().lockFile(lockOf(id)) ?? undefined;
      return waitFor(take, { deadlineMs: LOOK_MS });
    });
  },

  /** Whether somebody answers for an attachment; "gone": it was undone since it was listed. */
  look(id: string): Promise<"held" | "free" | "gone"> {
    return inStateDirectory(async () => {
      const hold = await attachmentStore.hold(id);
      hold?.release();
      if (await isThere(fileOf(id))) return hold === undefined ? "held" : "free";
      // This look may have made it again; no attachment gets an id that another has had.
      await rm(lockOf(id), { force: true });
      return "gone";
    });
  },

  /**
   * Every attachment, oldest first.
   *
   * @throws BlockhaulError ERR_JOURNAL for a file that is no record, or was changed: what it stood for is not known,
   *   so nothing may be taken for free
   */
  list(): Promise<AttachmentRecord[]> {
    return inStateDirectory(async () => {
      const records: AttachmentRecord[] = [];
      for (const name of await namesIn(folder())) {
        const id = RECORD_NAME.exec(name)?.[1];
        const record = id === undefined ? undefined : await read(id);
        if (record !== undefined) records.push(record);
      }
      return records.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
    });
  },

  /** Removes what killed processes left beside the records. */
  sweep(): Promise<void> {
    return inStateDirectory(async () => {
      const names = await namesIn(folder());
      for (const name of names) {
        const id = LOCK_NAME.exec(name)?.[1];
        const isOrphan = id !== undefined && !names.includes(`${id}.json`);
        const isDraft = RECORD_NAME.test(fileOfDraft(name) ?? "");
        if (isOrphan || isDraft) await rm(path.join(folder(), name), { force: true });
      }
    });
  },
};

/** A record; undefined where it was undone in the meantime. */
async function read(id: string): Promise<AttachmentRecord | undefined> {
  const file = fileOf(id);
  const bytes = await readOwn(file, LARGEST).catch((error: unknown) => {
    throw toBlockhaulError(error).withContext({ volume: file });
  });
  if (bytes === undefined) return undefined;
  const record = parseRecord(bytes.toString("utf8"));
  // A copy under another name would be undone twice, and never go.
  if (record?.id === id) return record;
  throw new BlockhaulError("ERR_JOURNAL", {
    message: `${file} is no record of an attachment, or was changed or damaged since it was written`,
    hint: "look at it, undo by hand what it stands for, then remove it",
  });
}

/** What a folder holds; nothing where it is not there. One that cannot be read is not an empty one. */
async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}

/** Does something in the state directory, where that is nobody else's; what that meets comes with what to do about it. */
export async function inStateDirectory<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    await checkStateFolder(folder());
    return await action();
  } catch (error) {
    throw toBlockhaulError(error).withContext({
      hint: `attachments are recorded in ${stateDirectory()}; BLOCKHAUL_STATE_DIR names another place`,
    });
  }
}

function folder(): string {
  return path.join(stateDirectory(), "attachments");
}

function fileOf(id: string): string {
  return path.join(folder(), `${id}.json`);
}

function lockOf(id: string): string {
  return path.join(folder(), `${id}.lock`);
}
