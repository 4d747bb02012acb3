/** Where refs led when a migration began: a backend may mean another place by now, or a link lead to one. */
import { BlockhaulError } from "../errors.js";
import type { MigrationRecord } from "./record.js";
import { type NamedVolume, nameVolume } from "./target-name.js";

type Ends = Pick<MigrationRecord, "places" | "placeIds">;

/** What two refs lead to: as texts without their backends, and as what is there, where the drivers can say it. */
export async function placesOf(source: NamedVolume, target: NamedVolume): Promise<Ends> {
  return {
    places: { source: placeOf(source), target: placeOf(target) },
    placeIds: { source: await placeIdOf(source), target: await placeIdOf(target) },
  };
}

function placeOf({ driver, location }: NamedVolume): string | undefined {
  const ref = driver.formatRef?.(location);
  return ref === undefined ? undefined : `${driver.name} ${ref}`;
}

function placeIdOf({ driver, location }: NamedVolume): Promise<string | undefined> {
  return driver.identifyPlace?.(location) ?? Promise.resolve(undefined);
}

/**
 * Looks whether the record's refs still lead where they did: elsewhere there is nothing of the migration's, so that
 * it would make a second target, and an abort would find none to remove.
 *
 * @throws BlockhaulError ERR_JOURNAL; ERR_UNKNOWN_SCHEME where a backend is gone
 */
export async function checkPlaces(record: MigrationRecord): Promise<void> {
  const { source, target, places, placeIds } = record;
  for (const [side, ref] of [["source", source.ref] as const, ["target", target.ref] as const]) {
    const named = await nameVolume(ref);
    const before = places?.[side];
    const now = before === undefined ? undefined : placeOf(named);
    if (before !== now) throw elsewhere(record, side, `it led to ${before}`, `leads to ${now}`);
    const idBefore = placeIds?.[side];
    const idNow = idBefore === undefined ? undefined : await placeIdOf(named);
    // A source whose place is gone has nothing that could be taken for it. A target may be there all the same.
    if (idBefore === idNow || (side === "source" && idNow === undefined)) continue;
    const leads = idNow === undefined ? "there is no such place" : `is in ${idNow}`;
    throw elsewhere(record, side, `it was in ${idBefore}`, leads);
  }
}

function elsewhere(
  { id, source, target }: MigrationRecord,
  side: "source" | "target",
  before: string,
  now: string,
): BlockhaulError {
  return new BlockhaulError("ERR_JOURNAL", {
    side,
    volume: { source, target }[side].ref,
    message: `${before} when migration ${id} began, and ${now} now`,
    hint: "let the backend, and every link on the way, lead where it led until the migration has ended",
  });
}
