import { type BlockhaulError, toBlockhaulError } from "../errors.js";
import { checkPlaceOptions } from "./option-keys.js";
import { hasEnded, type MigrationRecord, openTargetOf, setAsideOf } from "./record.js";
import { MigrationStore } from "./store.js";
import type { MigrationState } from "./types.js";

/** What is known of a migration. */
export interface MigrationStatus {
  readonly id: string;
  /**
   * "interrupted": stopped on request, or its process is gone; "failed": by `error`. Both can be resumed, and
   * aborted; of one that began to go back, only the latter. "unreadable": its record says nothing that this
   * version understands, and nothing but `id`, `error` and `file` is known of it.
   */
  readonly state: "running" | "interrupted" | "failed" | "done" | "aborted" | "unreadable";
  /** How far it came. */
  readonly phase: MigrationState | "unreadable";
  readonly resumable: boolean;
  readonly abortable: boolean;
  readonly source: string;
  /** Of the source when it began. */
  readonly sourceIdentity: string;
  readonly target: string;
  /** Once it was made, or opened. */
  readonly targetIdentity: string | undefined;
  /** Where the target can be opened now. */
  readonly openTarget: string;
  /** Bytes. */
  readonly size: number;
  readonly method: string;
  readonly digest: string | undefined;
  readonly verified: boolean;
  readonly setAside: string | undefined;
  readonly notices: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string;
  readonly begunAt: string;
  readonly endedAt: string | undefined;
  readonly pid: number;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  /** Where it is recorded. */
  readonly file: string;
}

/** Every migration that is recorded, the oldest first. */
export async function listMigrations(
  options: { readonly stateDirectory?: string | undefined } = {},
): Promise<MigrationStatus[]> {
  checkPlaceOptions("listMigrations", options);
  const store = new MigrationStore(options.stateDirectory);
  const found: MigrationStatus[] = [];
  for (const id of await store.ids()) {
    const status = await readStatus(store, id);
    if (status !== undefined) found.push(status);
  }
  return found.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

/**
 * One migration; undefined where none has the id.
 *
 * @param id or the beginning of one that no other has
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where several begin like this
 */
export async function findMigration(
  id: string,
  options: { readonly stateDirectory?: string | undefined } = {},
): Promise<MigrationStatus | undefined> {
  checkPlaceOptions("findMigration", options);
  const store = new MigrationStore(options.stateDirectory);
  const whole = await store.find(id);
  return whole === undefined ? undefined : readStatus(store, whole);
}

/** Undefined of one that was just removed. */
async function readStatus(store: MigrationStore, id: string): Promise<MigrationStatus | undefined> {
  try {
    return await statusOf(store, await store.read(id));
  } catch (thrown) {
    const error = toBlockhaulError(thrown);
    return error.code === "ERR_NOT_FOUND" ? undefined : unreadable(store, id, error);
  }
}

function unreadable(
  store: MigrationStore,
  id: string,
  { code, message }: BlockhaulError,
): MigrationStatus {
  return {
    id,
    state: "unreadable",
    phase: "unreadable",
    resumable: false,
    abortable: false,
    source: "",
    sourceIdentity: "",
    target: "",
    targetIdentity: undefined,
    openTarget: "",
    size: 0,
    method: "",
    digest: undefined,
    verified: false,
    setAside: undefined,
    notices: [],
    createdAt: "",
    begunAt: "",
    endedAt: undefined,
    pid: 0,
    error: { code, message },
    file: store.fileOf(id),
  };
}

async function statusOf(store: MigrationStore, record: MigrationRecord): Promise<MigrationStatus> {
  const { state: phase, handover, error } = record;
  const isRunning = !hasEnded(record) && (await store.jobs.isHeld(record.id));
  const wasStopped = error === undefined || error.code === "ERR_CANCELLED";
  const unended = isRunning ? "running" : wasStopped ? "interrupted" : "failed";
  const state = phase === "done" || phase === "aborted" ? phase : unended;
  const isIdle = state === "interrupted" || state === "failed";
  return {
    id: record.id,
    state,
    phase,
    resumable: isIdle && phase !== "aborting",
    abortable: isIdle && !handover.includes("deleting-source"),
    source: record.source.ref,
    sourceIdentity: record.source.identity,
    target: record.target.ref,
    targetIdentity: record.target.identity,
    openTarget: openTargetOf(record),
    size: record.source.size,
    method: record.method,
    digest: record.digest,
    verified: record.verified,
    setAside: setAsideOf(record),
    notices: record.notices,
    createdAt: record.createdAt,
    begunAt: record.begunAt,
    endedAt: record.endedAt,
    pid: record.pid,
    error,
    file: store.fileOf(record.id),
  };
}
