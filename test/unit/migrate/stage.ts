/** Migrations between two folders of image files, by a driver whose every call a test can get in the way of. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import {
  abortMigration,
  BlockhaulError,
  listJobs,
  listMigrations,
  type MigrateOptions,
  type MigrationReport,
  type MigrationStatus,
  migrateVolume,
  type ResumeMigrationOptions,
  registerBackend,
  registerDriver,
  resumeMigration,
  type VolumeDriver,
} from "blockhaul";
import { afterEach, expect } from "vitest";

import { fileDriver } from "../../../src/drivers/file.js";
import {
  type Abilities,
  type Location,
  type Moments,
  momentousDriver,
} from "../../kills/migrations/driver.mjs";
import { writeSparse } from "../../kills/migrations/sparse.mjs";
import { Workspace } from "../../support/workspace.js";

/** Gets in the way of a call: it may let it proceed, before or after whatever it does. */
export type Interceptor = (
  proceed: () => Promise<unknown>,
  location: { readonly path: string },
) => Promise<unknown>;

let count = 0;

export class Stage implements Disposable {
  readonly workspace = new Workspace();
  readonly stateDirectory = this.workspace.path("state");
  readonly source = this.workspace.path("from/disk");
  readonly target = this.workspace.path("to/disk");
  readonly from: string;
  readonly to: string;
  readonly driver: VolumeDriver<Location>;
  readonly #inTheWay = new Map<string, Interceptor>();
  #before = "";
  #digest = "";

  private constructor(abilities: Partial<Abilities>) {
    count += 1;
    const name = `stage${count}`;
    this.from = `from${count}`;
    this.to = `to${count}`;
    for (const folder of ["from", "to", "hidden"]) mkdirSync(this.workspace.path(folder));
    writeSparse(this.source, 0);
    writeSparse(this.workspace.path("to/stranger"), 1);
    const folder = this.workspace.path("hidden");
    this.driver = momentousDriver(
      fileDriver,
      { name, hidden: folder, ...abilities },
      this.#moments(),
    );
    registerDriver(this.driver);
  }

  /** @param snapshots names of those that the source has */
  static async make(
    abilities: Partial<Abilities> = {},
    snapshots: readonly string[] = [],
  ): Promise<Stage> {
    const stage = new Stage(abilities);
    const { driver, workspace, source } = stage;
    for (const [index, name] of snapshots.entries()) {
      await driver.createSnapshot?.({ path: source }, { name });
      writeSparse(source, 2 + index);
    }
    await registerBackend(stage.from, { driver: driver.name, directory: workspace.path("from") });
    await registerBackend(stage.to, { driver: driver.name, directory: workspace.path("to") });
    stage.asBefore();
    return stage;
  }

  /** What there is now is what an abort has to leave. */
  asBefore(): void {
    this.#before = this.listing();
    this.#digest = digest(this.source);
  }

