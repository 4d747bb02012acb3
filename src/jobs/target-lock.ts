import { mkdir } from "node:fs/promises";
import path from "node:path";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { type NativeRegionLock, native } from "../native.js";
import { lockFolder, lockPlace } from "../system/state-directory.js";
import type { Volume } from "../volume.js";

/** Kinds whose identity means the same bytes in every process of this host. */
const SHARED_KINDS: readonly string[] = ["file", "block", "rbd"];

/**
 * Keeps other copies of this host away from a target; released by the kernel when the process ends.
 *
 * @returns undefined for a target that no other process can have
 * @throws BlockhaulError ERR_IN_USE
 */
export async function lockTarget(target: Volume): Promise<NativeRegionLock | undefined> {
  const { kind, identity } = target.info;
  if (!SHARED_KINDS.includes(kind)) return undefined;
  const lock = await takeLock("targets.lock", identity);
  if (lock !== null) return lock;
  throw new BlockhaulError("ERR_IN_USE", {
    side: "target",
    volume: target.ref,
    message: "another copy to it is under way",
    hint: "`blockhaul jobs` shows what runs; wait for its end",
  });
}

/**
 * Keeps others of this host away from what a text names; released by the kernel when the process ends.
 *
 * @param file its name in the folder of locks
 * @returns null where somebody else holds it
 */
export async function takeLock(file: string, identity: string): Promise<NativeRegionLock | null> {
  const folder = lockFolder();
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return native().lockRegion(path.join(folder, file), lockPlace(identity));
  } catch (error) {
    throw toBlockhaulError(error).withContext({
      hint: `who works on which volume is kept in ${folder}, which this user must be able to write to`,
    });
  }
}
