import type { CopyPlan } from "../copy/plan.js";
import { BlockhaulError } from "../errors.js";
import { GUARD_NAMES, type GuardName } from "../guards/guard.js";
import { isVolumeEnd, type VolumeEnd } from "../volume-end.js";

/** What a job was told, and does again when it is resumed. See CopyOptions. */
export interface JobOptions
  extends Omit<CopyPlan, "source" | "target" | "size" | "method" | "digest" | "journal"> {
  readonly manifest?: string | undefined;
  readonly allow?: readonly GuardName[] | undefined;
  /** The migration that it is a part of. */
  readonly partOf?: string | undefined;
}

/** What a journal's header says of its job, as JSON. */
export interface JobRecord {
  readonly version: 1;
  readonly id: string;
  readonly kind: "copy";
  /** ISO 8601. */
  readonly createdAt: string;
  readonly source: VolumeEnd;
  readonly target: VolumeEnd;
  readonly options: JobOptions;
}

/** A run of a job began. */
export interface BegunNote {
  readonly type: "begun";
  readonly at: string;
  readonly pid: number;
  /** Of the host's start during which it began. */
  readonly bootId: string;
  /** What a cluster calls this run, where the target is one of its images. */
  readonly client?: string | undefined;
  /** The source's stamp before the run read of it: while it stays, nobody has written to the source. */
  readonly sourceStamp?: string | undefined;
}

const END_STATES = ["done", "failed", "interrupted", "superseded"] as const;
export type EndState = (typeof END_STATES)[number];

/** A run of a job ended, or somebody found that the job can never go on. */
export interface EndedNote {
  readonly type: "ended";
  readonly at: string;
  readonly state: EndState;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** "xxh3:…", of a job that is done. */
  readonly digest?: string | undefined;
}

export type JobNote = BegunNote | EndedNote;

/** The error of a note, without what belongs to this process alone. */
export function noteError({ code, message }: BlockhaulError): EndedNote["error"] {
  return { code, message };
}

/**
 * Whether what a job recorded may be gone on from after its last run ended so. An end that was replaced, or a source
 * that was written to, leaves a record of what is not there.
 */
export function isResumableAfter({ code }: { readonly code: string }): boolean {
  return code !== "ERR_VOLUME_CHANGED" && code !== "ERR_LIVE_SOURCE";
}

/** The record that a header holds; undefined where it is none of this version. */
export function parseJobRecord(json: string): JobRecord | undefined {
  const value = parse(json);
  if (value === undefined || value.version !== 1 || value.kind !== "copy") return undefined;
  const { id, createdAt, source, target, options } = value;
  const isSound =
    isId(id) &&
    isMoment(createdAt) &&
    isVolumeEnd(source) &&
    isVolumeEnd(target) &&
    isJobOptions(options);
  return isSound ? (value as unknown as JobRecord) : undefined;
}

type Check = (value: unknown) => boolean;

const isFlag: Check = (value) => typeof value === "boolean";
const isAmount: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isId: Check = (value) => typeof value === "string" && /^[a-z0-9]{8}$/.test(value);
const isMoment: Check = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));

/** Of every option; what they may be beside their types, the copy checks that is told them. */
const OPTION_CHECKS: Readonly<Record<keyof Required<JobOptions>, Check>> = {
  requests: isAmount,
  requestSize: isAmount,
  memory: isAmount,
  threads: isAmount,
  useExtents: isFlag,
  bandwidthLimit: isAmount,
  iopsLimit: isAmount,
  retries: isAmount,
  requestTimeoutMs: isAmount,
  stallLimitMs: isAmount,
  salvage: isFlag,
  verify: (value) => isFlag(value) || value === "source",
  repair: isFlag,
  checkpointIntervalMs: isAmount,
  manifest: isTextOrMissing,
  allow: (value) => value === undefined || isGuardNames(value),
  partOf: (value) => value === undefined || isId(value),
};

function isJobOptions(options: unknown): boolean {
  if (typeof options !== "object" || options === null) return false;
  const given = options as Parsed;
  return (
    Object.keys(given).every((name) => Object.hasOwn(OPTION_CHECKS, name)) &&
    Object.entries(OPTION_CHECKS).every(([name, isSound]) => isSound(given[name]))
  );
}

function isGuardNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => GUARD_NAMES.includes(name));
}

/**
 * The notes of a journal; what a later version wrote is passed over.
 *
 * @throws BlockhaulError ERR_JOURNAL for a note of ours that says nothing possible: how the job ended is not known then
 */
export function parseNotes(notes: readonly string[]): JobNote[] {
  return notes.flatMap((json) => {
    const note = parse(json);
    if (note?.type !== "begun" && note?.type !== "ended") return [];
    if (note.type === "begun" ? isBegun(note) : isEnded(note)) return [note as unknown as JobNote];
    throw new BlockhaulError("ERR_JOURNAL", {
      message: `a note of the journal is damaged: ${json.slice(0, 200)}`,
    });
  });
}

type Parsed = Readonly<Record<string, unknown>>;

function isBegun({ at, pid, bootId, client, sourceStamp }: Parsed): boolean {
  return (
    typeof at === "string" &&
    Number.isSafeInteger(pid) &&
    typeof bootId === "string" &&
    isTextOrMissing(client) &&
    isTextOrMissing(sourceStamp)
  );
}

function isEnded({ at, state, error, digest }: Parsed): boolean {
  return (
    typeof at === "string" &&
    (END_STATES as readonly unknown[]).includes(state) &&
    (error === undefined || isNotedError(error)) &&
    isTextOrMissing(digest)
  );
}

function isNotedError(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, message } = error as Parsed;
  return typeof code === "string" && typeof message === "string";
}

function isTextOrMissing(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function parse(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
