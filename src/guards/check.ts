/** What stands between a copy and somebody's data: docs/decisions/0009-guards.md says why each. */
import { BlockhaulError, type Side } from "../errors.js";
import { isDevice } from "../usage/node.js";
import { Stack } from "../usage/stack.js";
import { type Use, usesOf } from "../usage/uses.js";
import { holdVolume, type Volume } from "../volume.js";
import {
  free,
  GUARD_NAMES,
  type GuardFinding,
  type GuardName,
  type HeldVolume,
  refusalOf,
  type Verdict,
} from "./guard.js";
import { checkHeld, checkMounted } from "./in-use.js";
import { checkLiveSource } from "./live-source.js";
import { GUARDS } from "./names.js";
import { checkRootDisk } from "./root-disk.js";
import { checkSameVolume } from "./same-volume.js";
import { checkSignature } from "./signature.js";
import { checkWatched } from "./watched.js";

export interface GuardOptions {
  /** Guards whose refusal is known, and to be passed over. */
  readonly allow?: readonly GuardName[] | undefined;
  /** The target was made by this very open; what the volume says of itself unless told. */
  readonly targetIsNew?: boolean | undefined;
  /** Clients of a cluster that are known to be gone, though it may still show them. */
  readonly goneClients?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks every guard, changes nothing, and refuses nothing: that is for `throwRefusal`.
 *
 * @param target undefined: it is not there yet
 * @returns one finding of each guard, always in the same order
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for an `allow` that is no guard's name, ERR_CANCELLED,
 *   ERR_VOLUME_CLOSED
 */
export async function checkGuards(
  source: Volume,
  target: Volume | undefined,
  options: GuardOptions = {},
): Promise<GuardFinding[]> {
  return holdVolume(source, "copy", (from) => {
    const held = { volume: source, native: from };
    if (target === undefined) return askGuards(held, undefined, options);
    return holdVolume(target, "copy", (to) =>
      askGuards(held, { volume: target, native: to }, options),
    );
  });
}

/** The same of volumes that are kept from closing. */
export async function askGuards(
  source: HeldVolume,
  target: HeldVolume | undefined,
  { allow = [], targetIsNew, goneClients, signal }: GuardOptions = {},
): Promise<GuardFinding[]> {
  const allowed = checkNames(allow);
  const stack = new Stack();
  const [ofSource, ofTarget, same] = await Promise.all([
    askSource(source, stack),
    target === undefined
      ? NOT_THERE
      : askTarget(target, { targetIsNew, goneClients, signal }, stack),
    target === undefined
      ? free("the target is not there yet")
      : checkSameVolume(source.volume, target.volume, stack),
  ]);
  return [
    finding("same-volume", "target", same, allowed),
    ...GUARD_NAMES.map((name) =>
      finding(name, GUARDS[name].side, { ...ofTarget, ...ofSource }[name], allowed),
    ),
  ];
}

/** @throws BlockhaulError the first refusal: ERR_SAME_VOLUME, ERR_IN_USE, ERR_NOT_EMPTY, ERR_LIVE_SOURCE */
export function throwRefusal(
  findings: readonly GuardFinding[],
  refs: Readonly<Record<Side, string>>,
): void {
  const refused = findings.find(({ state }) => state === "refused");
  if (refused !== undefined) throw refusalOf(refused, refs[refused.side]);
}

type Verdicts = Readonly<Record<GuardName, Verdict>>;

const NOT_THERE = {
  mounted: free("it is not there yet"),
  held: free("it is not there yet"),
  "root-disk": free("it is not there yet"),
  watched: free("it is not there yet"),
  signature: free("it is not there yet"),
} as const;

async function askSource(
  { volume, native }: HeldVolume,
  stack: Stack,
): Promise<Pick<Verdicts, "live-source">> {
  // Else all processes are gone through, which takes its time on a host with many.
  if (native.isSurelyUnwritten()) {
    return { "live-source": free("nobody has it open for writing") };
  }
  const uses = await usesOfVolume(volume, stack);
  return { "live-source": await checkLiveSource(volume, native, uses) };
}

async function askTarget(
  target: HeldVolume,
  { targetIsNew, goneClients, signal }: GuardOptions,
  stack: Stack,
): Promise<Omit<Verdicts, "live-source">> {
  const { volume, native } = target;
  const { node } = volume.info;
  const device = node !== undefined && isDevice(node) ? node : undefined;
  // Asked anew: a new volume is not new any more once somebody wrote to it.
  const isNew = targetIsNew ?? native.info.zeroState === "proven-zero";
  const nowhere = free(
    isNew && node !== undefined ? "it is new" : "it is no file or device of this host",
  );
  const [uses, rootDisk, watched, signature] = await Promise.all([
    // A new file has nothing that somebody could lose.
    isNew && device === undefined ? undefined : usesOfVolume(volume, stack),
    checkRootDisk(device, stack),
    checkWatched(native, goneClients),
    isNew ? free("it is new") : checkSignature(target, signal),
  ]);
  return {
    mounted: uses === undefined ? nowhere : checkMounted(uses),
    held: uses === undefined ? nowhere : checkHeld(uses),
    "root-disk": rootDisk,
    watched,
    signature,
  };
}

async function usesOfVolume({ info }: Volume, stack: Stack): Promise<Use[] | undefined> {
  return info.node === undefined ? undefined : usesOf(info.node, stack);
}

function finding(
  guard: GuardFinding["guard"],
  side: Side,
  { isFree, found }: Verdict,
  allowed: ReadonlySet<string>,
): GuardFinding {
  const state = isFree ? "clear" : allowed.has(guard) ? "allowed" : "refused";
  return { guard, side, state, found };
}

function checkNames(allow: readonly string[]): ReadonlySet<string> {
  const unknown = allow.find((name) => !GUARD_NAMES.some((known) => known === name));
  if (unknown === undefined) return new Set(allow);
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `"${unknown}" is no guard that can be allowed; known are ${GUARD_NAMES.join(", ")}`,
  });
}
