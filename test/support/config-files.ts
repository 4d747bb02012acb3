/** Configuration files of one test file. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { type Config, loadConfig } from "../../src/config/load.js";
import { BlockhaulError, type ConfigFault } from "../../src/errors.js";
import { Workspace } from "./workspace.js";

export class ConfigFiles implements Disposable {
  readonly #workspace = new Workspace();
  readonly folder = this.#workspace.folder;

  /** Writes a file, with the folders above it. */
  write(name: string, text: string, mode = 0o644): string {
    const file = this.#workspace.path(name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  /** What is configured by a text. */
  load(text: string, name = "blockhaul.yaml"): Promise<Config> {
    return loadConfig(this.write(name, text));
  }

  /** What is wrong with a text: "LINE:COLUMN message". */
  async faultsOf(text: string, name?: string): Promise<string[]> {
    return (await faultsOf(this.load(text, name))).map(
      ({ line, column, message }) => `${line}:${column} ${message}`,
    );
  }

  [Symbol.dispose](): void {
    this.#workspace[Symbol.dispose]();
  }
}

/** All that a configuration is refused for; none where it is not. */
export async function faultsOf(loading: Promise<unknown>): Promise<readonly ConfigFault[]> {
  try {
    await loading;
    return [];
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_CONFIG") return error.faults ?? [];
    throw error;
  }
}
