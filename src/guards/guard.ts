import { BlockhaulError, type ErrorCode, type Side } from "../errors.js";
import type { NativeVolume } from "../native.js";
import type { Volume } from "../volume.js";
import { GUARDS, type GuardName } from "./names.js";

export { GUARD_NAMES, type GuardName } from "./names.js";

/** What a guard found, in a copy that may or may not go on. */
export interface GuardFinding {
  /**
   * "same-volume" cannot be allowed: no copy could be right; nor can "exclusion", what another copy has
   * locked.
   */
  readonly guard: GuardName | "same-volume" | "exclusion";
  readonly side: Side;
  /**
   * "allowed": it would be refused, but the caller said that it may be. "unsure": nothing was found, but
   * not all can be seen.
   */
  readonly state: "clear" | "refused" | "allowed" | "unsure";
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
  readonly state: "clear" | "refused" | "unsure";
  readonly found: string;
}

export function free(found: string): Verdict {
  return { state: "clear", found };
}

export function taken(found: string): Verdict {
  return { state: "refused", found };
}

/** @param why all cannot be seen; undefined: it can, so that nothing found is nothing there */
export function freeUnless(why: string | undefined, found: string): Verdict {
  return why === undefined ? free(found) : { state: "unsure", found: why };
}

/** What is found of a volume of which nobody tells who uses it. */
const NOT_TOLD = "its driver does not tell who uses it";

/**
 * Why nothing can be found of a volume that is no file or device of this host.
 *
 * @returns NOT_TOLD's words; undefined where it is one, is nobody's, or its storage tells who uses it
 */
export async function whyNotTold({ volume, native }: HeldVolume): Promise<string | undefined> {
  const { node, ephemeral, snapshot } = volume.info;
  if (node !== undefined || ephemeral || snapshot) return undefined;
  // Storage that cannot answer now is another guard's to refuse.
  const watchers = await native.watchers().catch(() => []);
  return watchers === null ? NOT_TOLD : undefined;
}

/** What can be done about another copy. */
export const WAIT = "`blockhaul jobs` shows what runs; wait for its end";

/** The error that a refused finding is. */
export function refusalOf({ guard, side, found }: GuardFinding, volume: string): BlockhaulError {
  if (guard === "same-volume") {
    return new BlockhaulError("ERR_SAME_VOLUME", { message: found });
  }
  if (guard === "exclusion") {
    return new BlockhaulError("ERR_IN_USE", { side, volume, message: found, hint: WAIT });
  }
  const { code, hint }: { code: ErrorCode; hint: string } = GUARDS[guard];
  return new BlockhaulError(code, { side, volume, message: found, hint });
}
