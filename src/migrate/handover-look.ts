/**
 * The look behind the rename that sets a source aside: until then, whoever knew it by its name could write to it. Where
 * it was written to, it gets its name back.
 */
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { pathOf } from "./identity.js";
import type { Migration } from "./migration.js";
import { checkUnchanged, compareSource } from "./source-proof.js";
import { stampSource } from "./source-stamp.js";
import { checkSourceUnused } from "./states/freezing.js";

/** What is known of a source before it is looked at for the last time under its name. */
export interface Before {
  readonly content: string | undefined;
  /** Whoever writes afterwards opens it anew, which changes what its stamp says of its content. */
  readonly isUnwritten: boolean;
}

export async function lookBefore(migration: Migration): Promise<Before> {
  const isUnwritten = (await writersOf(migration)) === "none";
  return { content: await contentStamp(migration), isUnwritten };
}

/** @throws BlockhaulError ERR_LIVE_SOURCE; what says that somebody uses it */
export async function lookBehind(migration: Migration, before: Before): Promise<void> {
  const { settings, freeze } = migration.record;
  if (settings.allow?.includes("live-source") || freeze === "frozen") return;
  await checkSourceUnused(migration);
  const writers = await writersOf(migration);
  if (writers === "some") throw await writtenTo(migration);
  const content = await contentStamp(migration);
  // A device or an image: its stamp or its snapshot is not changed by a rename.
  if (writers === undefined) return checkUnchanged(migration);
  const isQuiet = before.isUnwritten && writers === "none";
  if (isQuiet && content !== undefined && content === before.content) return;
  if (migration.record.digest !== undefined) return compareSource(migration);
  if (content !== before.content) throw await writtenTo(migration);
}

/** A rename changes the last of a file's times. */
async function contentStamp(migration: Migration): Promise<string | undefined> {
  const stamp = await stampSource(migration);
  return (await fileOf(migration)) === undefined ? stamp : stamp?.split(" ").slice(0, -1).join(" ");
}

/** Undefined of what is no image file. */
async function writersOf(migration: Migration): Promise<"none" | "some" | "unknown" | undefined> {
  const file = await fileOf(migration);
  if (file === undefined) return undefined;
  const hold = await native().holdFile(file);
  const { writers } = hold;
  await hold.release();
  return writers;
}

async function fileOf(migration: Migration): Promise<string | undefined> {
  const file = pathOf((await migration.source()).location);
  if (file === undefined) return undefined;
  return (await native().lookAtPath(file))?.isFile ? file : undefined;
}

async function writtenTo(migration: Migration): Promise<BlockhaulError> {
  const { ref } = await migration.source();
  return new BlockhaulError("ERR_LIVE_SOURCE", {
    side: "source",
    volume: ref,
    message: "somebody has it open or mapped for writing while it is handed over",
    hint: `end what uses it; \`blockhaul resume ${migration.id}\` then goes on`,
  });
}
