/**
 * The source under a name of its own. Who knew it by its name does not find it there any more, so that nobody begins to
 * write to it between the last look and its removal; and nobody else's volume has that name.
 */
import { BlockhaulError } from "../errors.js";
import { openVolume } from "../volume.js";
import { identityAt } from "./identity.js";
import { type Migration, openSource } from "./migration.js";
import { setAsideOf } from "./record.js";
import { faultOfIdentity, renameOnce } from "./rename.js";
import { besides, canRename, nameVolume, removingName } from "./target-name.js";

/**
 * Gives the source that name, in a way that can be done again. A source that was set aside has a name of its own, and one
 * that cannot be renamed keeps the one that it has.
 */
export async function takeAway(migration: Migration): Promise<void> {
  const { record } = migration;
  if (migration.hasDone("taken-away") || setAsideOf(record) !== undefined) return;
  const source = await migration.source();
  if (!canRename(source)) return;
  // A run that was killed may have renamed it already.
  if (!migration.hasDone("taking-away") && !(await isKnownByMoreThanItsName(migration))) return;
  const away = besides(source, removingName(migration.id));
  await migration.did("taking-away", { removing: away.ref });
  await returnAnother(migration);
  await renameOnce(source, away, record.source.identity);
  await migration.did("taken-away");
}

/** Gives the source its name back where it was taken away, and somebody else's volume that was in its place. */
export async function giveBack(migration: Migration): Promise<void> {
  const { removing, source } = migration.record;
  if (removing === undefined) return;
  await returnAnother(migration);
  const from = await nameVolume(removing);
  if ((await identityAt(from)) === source.identity) {
    await renameOnce(from, await nameVolume(source.ref), source.identity);
  }
  await migration.note({
    removing: undefined,
    handover: migration.record.handover.filter((step) => !step.startsWith("tak")),
  });
}

async function isKnownByMoreThanItsName(migration: Migration): Promise<boolean> {
  const volume = await openSource(migration);
  await volume.close();
  return faultOfIdentity(volume, "source") === undefined;
}

/**
 * A kill between the rename and the look behind it may have left another's volume under the name that only this
 * migration gives. It gets back the name that it had, where that is free.
 */
async function returnAnother({ record }: Migration): Promise<void> {
  const { removing, source } = record;
  if (removing === undefined) return;
  const [away, own] = [await nameVolume(removing), await nameVolume(source.ref)];
  const found = await identityAt(away);
  if (found === undefined || found === source.identity) return;
  if ((await identityAt(own)) !== undefined) {
    throw new BlockhaulError("ERR_EXISTS", {
      side: "source",
      volume: removing,
      message: `another volume has the name under which the source of migration ${record.id} is removed`,
      hint: "give it another name",
    });
  }
  await renameOnce(away, own, found);
}

/** Undefined where nothing has the name. */
export async function openIfThere(ref: string) {
  return openVolume(ref).catch((error: unknown) => {
    if (error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND") return undefined;
    throw error;
  });
}
