/** The configuration of this process. It is read when it is first needed: a copy of files needs none. */
import type { Config } from "./config/load.js";

export type { Config, ConfigFile } from "./config/load.js";
export type { SettingOrigin } from "./config/origins.js";

let named: string | undefined;
let reading: Promise<Config> | undefined;

/**
 * Names the file of the configuration, for this process; it is read anew when it is next needed.
 *
 * @param file undefined: as it is without this call, the one that BLOCKHAUL_CONFIG names, else those of
 *   the working folder, the user and the host together
 */
export function useConfig(file: string | undefined): void {
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
  const started = import("./config/load.js").then(({ loadConfig }) => loadConfig(named));
  reading = started;
  // Who mends it may try again.
  started.catch(() => {
    if (reading === started) reading = undefined;
  });
  return started;
}
