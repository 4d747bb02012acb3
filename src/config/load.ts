/** The files of a configuration, read, held to what may stand in them, and put together. */
import type { Backend } from "../backends.js";
import { driverOfScheme } from "../registry.js";
import { type CheckedFile, checkFile } from "./check.js";
import { Faults, throwFaults } from "./faults.js";
import { placesOfConfig, readConfigFile } from "./files.js";
import { mergeSettings, type SettingOrigin } from "./origins.js";
import { parseTree } from "./tree.js";

/** A file that was looked for. */
export interface ConfigFile {
  readonly path: string;
  readonly found: boolean;
  /**
   * Why the file of the working folder, which is there, was not read: somebody else could have written it. To be read
   * behind its path.
   */
  readonly skipped?: string;
}

/** What is configured: of all files together. */
export interface Config {
  /** That were looked for; what an earlier one says hides what a later one does. */
  readonly files: readonly ConfigFile[];
  /** Migrations at once, in all. */
  readonly parallel?: number | undefined;
  readonly backends: ReadonlyMap<string, Backend>;
  /** As they stand in the files, put together. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Where each of the settings stands. */
  readonly origins: readonly SettingOrigin[];
}

interface ReadFile extends CheckedFile {
  readonly faults: Faults;
}

/**
 * @param named the one file that counts; those that are looked for unless told
 * @param onSkipped called with the file of the working folder, where that is there and not read
 * @throws BlockhaulError ERR_CONFIG with every fault of every file
 */
export async function loadConfig(
  named: string | undefined,
  onSkipped?: (file: ConfigFile) => void,
): Promise<Config> {
  const files: ConfigFile[] = [];
  const read: ReadFile[] = [];
  for (const { path, kind } of placesOfConfig(named)) {
    const faults = new Faults(path);
    const { text, fault, isForeign } = await readConfigFile(path);
    const isMissing = text === undefined && fault === undefined;
    if (kind === "here" && isForeign && fault !== undefined) {
      const skipped = { path, found: true, skipped: fault };
      files.push(skipped);
      onSkipped?.(skipped);
      continue;
    }
    files.push({ path, found: !isMissing });
    if (isMissing && kind !== "named") continue;
    if (isMissing) faults.add(undefined, "there is no such file");
    if (fault !== undefined) faults.add(undefined, fault);
    const tree = text === undefined ? undefined : parseTree(text, faults);
    read.push({ ...(await checkFile(tree, faults)), faults });
  }
  await checkNames(read);
  throwFaults(read.map(({ faults }) => faults));
  return merge(files, read);
}

/** When all drivers are loaded: the name of a backend is the scheme of its refs. */
async function checkNames(read: readonly ReadFile[]): Promise<void> {
  for (const { tree, faults } of read) {
    const sections = tree?.entries.get("backends")?.node;
    if (sections?.kind !== "map") continue;
    for (const [name, { at }] of sections.entries) {
      const driver = await driverOfScheme(name);
      if (driver === undefined) continue;
      faults.add(
        at,
        `a backend cannot be called ${name}: the driver ${driver.name} has that scheme`,
      );
    }
  }
}

function merge(files: readonly ConfigFile[], read: readonly ReadFile[]): Config {
  const backends = new Map<string, Backend>();
  for (const file of read) {
    for (const [name, { backend }] of file.backends) {
      if (!backends.has(name)) backends.set(name, backend);
    }
  }
  const parallel = read.find((file) => file.parallel !== undefined)?.parallel;
  const trees = read.map(({ tree, faults }) => ({ tree, file: faults.file }));
  return {
    files,
    ...(parallel === undefined ? {} : { parallel }),
    backends,
    ...mergeSettings(trees),
  };
}