  #moments(): Moments {
    return {
      moment: () => {},
      around:
        (call, action) =>
        async (...args) => {
          const proceed = () => action(...args);
          const inTheWay = this.#inTheWay.get(call);
          if (inTheWay === undefined) return proceed();
          return (await inTheWay(proceed, args[0] as Location)) as ReturnType<typeof proceed>;
        },
    };
  }

  [Symbol.dispose](): void {
    this.workspace[Symbol.dispose]();
  }

  /** @param call "create", "open to read", "open to write", "close", "delete", "rename", "take snapshot", … */
  inTheWay(call: string, interceptor: Interceptor): void {
    this.#inTheWay.set(call, interceptor);
  }

  outOfTheWay(): void {
    this.#inTheWay.clear();
  }

  async migrate(options: MigrateOptions = {}): Promise<MigrationReport> {
    const { stateDirectory } = this;
    return migrateVolume(`${this.from}:disk`, `${this.to}:disk`, { stateDirectory, ...options });
  }

  async resume(options: ResumeMigrationOptions = {}): Promise<MigrationReport> {
    const { stateDirectory } = this;
    return resumeMigration((await this.status()).id, { stateDirectory, ...options });
  }

  async abort(options: ResumeMigrationOptions = {}): Promise<MigrationReport> {
    const { stateDirectory } = this;
    return abortMigration((await this.status()).id, { stateDirectory, ...options });
  }

  async status(): Promise<MigrationStatus> {
    const [status] = await listMigrations({ stateDirectory: this.stateDirectory });
    if (status === undefined) throw new Error("nothing is recorded");
    return status;
  }

  /** Where the source is now: under its name, set aside, or about to be removed. */
  get present(): string {
    const folder = path.dirname(this.source);
    const [name = "gone"] = readdirSync(folder);
    return path.join(folder, name);
  }

  /** The source was read once more, and what it held written down: what is next is its removal. */
  get isCompared(): boolean {
    return readdirSync(`${this.stateDirectory}/jobs`).some((name) => name.endsWith(".manifest"));
  }

  /** Every volume and snapshot. */
  listing(): string {
    const { workspace } = this;
    return ["from", "to"]
      .flatMap((place) => readdirSync(workspace.path(place)).map((name) => `${place}/${name}`))
      .sort()
      .flatMap((name) => {
        const folder = workspace.path(`hidden/${statSync(workspace.path(name)).ino}`);
        const snapshots = existsSync(folder) ? readdirSync(folder).sort() : [];
        return [name, ...snapshots.map((one) => `${name}@${one.replace(/^\d+ /, "")}`)];
      })
      .join(" ");
  }

  /** Keeps every later text of a migration's record from being written, until what it returns is called. */
  blockRecord(id: string): () => void {
    const file = `${this.stateDirectory}/jobs/${id}.migration`;
    const before = readFileSync(file);
    // No file takes the place of a folder that holds something.
    rmSync(file);
    mkdirSync(path.join(file, "in the way"), { recursive: true });
    return () => {
      rmSync(file, { recursive: true });
      writeFileSync(file, before, { mode: 0o600 });
    };
  }

  /** Where the driver keeps a snapshot of the source. */
  snapshotFile(name: string): string {
    const folder = this.workspace.path(`hidden/${statSync(this.source).ino}`);
    const file = readdirSync(folder).find((one) => one.replace(/^\d+ /, "") === name);
    return path.join(folder, file ?? "none");
  }

  /** The source is there, and as it was; so is all else. */
  async isUndone(): Promise<void> {
    expect(this.listing()).toBe(this.#before);
    expect(digest(this.source), "the source").toBe(this.#digest);
    expect((await this.status()).state).toBe("aborted");
    expect(await listJobs({ stateDirectory: this.stateDirectory })).toEqual([]);
  }

  sourceIsUnchanged(file = this.source): void {
    expect(digest(file), "the source").toBe(this.#digest);
  }

  async isDone(): Promise<void> {
    expect((await this.status()).state).toBe("done");
    expect(digest(this.target), "the target").toBe(this.#digest);
    const names = readdirSync(path.dirname(this.target));
    expect(names.sort()).toEqual(["disk", "stranger"]);
  }
}

/** The error that something ends with; it must be one of the library's. */
export async function errorOf(action: Promise<unknown>): Promise<BlockhaulError> {
  const ended = await action.then(
    (value) => {
      throw new Error(`it succeeded: ${JSON.stringify(value)}`);
    },
    (error) => error,
  );
  expect(ended.name, String(ended.stack)).toBe("BlockhaulError");
  return ended;
}

export function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

const stages: Stage[] = [];

afterEach(() => {
  for (const stage of stages.splice(0)) stage[Symbol.dispose]();
});

/** A stage that goes with the test. */
export async function stageOf(
  abilities: Partial<Abilities> = {},
  snapshots: readonly string[] = [],
): Promise<Stage> {
  const stage = await Stage.make(abilities, snapshots);
  stages.push(stage);
  return stage;
}

/** Interceptors that fail. */
export const noSpace = async () => {
  throw new BlockhaulError("ERR_NO_SPACE", { errno: 28 });
};
export const ioError = async () => {
  throw new BlockhaulError("ERR_IO", { errno: 5 });
};
