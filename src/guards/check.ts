/** What stands between a copy and somebody's data: docs/decisions/0009-guards.md says why each. */
import { BlockhaulError, type Side } from "../errors.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import { isDevice } from "../usage/node.js";
import { Stack } from "../usage/stack.js";
import { type Sight, usesSeenOf } from "../usage/uses.js";
import { holdVolume, type Volume } from "../volume.js";
import { excludeOthers } from "./exclusion.js";
import {
  free,
  freeUnless,
  GUARD_NAMES,
  type GuardFinding,
  type GuardName,
  type HeldVolume,
  refusalOf,
  type Verdict,
  whyNotTold,
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

const GUARD_KEYS: KeysOf<GuardOptions> = {
  allow: true,
  targetIsNew: true,
  goneClients: true,
  signal: true,
};

/**
 * Asks every guard, changes nothing, and refuses nothing: that is for `throwRefusal`.
 *
 * @param target undefined: it is not there yet
 * @returns one finding of each guard, and of "exclusion" one of each end; always in the same order
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for an `allow` that is no guard's name, ERR_CANCELLED,
 *   ERR_VOLUME_CLOSED
 */
export async function checkGuards(
  source: Volume,
  target: Volume | undefined,
  options: GuardOptions = {},
): Promise<GuardFinding[]> {
  checkKeys("checkGuards", options, GUARD_KEYS);
  return holdVolume(source, "copy", (from) => {
    const held = { volume: source, native: from };
    if (target === undefined) return askAll(held, undefined, options);
    return holdVolume(target, "copy", (to) =>
      askAll(held, { volume: target, native: to }, options),
    );
  });
}

export interface AskOptions extends GuardOptions {
  /** The source was copied there in part: a signature that the copy has written is nobody's. */
  readonly isBegun?: boolean;
}

/** With the locks that a copy would hold, for as long as the guards are asked. */
async function askAll(
  source: HeldVolume,
  target: HeldVolume | undefined,
  options: GuardOptions,
): Promise<GuardFinding[]> {
  const locks = await excludeOthers(source, target, options.allow);
  try {
    return [...locks.findings, ...(await askGuards(source, target, options)), ...locks.users];
  } finally {
    locks.release();
  }
}

/** The same of volumes that are kept from closing, and locked by whoever asks. */
export async function askGuards(
  source: HeldVolume,
  target: HeldVolume | undefined,
  { allow = [], isBegun = false, ...options }: AskOptions = {},
): Promise<GuardFinding[]> {
  const allowed = checkNames(allow);
  const stack = new Stack();
  const [ofSource, ofTarget, same] = await Promise.all([
    askSource(source, stack),
    target === undefined
      ? NOT_THERE
      : askTarget(target, isBegun ? source : undefined, options, stack),
    target === undefined
      ? free("the target is not there yet")
      : checkSameVolume([source, target], stack),
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

async function askSource(source: HeldVolume, stack: Stack): Promise<Pick<Verdicts, "live-source">> {
  const writers = source.native.writers();
  // Else all processes are gone through, which takes its time on a host with many.
  if (writers === "none") return { "live-source": free("nobody has it open for writing") };
  const sight = await sightOf(source.volume, stack);
  return { "live-source": await checkLiveSource(source, sight, writers) };
}

async function askTarget(
  target: HeldVolume,
  copiedFrom: HeldVolume | undefined,
  { targetIsNew, goneClients, signal }: GuardOptions,
  stack: Stack,
): Promise<Omit<Verdicts, "live-source">> {
  const { volume, native } = target;
  const { node } = volume.info;
  const device = node !== undefined && isDevice(node) ? node : undefined;
  // Asked anew: a new volume is not new any more once somebody wrote to it.
  const isNew = targetIsNew ?? native.info.zeroState === "proven-zero";
  const untold = await whyNotTold(target);
  const nowhere = freeUnless(
    untold,
    isNew && node !== undefined ? "it is new" : "it is no file or device of this host",
  );
  const [sight, rootDisk, watched, signature] = await Promise.all([
    // A new file has nothing that somebody could lose.
    isNew && device === undefined ? undefined : sightOf(volume, stack),
    untold === undefined ? checkRootDisk(device, stack) : nowhere,
    untold === undefined ? checkWatched(native, goneClients) : nowhere,
    isNew ? free("it is new") : checkSignature(target, copiedFrom, signal),
  ]);
  return {
    mounted: sight === undefined ? nowhere : checkMounted(sight),
    held: sight === undefined ? nowhere : checkHeld(sight),
    "root-disk": rootDisk,
    watched,
    signature,
  };
}

async function sightOf({ info }: Volume, stack: Stack): Promise<Sight | undefined> {
  return info.node === undefined ? undefined : usesSeenOf(info.node, stack);
}

function finding(
  guard: GuardFinding["guard"],
  side: Side,
  { state, found }: Verdict,
  allowed: ReadonlySet<string>,
): GuardFinding {
  const isAllowed = state === "refused" && allowed.has(guard);
  return { guard, side, state: isAllowed ? "allowed" : state, found };
}

function checkNames(allow: readonly string[]): ReadonlySet<string> {
  const unknown = allow.find((name) => !GUARD_NAMES.some((known) => known === name));
  if (unknown === undefined) return new Set(allow);
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `"${unknown}" is no guard that can be allowed; known are ${GUARD_NAMES.join(", ")}`,
  });
}
