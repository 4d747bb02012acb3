/** Keeps copies from each other's volumes: docs/decisions/0021-exclusion.md says why it is two locks. */
import { stat } from "node:fs/promises";

import { BlockhaulError, errnoName, type Side, toBlockhaulError } from "../errors.js";
import type { NativeInodeLock, NativeVolume } from "../native.js";
import type { NativeRegionLock } from "../native-host.js";
import {
  type LockRegion,
  lockFile,
  overlaps,
  partOfRegion,
  takeHostLock,
  wholeRegion,
} from "../system/host-lock.js";
import { lockDevice, partitionNodesOf, whyNodeMayHaveTwins } from "../usage/device-nodes.js";
import { whyFileLocksMayBeMissed } from "../usage/file-locks.js";
import { type LockHolder, lockHolders } from "../usage/lock-holders.js";
import { isDevice } from "../usage/node.js";
import type { VolumeInfo } from "../volume.js";
import { type GuardFinding, type GuardName, type HeldVolume, WAIT } from "./guard.js";

const HOST_LOCKS = "volumes.lock";

/** Locks on the ends of a copy. */
export interface Exclusion {
  /** What was found of each end that there is, in the words of "exclusion". */
  readonly findings: readonly GuardFinding[];
  /** Of what locks as QEMU does: findings of "held" and "live-source". */
  readonly users: readonly GuardFinding[];
  /** Not before nothing is read or written any more. */
  release(): void;
}

type LockMode = "shared" | "exclusive";

/**
 * Locks a source, which others may read too, and a target, which nobody else may read or write. What
 * another has locked, and what cannot be locked, is in the findings.
 *
 * @param allow guards that are passed over: "live-source" and "held" let a QEMU that uses it go on
 * @throws BlockhaulError where the folder of locks cannot be written to
 */
export async function excludeOthers(
  source: HeldVolume | undefined,
  target: HeldVolume | undefined,
  allow: readonly GuardName[] = [],
): Promise<Exclusion> {
  const locks = new VolumeLocks();
  try {
    // A source that is the target is refused by another guard: here it would be in its own way.
    const isItself = source !== undefined && target !== undefined && isSame(source, target);
    const ends: [HeldVolume | undefined, Side][] = [
      [isItself ? undefined : source, "source"],
      [target, "target"],
    ];
    const findings: GuardFinding[] = [];
    for (const [end, side] of ends) {
      if (end !== undefined) findings.push(await locks.take(end, side));
    }
    const users = locks.usedByQemu.map((side) => usedByQemu(side, allow));
    return { findings, users, release: () => locks.release() };
  } catch (error) {
    locks.release();
    throw error;
  }
}

/**
 * Reads a volume while nobody copies to it: half of a copy is nothing to compare.
 *
 * @throws BlockhaulError ERR_IN_USE
 */
export async function whileNobodyCopiesTo<Result>(
  held: HeldVolume,
  action: () => Promise<Result>,
): Promise<Result> {
  // Who else writes to it is not asked here: verify and digest read what anybody may be using.
  const locks = await excludeOthers(held, undefined, ["live-source"]);
  try {
    const [refused] = locks.findings.filter(({ state }) => state === "refused");
    if (refused !== undefined) {
      const { found: message } = refused;
      throw new BlockhaulError("ERR_IN_USE", { volume: held.volume.ref, message, hint: WAIT });
    }
    return await action();
  } finally {
    locks.release();
  }
}

/** What a report says of all that no lock keeps away and no guard can see. */
export function notExcludedOf(findings: readonly GuardFinding[]): string[] {
  const unsure = findings.filter(({ state }) => state === "unsure");
  // Several guards may say the same of a volume.
  return [...new Set(unsure.map(({ side, found }) => `${side}: ${found}`))];
}

class VolumeLocks {
  readonly usedByQemu: Side[] = [];
  readonly #locks: NativeRegionLock[] = [];

  async take({ volume, native }: HeldVolume, side: Side): Promise<GuardFinding> {
    const { info } = volume;
    const finding = (state: GuardFinding["state"], found: string): GuardFinding => {
      return { guard: "exclusion", side, state, found };
    };
    if (info.ephemeral) return finding("clear", "it holds nothing of anybody's");
    const mode = modeOf(side);
    const region = regionOf(info);
    if (region === undefined) {
      return finding(
        "unsure",
        "its driver does not tell which volume it is: other copies are not kept away from it",
      );
    }
    const lock = await takeHostLock(HOST_LOCKS, region, mode);
    if (lock === null) return finding("refused", await whoHasTheRegion(region, mode));
    this.#locks.push(lock);
    if (info.node === undefined) {
      return finding(
        "unsure",
        `other copies are kept away only where they use the locks in ${lockFile("")}: ` +
          "those of other users and of other hosts are not, unless its storage shows them",
      );
    }
    return this.#takeInode(native, info, side, finding);
  }

