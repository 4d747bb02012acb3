import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { JobStore } from "../jobs/store.js";
import type { NativeRegionLock } from "../native.js";
import { removeDurably, writeDurably } from "../system/durable-file.js";
import { formatMigration, type MigrationRecord, parseMigration } from "./record.js";

const NAME = /^([a-z0-9]{8})\.migration$/;
const ID = /^[a-z0-9]{1,8}$/;

/** Where migrations are recorded: beside the journals of copies, whose ids they share. */
export class MigrationStore {
  readonly jobs: JobStore;

  /** @param directory the state directory; the host's place for it unless told */
  constructor(directory?: string) {
    this.jobs = new JobStore(directory);
  }

  /** The ids of all migrations. */
  async ids(): Promise<string[]> {
    const names = await readdir(this.jobs.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw this.#explained(error);
    });
    return names.flatMap((name) => NAME.exec(name)?.[1] ?? []);
  }

  /**
   * The whole id of a migration; undefined where none begins like this.
   *
   * @throws BlockhaulError ERR_INVALID_ARGUMENT where several do
   */
  async find(id: string): Promise<string | undefined> {
    const found = ID.test(id) ? (await this.ids()).filter((one) => one.startsWith(id)) : [];
    if (found.length < 2) return found[0];
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `several migrations begin with ${id}: ${found.join(", ")}`,
    });
  }

  /** @throws BlockhaulError ERR_NOT_FOUND, ERR_JOURNAL for a record that is none of this version */
  async read(id: string): Promise<MigrationRecord> {
    const file = this.fileOf(id);
    const text = await readFile(file, "utf8").catch((error) => {
      throw this.#explained(error);
    });
    const record = parseMigration(text);
    if (record?.id === id) return record;
    throw new BlockhaulError("ERR_JOURNAL", {
      volume: file,
      message: "it is no record of a migration that this version knows",
    });
  }

  save(record: MigrationRecord): Promise<void> {
    return writeDurably(this.fileOf(record.id), formatMigration(record)).catch((error) => {
      throw this.#explained(error);
    });
  }

  async remove(id: string): Promise<void> {
    await removeDurably(this.manifestOf(id));
    await removeDurably(this.fileOf(id));
  }

  /**
   * Says that this process works on a migration.
   *
   * @throws BlockhaulError ERR_IN_USE where another one does
   */
  async hold(id: string): Promise<NativeRegionLock> {
    await this.jobs.make();
    const hold = await this.jobs.hold(id);
    if (hold !== undefined) return hold;
    throw new BlockhaulError("ERR_IN_USE", {
      message: `another process works on migration ${id}`,
      hint: `\`blockhaul jobs show ${id}\` names it; wait for its end`,
    });
  }

  fileOf(id: string): string {
    return path.join(this.jobs.folder, `${id}.migration`);
  }

  /** What a source held when its removal began, while that goes on. */
  manifestOf(id: string): string {
    return path.join(this.jobs.folder, `${id}.manifest`);
  }

  #explained(error: unknown): BlockhaulError {
    return toBlockhaulError(error).withContext({
      hint: `migrations are recorded in ${this.jobs.folder}; --state-dir names another place`,
    });
  }
}
