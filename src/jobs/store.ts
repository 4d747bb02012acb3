import { randomInt } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeRegionLock } from "../native-host.js";
import { removeDrafts, writeDurably } from "../system/durable-file.js";
import {
  checkStateFolder,
  lockPlace,
  makeStateFolder,
  stateDirectory,
} from "../system/state-directory.js";
import { checkOwn, readOwn } from "../system/trusted.js";
import { waitFor } from "../system/wait.js";

const JOURNAL_NAME = /^([a-z0-9]{8})\.journal$/;
const ID = /^[a-z0-9]{1,8}$/;
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
/** Whoever only looks whether somebody holds a job has it for a moment. */
const LOOK_MS = 100;

/** Bytes of the small files beside journals. */
const LARGEST = 4096;

/**
 * Where jobs keep their journals: `<state>/jobs`. Nothing that lies there counts where somebody else could have written it:
 * every method throws ERR_PERMISSION then.
 */
export class JobStore {
  readonly folder: string;
  /** The folder was there, and found good: nobody else can change that. */
  #isChecked = false;

  /** @param directory the state directory; the host's place for it unless told */
  constructor(directory: string = stateDirectory()) {
    this.folder = path.join(directory, "jobs");
  }

  /** A name for a new job: short enough to be typed. */
  newId(): string {
    return Array.from({ length: 8 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  }

  journalOf(id: string): string {
    return path.join(this.folder, `${id}.journal`);
  }

  controlOf(id: string): string {
    return path.join(this.folder, `${id}.control`);
  }

  /**
   * The job that copied to a target last. Any other's record of that target is worthless, so nobody has
   * to read all journals to find the one that counts. Where the folder cannot be read, or is not ours alone, no job
   * of it counts.
   */
  async lastOf(target: string): Promise<string | undefined> {
    const text = await this.readSmall(this.#pointerOf(target)).catch(() => undefined);
    const id = text?.trim() ?? "";
    return ID.test(id) ? id : undefined;
  }

  /** Says which job copies to a target, before its journal is made. */
  setLastOf(target: string, id: string): Promise<void> {
    return this.inFolder(() => writeDurably(this.#pointerOf(target), `${id}\n`));
  }

  #pointerOf(target: string): string {
    return path.join(this.folder, "targets", lockPlace(target).toString(36));
  }

  make(): Promise<void> {
    return this.inFolder(async () => {
      await makeStateFolder(this.folder);
      this.#isChecked = true;
    });
  }

  /** A small file of the folder's; undefined where it is missing. What others could have written is refused. */
  readSmall(file: string): Promise<string | undefined> {
    return this.inFolder(async () => (await readOwn(file, LARGEST))?.toString("utf8"));
  }

  /**
   * Reads or writes a journal, which nobody else can have written.
   *
   * @throws BlockhaulError ERR_PERMISSION where somebody could
   */
  withJournal<Result>(id: string, action: (file: string) => Promise<Result>): Promise<Result> {
    return this.inFolder(async () => {
      const file = this.journalOf(id);
      await checkOwn(file);
      return action(file);
    });
  }

  /** The ids of all jobs. */
  ids(): Promise<string[]> {
    return this.inFolder(async () => {
      const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw error;
      });
      return names.flatMap((name) => JOURNAL_NAME.exec(name)?.[1] ?? []);
    });
  }

  /**
   * The whole id of a job.
   *
   * @param id or the beginning of one that no other has
   * @throws BlockhaulError ERR_NOT_FOUND, ERR_INVALID_ARGUMENT
   */
  async find(id: string): Promise<string> {
    const found = ID.test(id) ? (await this.ids()).filter((one) => one.startsWith(id)) : [];
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    const hint = "`blockhaul jobs` lists them";
    if (found.length === 0) {
      const message = `there is no job ${JSON.stringify(id)} in ${this.folder}`;
      throw new BlockhaulError("ERR_NOT_FOUND", { message, hint });
    }
    const message = `several jobs begin with ${id}: ${found.join(", ")}`;
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message, hint });
  }

  /**
   * Says that this process works on a job; the kernel takes that back when it ends, however it does.
   *
   * @returns undefined where another one does
   */
  hold(id: string): Promise<NativeRegionLock | undefined> {
    return this.inFolder(() => {
      const file = path.join(this.folder, "locks");
      const take = async () =>
        native().lockRegion(file, BigInt(lockPlace(id)), 1n, true) ?? undefined;
      return waitFor(take, { deadlineMs: LOOK_MS });
    });
  }

  /** Whether some process works on a job. */
  async isHeld(id: string): Promise<boolean> {
    const hold = await this.hold(id);
    hold?.release();
    return hold === undefined;
  }

  /** Removes what killed processes left beside the journals. */
  sweep(): Promise<void> {
    return this.inFolder(async () => {
      await removeDrafts(this.folder, () => true);
      await removeDrafts(path.join(this.folder, "targets"), () => true);
    });
  }

  remove(id: string): Promise<void> {
    return this.inFolder(async () => {
      await rm(this.controlOf(id), { force: true });
      await rm(this.journalOf(id), { force: true });
    });
  }

  /** Does something in the folder, once it is sure that it is nobody else's. */
  async inFolder<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      this.#isChecked ||= await checkStateFolder(this.folder);
      return await action();
    } catch (error) {
      throw toBlockhaulError(error).withContext({
        hint: `journals are kept in ${this.folder}; --state-dir names another place, and --no-journal does without`,
      });
    }
  }
}
