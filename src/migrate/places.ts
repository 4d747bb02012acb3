/** Where refs led when a migration began: a backend may mean another place by now. */
import { BlockhaulError } from "../errors.js";
import type { MigrationRecord } from "./record.js";
import { type NamedVolume, nameVolume } from "./target-name.js";

/** What a ref leads to, without its backend; undefined where the driver cannot say it. */
export function placeOf({ driver, location }: NamedVolume): string | undefined {
  const ref = driver.formatRef?.(location);
  return ref === undefined ? undefined : `${driver.name} ${ref}`;
}

/**
 * Looks whether the record's refs still lead where they did: elsewhere there is nothing of the migration's, so that
 * it would make a second target, and an abort would find none to remove.
 *
 * @throws BlockhaulError ERR_JOURNAL; ERR_UNKNOWN_SCHEME where a backend is gone
 */
export async function checkPlaces({ id, source, target, places }: MigrationRecord): Promise<void> {
  for (const [side, ref] of [["source", source.ref] as const, ["target", target.ref] as const]) {
    const before = places?.[side];
    const now = before === undefined ? undefined : placeOf(await nameVolume(ref));
    if (before === now) continue;
    throw new BlockhaulError("ERR_JOURNAL", {
      side,
      volume: ref,
      message: `it led to ${before} when migration ${id} began, and leads to ${now} now`,
      hint: "give the backend the settings that it had until the migration has ended",
    });
  }
}
