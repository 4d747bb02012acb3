import { readdir } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { JobStore } from "../jobs/store.js";
import type { NativeRegionLock } from "../native-host.js";
import { removeDurably, writeDurably } from "../system/durable-file.js";
import { seal, unseal } from "../system/sealed.js";
import { readOwn } from "../system/trusted.js";
import type { MigrationRecord } from "./record.js";

const NAME = /^([a-z0-9]{8})\.migration$/;
const ID = /^[a-z0-9]{1,8}$/;
/** Bytes: a record names volumes and snapshots, and holds none. */
const LARGEST = 16 * 1024 ** 2;

/** Where migrations are recorded: beside the journals of copies, whose ids they share. */
export class MigrationStore {
  readonly jobs: JobStore;

  /** @param directory the state directory; the host's place for it unless told */
  constructor(directory?: string) {
    this.jobs = new JobStore(directory);
  }

  /** The ids of all migrations. @throws BlockhaulError ERR_PERMISSION where somebody else could have written them */
  ids(): Promise<string[]> {
    return this.#inFolder(async () => {
      const names = await readdir(this.jobs.folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw error;
      });
      return names.flatMap((name) => NAME.exec(name)?.[1] ?? []);
    });
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

  /**
   * @throws BlockhaulError ERR_NOT_FOUND; ERR_PERMISSION for one that somebody else could have written: its hooks would
   *   be run; ERR_JOURNAL for one that was changed or damaged, and for one of another version
   */
  async read(id: string): Promise<MigrationRecord> {
    const file = this.fileOf(id);
    const bytes = await this.#inFolder(() => readOwn(file, LARGEST)).catch((error) => {
      throw toBlockhaulError(error).withContext({ volume: file });
    });
    if (bytes === undefined) {
      throw new BlockhaulError("ERR_NOT_FOUND", { message: `there is no migration ${id}` });
    }
    const unsealed = unseal(bytes.toString("utf8"));
    if ("fault" in unsealed) throw damaged(file, unsealed.fault);
    // Only here: a copy has no use for the schemas.
    const { parseMigration } = await import("./record-schema.js");
    const parsed = parseMigration(unsealed.value);
    if ("fault" in parsed) throw damaged(file, parsed.fault);
    if (parsed.record.id !== id) throw damaged(file, "it is the record of another migration");
    return parsed.record;
  }

  save(record: MigrationRecord): Promise<void> {
    return this.#inFolder(() => writeDurably(this.fileOf(record.id), seal(record)));
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

  #inFolder<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.jobs.inFolder(() =>
      action().catch((error: unknown) => {
        throw toBlockhaulError(error).withContext({
          hint: `migrations are recorded in ${this.jobs.folder}; --state-dir names another place`,
        });
      }),
    );
  }
}

/** What it stood for is not known: nobody goes on, or back, by it. */
function damaged(file: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_JOURNAL", { volume: file, message });
}