  async #takeInode(
    native: NativeVolume,
    info: VolumeInfo,
    side: Side,
    finding: (state: GuardFinding["state"], found: string) => GuardFinding,
  ): Promise<GuardFinding> {
    const mode = modeOf(side);
    // What was opened to be read, as for a dry run, can perhaps not be opened to be locked alone.
    const answer = await native.lock(mode === "exclusive").catch(unlockable);
    if (answer?.lock !== undefined) this.#locks.push(answer.lock);
    if (answer?.state === "taken") return finding("refused", await whoHasTheInode(info, mode));
    if (answer === null || answer.state === "unlockable") {
      return finding(
        "unsure",
        `it cannot be locked where it lies${because(answer)}: copies of other users, containers and hosts are not kept away`,
      );
    }
    if (answer.state === "taken-by-qemu") this.usedByQemu.push(side);
    const { refused, unsure } = await this.#takePartitions(info, mode);
    if (refused !== undefined) return finding("refused", refused);
    const isFile = info.node !== undefined && !isDevice(info.node);
    const twins = isFile
      ? await whyFileLocksMayBeMissed(info.name)
      : ((await whyNodeMayHaveTwins(info)) ?? unsure);
    if (twins !== undefined) return finding("unsure", twins);
    return finding("clear", "no other copy uses it, and none can begin to");
  }

  /** A partition's node is another inode than its disk's: who copies a disk locks all of them. */
  async #takePartitions(
    { node }: VolumeInfo,
    mode: LockMode,
  ): Promise<{ readonly refused?: string; readonly unsure?: string | undefined }> {
    if (node === undefined || !isDevice(node)) return {};
    let unsure: string | undefined;
    for (const partition of await partitionNodesOf(node)) {
      const { name: path } = partition;
      const answer = await lockDevice(partition, mode === "exclusive").catch(unlockable);
      if (answer.lock !== undefined) this.#locks.push(answer.lock);
      if (answer.state === "taken") {
        const who = await whoHasTheInode({ name: path }, mode);
        return { refused: `of its partition ${path}: ${who}` };
      }
      unsure ??=
        answer.state === "unlockable"
          ? `its partition ${path} cannot be locked${because(answer)}: copies of that by other users and containers are not kept away`
          : await whyNodeMayHaveTwins(partition);
    }
    return { unsure };
  }

  release(): void {
    for (const lock of this.#locks.splice(0)) lock.release();
  }
}

/** " (ENOLCK)" */
function because(answer: NativeInodeLock | null): string {
  const name = errnoName(answer?.errno ?? 0);
  return name === undefined ? "" : ` (${name})`;
}

function unlockable(error: unknown): NativeInodeLock {
  return { state: "unlockable", errno: toBlockhaulError(error).errno ?? 0 };
}

function modeOf(side: Side): LockMode {
  return side === "target" ? "exclusive" : "shared";
}

function usedByQemu(side: Side, allow: readonly GuardName[]): GuardFinding {
  const guard = side === "target" ? "held" : "live-source";
  const found = "QEMU, or a program that locks as QEMU does, uses it";
  return { guard, side, state: allow.includes(guard) ? "allowed" : "refused", found };
}

/**
 * Where a volume's lock is: that of its bytes on their medium, so that a disk and its partition are in each
 * other's way. Undefined where other processes would not find it.
 */
export function regionOf({
  kind,
  identity,
  medium,
  mediumOffset,
  size,
}: VolumeInfo): LockRegion | undefined {
  if (kind === "file" || kind === "block") return partOfRegion(medium, mediumOffset, size);
  return kind === "rbd" ? wholeRegion(identity) : undefined;
}

function isSame({ volume: one }: HeldVolume, { volume: other }: HeldVolume): boolean {
  const [first, second] = [regionOf(one.info), regionOf(other.info)];
  return first !== undefined && second !== undefined && overlaps(first, second);
}

async function whoHasTheRegion(region: LockRegion, mode: LockMode): Promise<string> {
  const { ino } = await stat(lockFile(HOST_LOCKS), { bigint: true });
  return describe(await lockHolders(String(ino), region), mode);
}

/** Of a device, its node's inode is locked. */
async function whoHasTheInode({ name }: Pick<VolumeInfo, "name">, mode: LockMode): Promise<string> {
  const node = await stat(name, { bigint: true }).catch(() => undefined);
  // Where nothing has that number, nobody is found.
  const inode = String(node?.ino ?? "");
  return describe(await lockHolders(inode, { start: OWN_BYTE, length: 1n }), mode);
}

/** native/io/inode_lock.cc */
const OWN_BYTE = 0x626c6f636b68n;

function describe(holders: readonly LockHolder[], mode: LockMode): string {
  const isRead =
    mode === "exclusive" && holders.length > 0 && !holders.some((one) => one.exclusive);
  const what = isRead ? "another copy or comparison reads it" : "another copy to it is under way";
  if (holders.length === 0) return `${what}, of a process that this user may not look into`;
  return `${what}: ${holders.slice(0, 3).map(nameHolder).join(", ")}`;
}

function nameHolder({ pid, program, jobs }: LockHolder): string {
  const who = pid === process.pid ? `this process (${pid})` : `process ${pid} (${program})`;
  if (jobs.length === 0) return who;
  return `job${jobs.length > 1 ? "s" : ""} ${jobs.slice(0, 3).join(", ")} of ${who}`;
}
