import { BlockhaulError } from "../../errors.js";
import type { SessionTimeouts } from "../connection.js";

const DAY = 86_400;

/** What a timeout may be, in seconds, and what open-iscsi's records call it. */
export const TIMEOUTS = {
  replacementSeconds: { setting: "node.session.timeo.replacement_timeout", least: -1, most: DAY },
  noopIntervalSeconds: { setting: "node.conn[0].timeo.noop_out_interval", least: 0, most: DAY },
  // 0 would be read as "the default".
  noopTimeoutSeconds: { setting: "node.conn[0].timeo.noop_out_timeout", least: 1, most: DAY },
  loginSeconds: { setting: "node.conn[0].timeo.login_timeout", least: 1, most: DAY },
} as const satisfies Record<
  keyof SessionTimeouts,
  { readonly setting: string; readonly least: number; readonly most: number }
>;

export type TimeoutName = keyof typeof TIMEOUTS;
export type TimeoutSetting = (typeof TIMEOUTS)[TimeoutName]["setting"];

export const TIMEOUT_NAMES = Object.keys(TIMEOUTS) as readonly TimeoutName[];

/** What is wrong with a timeout's seconds, to be read after them; undefined: nothing. */
export function faultOfTimeout(name: TimeoutName, seconds: number): string | undefined {
  const { least, most } = TIMEOUTS[name];
  const fits = Number.isInteger(seconds) && seconds >= least && seconds <= most;
  return fits ? undefined : `is no whole number of seconds from ${least} to ${most}`;
}

/**
 * The settings of a node record that make a session as patient as this.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT
 */
export function settingsOfTimeouts(
  timeouts: SessionTimeouts,
): Partial<Record<TimeoutSetting, number>> {
  const settings: Partial<Record<TimeoutSetting, number>> = {};
  for (const name of TIMEOUT_NAMES) {
    const seconds = timeouts[name];
    if (seconds === undefined) continue;
    const fault = faultOfTimeout(name, seconds);
    if (fault !== undefined) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `${name} ${seconds} ${fault}` });
    }
    settings[TIMEOUTS[name].setting] = seconds;
  }
  return settings;
}
