import { BlockhaulError } from "../errors.js";
import { identityAt } from "./identity.js";
import type { Migration } from "./migration.js";
import { another } from "./rename.js";
import { nameVolume } from "./target-name.js";

/**
 * Looks whether the target is there, and the volume that the source's bytes went to. It is not opened for writing:
 * somebody may use it already.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_JOURNAL
 */
export async function checkTarget(migration: Migration): Promise<void> {
  const { record, targetRef, id } = migration;
  const target = await nameVolume(targetRef);
  const found = await identityAt(target);
  if (found === record.target.identity) return;
  const hint = `the source is as it was: \`blockhaul abort ${id}\` goes back to it`;
  if (found !== undefined) {
    throw another(target, found, record.target.identity).withContext({ side: "target", hint });
  }
  throw new BlockhaulError("ERR_NOT_FOUND", {
    side: "target",
    volume: targetRef,
    message: "it does not exist any more",
    hint,
  });
}
