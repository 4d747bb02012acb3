import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bootId } from "../../src/attachments/attachment.js";
import { type AttachmentRecord, formatRecord, parseRecord } from "../../src/attachments/record.js";
import { Workspace } from "./workspace.js";

/** A state directory for the tests of one file; `process.env` names it until it is disposed of. */
export class StateDirectory implements Disposable {
  readonly #workspace = new Workspace();
  readonly folder = this.#workspace.path("state");
  readonly #before = process.env.BLOCKHAUL_STATE_DIR;

  constructor() {
    process.env.BLOCKHAUL_STATE_DIR = this.folder;
  }

  path(name: string): string {
    return path.join(this.folder, "attachments", name);
  }

  /** Names of everything that is there. */
  get files(): string[] {
    const folder = path.join(this.folder, "attachments");
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  /** The records as they are on disk. */
  get records(): AttachmentRecord[] {
    const names = this.files.filter((name) => name.endsWith(".json"));
    return names.map((name) => {
      const record = parseRecord(readFileSync(this.path(name), "utf8"));
      if (record === undefined) throw new Error(`${name} is no record`);
      return record;
    });
  }

  /** Puts a record there, as if a process had made it that is no more. */
  put(record: Partial<AttachmentRecord> & Pick<AttachmentRecord, "id">): AttachmentRecord {
    const whole: AttachmentRecord = {
      version: 1,
      ref: "array:a",
      createdAt: new Date().toISOString(),
      bootId: bootId(),
      pid: 999_999_999,
      kept: false,
      steps: [],
      ...record,
    };
    this.write(`${whole.id}.json`, formatRecord(whole));
    return whole;
  }

  write(name: string, text: string): void {
    mkdirSync(path.join(this.folder, "attachments"), { recursive: true, mode: 0o700 });
    writeFileSync(this.path(name), text);
  }

  clear(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    if (this.#before === undefined) delete process.env.BLOCKHAUL_STATE_DIR;
    else process.env.BLOCKHAUL_STATE_DIR = this.#before;
    this.#workspace[Symbol.dispose]();
  }
}
