/** What earlier runs of a plan left of its moves. */
import { identityAt } from "./identity.js";
import type { MoveEnd } from "./plan-ends.js";
import type { EarlierMigration } from "./plan-types.js";
import type { MigrationStatus } from "./status.js";
import { nameVolume } from "./target-name.js";

/** What is looked at to tell whether a migration still counts. */
export interface EarlierLooks {
  endOf(ref: string): Promise<MoveEnd>;
  /** Of the volume of that name now; undefined where there is none, "unknown" where it cannot be opened. */
  identityOf(ref: string): Promise<string | undefined>;
}

export type Recorded = Pick<
  MigrationStatus,
  "id" | "state" | "resumable" | "source" | "sourceIdentity" | "target" | "targetIdentity"
>;

/**
 * How a move is found among the recorded migrations: by its two ends, whatever they are called.
 *
 * @param recorded the oldest first
 */
export async function earlierMigrations(recorded: readonly Recorded[], looks: EarlierLooks) {
  const known = await Promise.all(
    recorded.map(async (status) => {
      const [source, target] = [await looks.endOf(status.source), await looks.endOf(status.target)];
      return { status, source: source.key, target: target.key };
    }),
  );
  return async (source: MoveEnd, target: MoveEnd): Promise<EarlierMigration | undefined> => {
    if (source.key === undefined || target.key === undefined) return undefined;
    const between = known
      .filter((one) => one.source === source.key && one.target === target.key)
      .map(({ status }) => status);
    const open = between.findLast(({ state, resumable }) => state === "running" || resumable);
    const last = open ?? between.at(-1);
    if (last === undefined) return undefined;
    const { id, state, resumable } = last;
    if (state === "running") return { id, state };
    if (resumable) return { id, state: "cut short" };
    return state === "done" && (await stillCounts(last, looks)) ? { id, state } : undefined;
  };
}

/** A target that is gone has to be made again; a source that is another volume by now was never moved. */
async function stillCounts(
  { source, sourceIdentity, target, targetIdentity }: Recorded,
  { identityOf }: EarlierLooks,
): Promise<boolean> {
  if ((await identityOf(target)) === undefined) return false;
  const now = await identityOf(source);
  if (now === undefined || now === "unknown" || now === sourceIdentity) return true;
  // A rename within one backend left the target under the source's name.
  return now === targetIdentity;
}

/** Of what has a name now: its identity, "unknown" where it cannot be opened, undefined where nothing has it. */
export async function identityNow(ref: string): Promise<string | undefined> {
  try {
    return await identityAt(await nameVolume(ref));
  } catch {
    return "unknown";
  }
}
