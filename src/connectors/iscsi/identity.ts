/** Which volume a device is, by what it says of itself. */
import type { DeviceIdentity } from "../connection.js";

/**
 * Whether two answers are of one volume. Its size does not count where its names are known: a volume that was
 * resized is the same, and taking it for another would take its device away from whoever uses it.
 */
export function isSameVolume(one: DeviceIdentity, other: DeviceIdentity): boolean {
  if (one.wwid !== other.wwid || one.serial !== other.serial) return false;
  const isNamed = one.wwid !== undefined || one.serial !== undefined;
  return isNamed || one.size === other.size;
}

/** Of a device that was there already. "other": another volume is behind it; "silent": it does not answer. */
export type DeviceState = "same" | "other" | "silent";

/**
 * What is done with a device that was there already. One that no record of ours lists is never removed, whatever it
 * shows: it may be what a person, a virtual machine or a database has in hand.
 *
 * @returns "remove": if nobody uses it
 */
export function fateOf(state: DeviceState, isOurs: boolean): "use" | "remove" | "leave" {
  if (state === "same") return "use";
  return isOurs ? "remove" : "leave";
}

/**
 * A WWID as the kernel, multipath and arrays write it, in one form: "naa.6001", "36001" (multipath
 * puts the type before it) and "0x6001" are the same.
 */
export function bareWwid(wwid: string | undefined): string | undefined {
  if (wwid === undefined) return undefined;
  const text = wwid.trim().replace(/\s+/g, " ").toLowerCase();
  const naa = /^(?:naa\.|0x|3)?((?:[0-9a-f]{16}){1,2})$/.exec(text)?.[1];
  return naa ?? text;
}
