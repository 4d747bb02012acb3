/** handing-over: names change hands, and only then the source may go. Every step can be done again. */
import { moveGptBackup } from "../../gpt.js";
import { openTarget } from "../bytes.js";
import { type Before, lookBefore, lookBehind } from "../handover-look.js";
import type { Migration } from "../migration.js";
import { renameOnce } from "../rename.js";
import { dropSnapshot } from "../snapshots.js";
import { checkUnchanged } from "../source-proof.js";
import { removeSource } from "../source-removal.js";
import { checkTarget } from "../target-check.js";
import { asideName, besides, nameIn, nameVolume } from "../target-name.js";

export async function enterHandingOver(migration: Migration): Promise<void> {
  await migration.enter("handing-over");
  const isStillNamed = migration.record.settings.rename && !migration.hasDone("setting-aside");
  const before = isStillNamed ? await lookBefore(migration) : undefined;
  if (!migration.hasDone("beforeHandover")) {
    await migration.runHook("beforeHandover");
    await checkUnchanged(migration);
    await migration.did("beforeHandover");
  } else await checkSinceThen(migration);
  // From here on names change hands.
  if (!migration.hasDone("renaming-target") && !migration.hasDone("afterHandover")) {
    await checkTarget(migration);
  }
  if (migration.record.settings.fixGpt && !migration.hasDone("gpt-fixed")) await fixGpt(migration);
  await migration.release("claim");
  if (migration.record.settings.rename) await setAside(migration, before);
  await renameTarget(migration);
  if (!migration.hasDone("afterHandover")) {
    await migration.runHook("afterHandover");
    await migration.did("afterHandover");
  }
  if (migration.record.settings.deleteSource) return removeSource(migration);
  if (migration.hasDone("snapshots-dropped")) return;
  await dropSnapshot(migration);
  await migration.did("snapshots-dropped");
}

/** Only now: until here, the target is compared with the source. */
async function fixGpt(migration: Migration): Promise<void> {
  const target = migration.kept("target") ?? (await openTarget(migration));
  await moveGptBackup(target);
  await migration.release("target");
  await migration.did("gpt-fixed");
}

/** Between a run that was cut short in the hand-over and this one, the source may have been written to. */
async function checkSinceThen(migration: Migration): Promise<void> {
  if (migration.hasDone("target-renamed") || migration.hasDone("afterHandover")) return;
  // A kill may have left it under either name.
  if (migration.hasDone("setting-aside")) await setAside(migration);
  await checkUnchanged(migration);
}

async function setAside(migration: Migration, before?: Before): Promise<void> {
  if (migration.hasDone("set-aside")) return;
  const source = await migration.source();
  const aside = besides(source, asideName(nameIn(source), migration.id));
  await migration.did("setting-aside", { setAside: aside.ref });
  const { identity } = migration.record.source;
  await renameOnce(source, aside, identity);
  await migration.did("set-aside");
  if (before === undefined) return;
  try {
    await lookBehind(migration, before);
  } catch (error) {
    await renameOnce(aside, source, identity);
    await migration.didNot("set-aside");
    await migration.didNot("setting-aside");
    throw error;
  }
}

async function renameTarget(migration: Migration): Promise<void> {
  const { target } = migration.record;
  if (target.temporary === target.ref || migration.hasDone("target-renamed")) return;
  await migration.release("target");
  await migration.did("renaming-target");
  const [from, to] = [await nameVolume(target.temporary), await nameVolume(target.ref)];
  await renameOnce(from, to, target.identity);
  await migration.did("target-renamed");
}
