import type { CopyControl, CopyLimits } from "../copy/control.js";
import type { CopyProgress } from "../copy/engine.js";
import type { CopyOptions } from "../copy/plan.js";
import type { CopyReport } from "../copy/report.js";
import type { Provisioning } from "../driver.js";
import type { BlockhaulError } from "../errors.js";
import type { GuardName } from "../guards/guard.js";

/** What a migration goes through, in this order; `aborted` and `done` are ends. */
export const MIGRATION_STATES = [
  "planned",
  "creating",
  "freezing",
  "copying",
  "verifying",
  "handing-over",
  "done",
] as const;

export type MigrationState = (typeof MIGRATION_STATES)[number] | "aborting" | "aborted";

/** What a hook is told: of a command, as one line of JSON on its standard input. */
export interface HookFacts {
  readonly hook: HookName;
  /** Of the migration. */
  readonly id: string;
  readonly source: string;
  /** Where the source can be opened meanwhile: its snapshot, where one was taken. */
  readonly frozen: string;
  /** What the target will be, or is, called. */
  readonly target: string;
  /** Where it can be opened now: under a temporary name until the hand-over. */
  readonly openTarget: string;
  /** Bytes. */
  readonly size: number;
}

export const HOOK_NAMES = ["beforeCopy", "beforeHandover", "afterHandover"] as const;
export type HookName = (typeof HOOK_NAMES)[number];

/**
 * A program and its arguments, or, in the library, a function. It runs at least once: a migration that was
 * killed while it ran runs it again. One that fails stops the migration where it is; it can be resumed, or
 * aborted. Functions are not kept: a resume has to be given them again.
 */
export type Hook = readonly string[] | ((facts: HookFacts) => Promise<void> | void);

/** What a migration is told, and does again when it is resumed. */
export interface MigrationSettings {
  /** Removes the source at the end. Only after a verification, and after the source was read once more. */
  readonly deleteSource?: boolean | undefined;
  /** Gives the target the source's name, and the source another: `setAside` of the plan. */
  readonly rename?: boolean | undefined;
  /** Carries the source's snapshots over, the oldest first. */
  readonly withSnapshots?: boolean | undefined;
  /**
   * How the source is kept from changing, in place of the best way that its driver knows: by a snapshot, by a claim on its
   * device, or not at all ("none"), where only a look tells whether somebody uses it.
   */
  readonly freeze?: "snapshot" | "exclusive" | "none" | undefined;
  /** "copy": moves every byte with the engine, even where there is a shorter way; "auto" unless told. */
  readonly method?: "auto" | "copy" | undefined;
  readonly provisioning?: Provisioning | undefined;
  /** Of a new target, in bytes: at least the source's, which it is unless told. */
  readonly size?: number | undefined;
  /** Moves the backup of a GPT to the end of a larger target, once that is verified: see `moveGptBackup`. */
  readonly fixGpt?: boolean | undefined;
  /** Further options of the new volume: its driver's `createOptions`. */
  readonly create?: Readonly<Record<string, unknown>> | undefined;
  /** Reads the target back and compares; true unless told. */
  readonly verify?: boolean | undefined;
  /** Guards whose refusal is known and passed over. */
  readonly allow?: readonly GuardName[] | undefined;
}

/** How the bytes are moved. */
export type MigrationTuning = Pick<
  CopyOptions,
  | "requests"
  | "requestSize"
  | "memory"
  | "threads"
  | "digest"
  | "bandwidthLimit"
  | "iopsLimit"
  | "retries"
  | "requestTimeoutMs"
  | "stallLimitMs"
  | "checkpointIntervalMs"
>;

