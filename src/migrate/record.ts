import type { VolumeEnd } from "../volume-end.js";
import {
  type Freeze,
  HOOK_NAMES,
  type HookName,
  type MigrationSettings,
  type MigrationState,
  type MigrationTuning,
} from "./types.js";

/** The target of a migration. */
export interface RecordedTarget {
  /** What it will be called. */
  readonly ref: string;
  /** What it is called until the hand-over; the same where it was there before. */
  readonly temporary: string;
  /** It is made by the migration, and removed by an abort. */
  readonly isOurs: boolean;
  /** Once it was made, or opened. */
  readonly identity?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
}

/** A text of each end, where there is one. */
type OfBoth = Readonly<Partial<Record<"source" | "target", string | undefined>>>;

/** What a hand-over has done, in order. Each is noted after it was done; renames before, too. */
export const HANDOVER_STEPS = [
  ...HOOK_NAMES,
  "gpt-fixed",
  "setting-aside",
  "set-aside",
  "renaming-target",
  "target-renamed",
  "dropping-snapshot",
  "taking-away",
  "taken-away",
  "snapshots-dropped",
  "deleting-source",
] as const;
export type HandoverStep = (typeof HANDOVER_STEPS)[number];

/**
 * All that is known of a migration, on disk. Whatever is about to be made is named here before it is made,
 * so that a kill leaves nothing that nobody knows of.
 */
export interface MigrationRecord {
  readonly version: 1;
  readonly id: string;
  readonly kind: "migrate";
  /** ISO 8601. */
  readonly createdAt: string;
  readonly state: MigrationState;
  readonly source: VolumeEnd;
  readonly target: RecordedTarget;
  /** Where the refs of the two led: places.ts. */
  readonly places?: OfBoth | undefined;
  /** Which places they were, as their drivers identify them. */
  readonly placeIds?: OfBoth | undefined;
  readonly method: string;
  readonly freeze: Freeze;
  readonly settings: MigrationSettings;
  readonly tuning: MigrationTuning;
  /** Hooks that are programs. */
  readonly hooks: Readonly<Partial<Record<HookName, readonly string[]>>>;
  /** Hooks that were functions: a resume has to bring them. */
  readonly functionHooks: readonly HookName[];
  /** The snapshot that the source is read from, and what that is: its name may be given again. */
  readonly snapshot?: string | undefined;
  readonly snapshotIdentity?: string | undefined;
  /** What the source is called after it was set aside. */
  readonly setAside?: string | undefined;
  /** The name, its own alone, that the source has while it is looked at for the last time and removed. */
  readonly removing?: string | undefined;
  /** Names of the source's snapshots that are carried over, and of those that were. */
  readonly snapshots: readonly string[];
  readonly carried: readonly string[];
  /** By their names, the identities that the source's snapshots had when they were compared. */
  readonly compared?: Readonly<Record<string, string>> | undefined;
  /** The `beforeCopy` hook has run. */
  readonly isPrepared: boolean;
  readonly handover: readonly HandoverStep[];
  /** "xxh3:…", of what the target was proven to hold. */
  readonly digest?: string | undefined;
  readonly verified: boolean;
  readonly notices: readonly string[];
  /** The run that works on it, or did last. */
  readonly pid: number;
  readonly begunAt: string;
  readonly endedAt?: string | undefined;
  /** Why the last run ended. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Nothing of it is left to do. */
export function hasEnded({ state }: Pick<MigrationRecord, "state">): boolean {
  return state === "done" || state === "aborted";
}

/** Where the target can be opened now. */
export function openTargetOf({ target, handover }: MigrationRecord): string {
  return handover.includes("target-renamed") ? target.ref : target.temporary;
}

/** Where the source was set aside; undefined where it was not. */
export function setAsideOf({ setAside, handover }: MigrationRecord): string | undefined {
  return handover.includes("set-aside") ? setAside : undefined;
}

/** Where the source is now: to be removed, set aside, or under its own name. */
export function sourceOf(record: MigrationRecord): string {
  const { removing, source, handover } = record;
  const isTakenAway = removing !== undefined && handover.includes("taken-away");
  return isTakenAway ? removing : (setAsideOf(record) ?? source.ref);
}
