/** Many migrations as one plan: what is asked for, what is found wrong with it, and what became of it. */
import type { ErrorCode } from "../error-codes.js";
import type { BlockhaulError } from "../errors.js";
import type {
  MigrationEvent,
  MigrationPlan,
  MigrationReport,
  MigrationSettings,
  MigrationTuning,
  MigrationWatch,
} from "./types.js";

/** Of one move; functions as hooks only in the library. */
export interface MoveOptions
  extends MigrationSettings,
    MigrationTuning,
    Pick<MigrationWatch, "hooks"> {}

/** One migration of a plan. */
export interface Move {
  /** No other move nor group has it; `source` unless told. */
  readonly name?: string | undefined;
  /** A ref. */
  readonly source: string;
  /** "BACKEND", "BACKEND:NAME" or any other ref. */
  readonly target: string;
  readonly group?: string | undefined;
  /** Moves and groups that have to be done before. */
  readonly after?: readonly string[] | undefined;
  readonly options?: MoveOptions | undefined;
  /** Where it was read, for messages: "plan.yaml:12:5". */
  readonly at?: string | undefined;
}

export interface MoveGroup {
  /** Moves and groups that have to be done before any of its own. */
  readonly after?: readonly string[] | undefined;
  /** Of its moves at once; as many as the plan allows unless told. */
  readonly parallel?: number | undefined;
}

/** Migrations that belong together. */
export interface ManyPlan {
  /** Moves at once, from 1 to 64; 1 unless told. */
  readonly parallel?: number | undefined;
  /** Goes on with what does not need a move that failed; unless told, nothing new is begun after a failure. */
  readonly continueOnError?: boolean | undefined;
  readonly groups?: Readonly<Record<string, MoveGroup>> | undefined;
  readonly moves: readonly Move[];
}

/** A plan as a file has it. */
export interface ReadPlan extends ManyPlan {
  /** What is wrong with the file; `moves` is what could be understood all the same. */
  readonly faults: readonly MoveFault[];
  /** Names of moves and groups that could not be: others may refer to them. */
  readonly unread: readonly string[];
}

/** Why a plan cannot be carried out. */
export interface MoveFault {
  /** The move's name; undefined of what concerns the plan. */
  readonly move: string | undefined;
  /** Where in the file: "plan.yaml:12:5". */
  readonly at: string | undefined;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** What is known of a move before anything is touched. */
export interface CheckedMove {
  readonly name: string;
  readonly move: Move;
  /** "BACKEND:NAME", as far as it could be found out. */
  readonly target: string;
  /** The names of the moves that have to be done before. */
  readonly needs: readonly string[];
  /** Undefined where not even a plan could be made: there is a fault then. */
  readonly plan: MigrationPlan | undefined;
  /** What an earlier run of the same plan left: it is resumed, or was done. */
  readonly earlier: EarlierMigration | undefined;
  /** Bytes that it will take at its target, as far as can be told. */
  readonly space: number;
  /** Bytes a second at the most: of the move and of both its backends; 0: no limit. */
  readonly bandwidthLimit: number;
  /** What it takes a share of while it runs, by name: of all, its group's, its backends', its source's. */
  readonly shares: readonly string[];
}

/** A plan after a look at all that it names. Nothing was changed. */
export interface CheckedPlan {
  readonly moves: readonly CheckedMove[];
  /** All that is wrong; empty: it can be carried out. */
  readonly faults: readonly MoveFault[];
  readonly continueOnError: boolean;
  /** How many moves may have a share of each at once. */
  readonly shares: ReadonlyMap<string, number>;
}

/** A migration that was begun by an earlier run. */
export interface EarlierMigration {
  readonly id: string;
  /** "running": a process works on it right now; "cut short": it can be resumed. */
  readonly state: "running" | "cut short" | "done";
}

/**
 * "skipped": not begun, since something it needs was not done, or since nothing new was begun any more;
 * "interrupted": stopped on request: the same plan goes on with it.
 */
export type MoveState = "waiting" | "running" | "done" | "failed" | "skipped" | "interrupted";

/** What happens while a plan is carried out, as it happens. */
export type ManyEvent =
  | { readonly type: "move"; readonly name: string; readonly event: MigrationEvent }
  | {
      readonly type: "moveState";
      readonly name: string;
      readonly state: MoveState;
      /** Why it is skipped; "resumed" and "done before" of what an earlier run began. */
      readonly reason?: string | undefined;
      readonly error?: BlockhaulError | undefined;
    };

/** What became of a move. */
export interface MoveReport {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly state: "done" | "failed" | "skipped" | "interrupted";
  readonly reason: string | undefined;
  /** Of the migration: what `resume` and `abort` take; undefined where none was begun. */
  readonly id: string | undefined;
  /** Bytes; undefined where the source could not be looked at. */
  readonly size: number | undefined;
  readonly digest: string | undefined;
  readonly seconds: number;
  readonly error: BlockhaulError | undefined;
  readonly report: MigrationReport | undefined;
}

/** What became of a plan. */
export interface ManyReport {
  /** In the order of the plan. */
  readonly moves: readonly MoveReport[];
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  readonly interrupted: number;
  /** Bytes of the volumes that were moved by this run. */
  readonly size: number;
  readonly seconds: number;
}

/** How a plan is checked. */
export interface CheckPlanOptions {
  /** Where migrations are recorded; the host's place for it unless told. */
  readonly stateDirectory?: string | undefined;
  /** Called as moves are looked at: how many of how many are done. */
  readonly onLook?: ((looked: number, moves: number) => void) | undefined;
}

/** How a plan is carried out. */
export interface ManyOptions extends CheckPlanOptions {
  /** In place of what the plan says. */
  readonly parallel?: number | undefined;
  readonly continueOnError?: boolean | undefined;
  /** Begins nothing new, and stops the moves that run. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ManyEvent) => void) | undefined;
  readonly progressIntervalMs?: number | undefined;
}
