/** The target that a migration made goes: that very volume, and no other that has its name. */
import { CHUNK } from "../copy/chunks.js";
import { BlockhaulError } from "../errors.js";
import { openVolume, type Volume } from "../volume.js";
import { WATCH_MS } from "./dead-client.js";
import { expectedOf, identityOf } from "./identity.js";
import type { Migration } from "./migration.js";
import { removeVolume } from "./remove-volume.js";
import { snapshotsOf } from "./snapshots.js";
import { openIfThere } from "./taking-away.js";
import { type NamedVolume, nameVolume } from "./target-name.js";

/** What is compared at once: a file system's block, and LVM's smallest chunk. */
const BLOCK = 4096;

/**
 * Removes the target that the migration made; one that is not there is fine, and another that has its name is left. A
 * cluster shows a client that was killed for a while, which is waited for.
 *
 * @throws BlockhaulError ERR_IN_USE where somebody uses it; ERR_EXISTS where nobody can tell whose it is;
 *   ERR_VOLUME_CHANGED where it became another's meanwhile
 */
export async function removeTarget(migration: Migration): Promise<void> {
  const { target } = migration.record;
  if (!target.isOurs) return;
  const named = await nameVolume(target.temporary);
  const options = { deadlineMs: WATCH_MS, signal: migration.watch.signal };
  const volume = await openIfThere(named.ref);
  if (volume === undefined) {
    // What cannot be opened any more may be the rest of a removal that was cut short.
    const { identity } = target;
    if (identity !== undefined) await removeVolume(named, expectedOf(identity), options);
    return;
  }
  let identity: string;
  try {
    if (!(await isOurs(migration, volume, named))) return;
    identity = await identityOf(volume, named);
  } finally {
    await volume.close();
  }
  const expected = expectedOf(identity);
  await dropCarried(migration, named);
  await removeVolume(named, expected, options);
}

/** A target that has snapshots is not removed: those that it was given go first. */
async function dropCarried({ record }: Migration, target: NamedVolume): Promise<void> {
  if (record.snapshots.length === 0) return;
  for (const { name, location } of await snapshotsOf(target, "target")) {
    if (record.snapshots.includes(name)) await target.driver.deleteSnapshot?.(location);
  }
}

async function isOurs(migration: Migration, volume: Volume, named: NamedVolume): Promise<boolean> {
  const { ref, temporary, identity } = migration.record.target;
  // Of a driver that knows its volumes by their names alone, an identity says nothing.
  if (identity !== undefined && identity !== temporary) {
    if ((await identityOf(volume, named)) === identity) return true;
    await migration.notice(`another volume has the name ${temporary}, and is left as it is`);
    return false;
  }
  // A run was killed before it wrote down which volume it had made, and so before it wrote to that.
  if (temporary !== ref && (await holdsNothingOfItsOwn(migration, volume))) return true;
  throw new BlockhaulError("ERR_EXISTS", {
    side: "target",
    volume: temporary,
    message: "it may have been made by this migration, or by somebody else",
    hint: "look at it, remove it if it is of no use, and try again",
  });
}

/**
 * Whether each block of a volume is zero, or what the source holds there: nothing would be lost with it. So is a volume
 * that was just made, and one that a short way is making.
 */
async function holdsNothingOfItsOwn(migration: Migration, volume: Volume): Promise<boolean> {
  let source: Volume | undefined;
  const bytes = Buffer.alloc(CHUNK);
  const same = Buffer.alloc(CHUNK);
  try {
    for (let position = 0; position < volume.size; position += CHUNK) {
      migration.throwIfStopped();
      const length = Math.min(CHUNK, volume.size - position);
      await volume.read(bytes, { position, length });
      if (isZero(bytes.subarray(0, length))) continue;
      source ??= await openVolume(migration.frozenRef).catch(() => undefined);
      const there = Math.max(0, Math.min(length, (source?.size ?? 0) - position));
      same.fill(0);
      if (there > 0) await source?.read(same, { position, length: there });
      for (let at = 0; at < length; at += BLOCK) {
        const block = bytes.subarray(at, Math.min(at + BLOCK, length));
        if (!isZero(block) && !block.equals(same.subarray(at, at + block.length))) return false;
      }
    }
    return true;
  } finally {
    await source?.close();
  }
}

const ZEROS = Buffer.alloc(CHUNK);

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}