/** How a migration is watched and stopped. */
export interface MigrationWatch {
  readonly stateDirectory?: string | undefined;
  readonly hooks?: Readonly<Partial<Record<HookName, Hook>>> | undefined;
  /** Changes limits, pauses and goes on while bytes are moved. */
  readonly control?: CopyControl | undefined;
  /** In place of what the migration was told of bandwidth and requests. */
  readonly limits?: Pick<CopyLimits, "bandwidthLimit" | "iopsLimit"> | undefined;
  /** Stops it: what is in flight is waited for. It can be resumed, or aborted. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: MigrationEvent) => void) | undefined;
  readonly progressIntervalMs?: number | undefined;
}

export interface MigrateOptions extends MigrationSettings, MigrationTuning, MigrationWatch {}

/** What resumes and aborts are told. */
export interface ResumeMigrationOptions extends MigrationWatch {
  /** Further guards whose refusal is known and passed over. */
  readonly allow?: readonly GuardName[] | undefined;
  /** See ResumeOptions: of a target that was there before the migration. */
  readonly overwrite?: boolean | undefined;
  /** Of a resume: the source is not removed, whatever the migration was told. Refused where a part of it is gone. */
  readonly keepSource?: boolean | undefined;
  /** Of a resume: "copy" moves every byte with the engine, where the shorter way that was planned does not work. */
  readonly method?: "copy" | undefined;
}

/**
 * How the source is kept from changing: by a snapshot that is taken; by claiming its device; or only by
 * looking who uses it, at the start and at the end. "frozen": it is a snapshot itself.
 */
export type Freeze = "snapshot" | "exclusive" | "guarded" | "frozen";

/** What a migration will do. Sizes are bytes. */
export interface MigrationPlan {
  /** As it was written. */
  readonly source: string;
  /** "BACKEND:NAME" */
  readonly target: string;
  readonly sourceDriver: string;
  readonly targetDriver: string;
  /** The names of the backends, where the ends belong to any. */
  readonly sourceBackend: string | undefined;
  readonly targetBackend: string | undefined;
  /** What the target is called until the hand-over; undefined where it is there already. */
  readonly temporary: string | undefined;
  /** What the source will be called, with `rename`. */
  readonly setAside: string | undefined;
  /** Of the source; undefined where it could not be opened. */
  readonly size: number | undefined;
  /** Of the target: the source's size, rounded up to what its backend can have. */
  readonly targetSize: number | undefined;
  /** About how much has to be moved: what the source's map calls data. */
  readonly dataSize: number | undefined;
  /** Free at the target, and of how much; undefined where its driver does not know. */
  readonly free: number | undefined;
  readonly capacity: number | undefined;
  /** The same text for targets that take their space from one place, whatever backends; undefined of no backend. */
  readonly room: string | undefined;
  /** "copy", or the name of a shorter way: "reflink". */
  readonly method: string;
  readonly freeze: Freeze;
  /** The snapshots that are carried over, the oldest first. */
  readonly snapshots: readonly string[];
  readonly provisioning: Provisioning | undefined;
  readonly settings: MigrationSettings;
  /** Why it would be refused: all of it, found out without changing anything. */
  readonly problems: readonly BlockhaulError[];
  /** What is worth knowing: a target that is larger, holes that will not be kept. */
  readonly notices: readonly string[];
}

/** A plan that is still being made. */
export type Findings = {
  -readonly [Key in keyof MigrationPlan]: MigrationPlan[Key];
} & { readonly problems: BlockhaulError[]; readonly notices: string[] };

/** How a migration ended. */
export interface MigrationReport {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly state: "done" | "aborted";
  /** Bytes. */
  readonly size: number;
  readonly targetSize: number;
  readonly method: string;
  /** "xxh3:…", of the source; undefined where nothing was verified nor digested. */
  readonly digest: string | undefined;
  readonly verified: boolean;
  /** What became of the source: "kept", under its name; "set aside", under `setAside`; "deleted". */
  readonly sourceIs: "kept" | "set aside" | "deleted";
  readonly setAside: string | undefined;
  readonly snapshots: readonly string[];
  /** Of the bytes that the engine moved; undefined of a shorter way. */
  readonly copy: CopyReport | undefined;
  readonly notices: readonly string[];
  readonly seconds: number;
}

/** What happens in a migration, as it happens. */
export type MigrationEvent =
  | { readonly type: "planned"; readonly plan: MigrationPlan }
  /** It is recorded from here on: it can be resumed and aborted by its id. */
  | { readonly type: "begun"; readonly id: string }
  | { readonly type: "state"; readonly id: string; readonly state: MigrationState }
  | { readonly type: "progress"; readonly id: string; readonly progress: CopyProgress }
  | { readonly type: "notice"; readonly id: string; readonly message: string }
  | {
      readonly type: "hook";
      readonly id: string;
      readonly hook: HookName;
      readonly state: "begun" | "done";
    };
