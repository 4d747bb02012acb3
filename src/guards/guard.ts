import { BlockhaulError, type ErrorCode, type Side } from "../errors.js";
import type { NativeVolume } from "../native.js";
import type { Volume } from "../volume.js";
import { GUARDS, type GuardName } from "./names.js";

export { GUARD_NAMES, type GuardName } from "./names.js";

/** What a guard found, in a copy that may or may not go on. */
export interface GuardFinding {
  /** "same-volume" cannot be allowed: no copy could be right. */
  readonly guard: GuardName | "same-volume";
  readonly side: Side;
  /** "allowed": it would be refused, but the caller said that it may be. */
  readonly state: "clear" | "refused" | "allowed";
  /** What was found, or why there is nothing to find: a clause without a full stop. */
  readonly found: string;
}

/** An open volume that something keeps from closing. */
export interface HeldVolume {
  readonly volume: Volume;
  readonly native: NativeVolume;
}

/** What one guard says, before anybody asks what is allowed. */
export interface Verdict {
  readonly isFree: boolean;
  readonly found: string;
}

export function free(found: string): Verdict {
  return { isFree: true, found };
}

export function taken(found: string): Verdict {
  return { isFree: false, found };
}

/** The error that a refused finding is. */
export function refusalOf({ guard, side, found }: GuardFinding, volume: string): BlockhaulError {
  if (guard === "same-volume") {
    return new BlockhaulError("ERR_SAME_VOLUME", { message: found });
  }
  const { code, hint }: { code: ErrorCode; hint: string } = GUARDS[guard];
  return new BlockhaulError(code, { side, volume, message: found, hint });
}
