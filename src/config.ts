/** The configuration of this process. It is read when it is first needed: a copy of files needs none. */
import type { Config, ConfigFile } from "./config/load.js";
import { checkKeys, type KeysOf } from "./known-keys.js";

export type { Config, ConfigFile } from "./config/load.js";
export type { SettingOrigin } from "./config/origins.js";

/** Who is told of what is read. */
export interface ConfigWatch {
  /** Called with the file of the working folder, once, where it is there and not read: `skipped` says why. */
  readonly onSkipped?: ((file: ConfigFile) => void) | undefined;
}

const WATCH_KEYS: KeysOf<ConfigWatch> = { onSkipped: true };

let named: string | undefined;
let watch: ConfigWatch = {};
let reading: Promise<Config> | undefined;

/**
 * Names the file of the configuration, for this process; it is read anew when it is next needed.
 *
 * @param file undefined: as it is without this call, the one that BLOCKHAUL_CONFIG names, else those of
 *   the working folder, the user and the host together
 * @param options who is told of a file that is not read
 */
export function useConfig(file: string | undefined, options: ConfigWatch = {}): void {
  watch = checkKeys("useConfig", options, WATCH_KEYS);
  named = file;
  reading = undefined;
}

/**
 * The configuration, which is read once.
 *
 * @throws BlockhaulError ERR_CONFIG: `faults` has all that is wrong with it
 */
export function readConfig(): Promise<Config> {
  if (reading !== undefined) return reading;
  const { onSkipped } = watch;
  const started = import("./config/load.js").then(({ loadConfig }) => loadConfig(named, onSkipped));
  reading = started;
  // Who mends it may try again.
  started.catch(() => {
    if (reading === started) reading = undefined;
  });
  return started;
}
