import { BlockhaulError } from "../errors.js";
import type { NativeRegionLock } from "../native-host.js";
import { sizeInWords } from "../units.js";
import { openVolume, type Volume } from "../volume.js";
import { runHook } from "./hooks.js";
import { identityOf } from "./identity.js";
import {
  type HandoverStep,
  type MigrationRecord,
  openTargetOf,
  setAsideOf,
  sourceOf,
} from "./record.js";
import type { MigrationStore } from "./store.js";
import { type NamedVolume, nameVolume } from "./target-name.js";
import type { HookName, MigrationEvent, MigrationState, ResumeMigrationOptions } from "./types.js";

/**
 * A migration that this process works on: its record, what is open for it, and who watches. Nobody else
 * works on it until it is closed.
 */
export class Migration {
  readonly store: MigrationStore;
  readonly watch: ResumeMigrationOptions;
  /** Another run began it. */
  readonly isResumed: boolean;
  /** That run had no end of its own: what it had open, a cluster may still show. */
  readonly wasKilled: boolean;
  /** Of the source, as this run found it before it was frozen: source-stamp.ts. */
  stamp: string | undefined;
  readonly #holds: readonly (NativeRegionLock | undefined)[];
  readonly #open = new Map<string, Volume>();
  #record: MigrationRecord;
  #saved: Promise<void> = Promise.resolve();

  constructor(
    store: MigrationStore,
    record: MigrationRecord,
    holds: readonly (NativeRegionLock | undefined)[],
    watch: ResumeMigrationOptions,
    isResumed: boolean,
    wasKilled = false,
  ) {
    this.store = store;
    this.isResumed = isResumed;
    this.wasKilled = wasKilled;
    this.watch = watch;
    this.#record = record;
    this.#holds = holds;
  }

  get id(): string {
    return this.#record.id;
  }

  get record(): MigrationRecord {
    return this.#record;
  }

  /** Writes down what has changed: what is next is done when that is on disk. */
  note(changes: Partial<MigrationRecord>): Promise<void> {
    const next = { ...this.#record, ...changes };
    const hasMoved = next.state !== this.#record.state;
    this.#record = next;
    // One after the other: a later text must not be overtaken by an earlier one.
    this.#saved = this.#saved.then(() => this.store.save(next));
    if (hasMoved) this.tell({ type: "state", id: this.id, state: next.state });
    return this.#saved;
  }

  enter(state: MigrationState): Promise<void> {
    return this.#record.state === state ? Promise.resolve() : this.note({ state });
  }

  async notice(message: string): Promise<void> {
    if (this.#record.notices.includes(message)) return;
    await this.note({ notices: [...this.#record.notices, message] });
    this.tell({ type: "notice", id: this.id, message });
  }

  hasDone(step: HandoverStep): boolean {
    return this.#record.handover.includes(step);
  }

  async did(step: HandoverStep, changes: Partial<MigrationRecord> = {}): Promise<void> {
    if (this.hasDone(step)) return;
    await this.note({ ...changes, handover: [...this.#record.handover, step] });
  }

  async didNot(step: HandoverStep): Promise<void> {
    await this.note({ handover: this.#record.handover.filter((one) => one !== step) });
  }

  tell(event: MigrationEvent): void {
    this.watch.onEvent?.(event);
  }

  /** The source, where it is now: under its own name, set aside, or about to be removed. */
  source(): Promise<NamedVolume> {
    return nameVolume(sourceOf(this.#record));
  }

  /** What the bytes are read from; after the source was set aside, the source there. */
  get frozenRef(): string {
    const { snapshot, source } = this.#record;
    return setAsideOf(this.#record) ?? snapshot ?? source.ref;
  }

  /** Where the target can be opened now. */
  get targetRef(): string {
    return openTargetOf(this.#record);
  }

  /** Keeps a volume that is open for it; `close` closes it. */
  keep(name: "target" | "claim", volume: Volume): Volume {
    this.#open.set(name, volume);
    return volume;
  }

  kept(name: "target" | "claim"): Volume | undefined {
    return this.#open.get(name);
  }

  async release(name: "target" | "claim"): Promise<void> {
    const volume = this.#open.get(name);
    this.#open.delete(name);
    await volume?.close();
  }

  async runHook(hook: HookName): Promise<void> {
    const { record, watch, id } = this;
    const command = watch.hooks?.[hook] ?? record.hooks[hook];
    if (command === undefined && record.functionHooks.includes(hook)) {
      throw new BlockhaulError("ERR_HOOK", {
        message: `the hook ${hook} was a function: it has to be given again to go on`,
      });
    }
    if (command === undefined) return;
    this.tell({ type: "hook", id, hook, state: "begun" });
    const facts = {
      hook,
      id,
      source: record.source.ref,
      frozen: this.frozenRef,
      target: record.target.ref,
      openTarget: this.targetRef,
      size: record.source.size,
    };
    await runHook(command, facts, watch.signal);
    this.tell({ type: "hook", id, hook, state: "done" });
  }

  /** @throws BlockhaulError ERR_CANCELLED */
  throwIfStopped(): void {
    const { signal } = this.watch;
    if (!signal?.aborted) return;
    throw new BlockhaulError("ERR_CANCELLED", {
      operation: "migrate",
      message: "stopped on request",
      cause: signal.reason,
    });
  }

  /** Closes what is open, and lets others work on it. The first error of a close is thrown. */
  async close(): Promise<void> {
    try {
      const closing = [...this.#open.values()].map((volume) => volume.close());
      this.#open.clear();
      const failed = (await Promise.allSettled(closing)).find(
        ({ status }) => status === "rejected",
      );
      if (failed?.status === "rejected") throw failed.reason;
    } finally {
      for (const hold of this.#holds) hold?.release();
    }
  }
}

/**
 * Opens the source, and looks whether it is what the migration began with.
 *
 * @throws BlockhaulError ERR_JOURNAL
 */
export async function openSource(
  migration: Migration,
  options: { readonly exclusive?: boolean } = {},
): Promise<Volume> {
  const source = await migration.source();
  const { signal } = migration.watch;
  const volume = await openVolume(source.ref, { ...options, signal });
  const { identity, size } = migration.record.source;
  const isSame = (await identityOf(volume, source)) === identity;
  if (isSame && volume.size === size) return volume;
  await volume.close();
  throw new BlockhaulError("ERR_JOURNAL", {
    side: "source",
    volume: source.ref,
    message: isSame
      ? `it has ${sizeInWords(volume.size)}, and had ${sizeInWords(size)} when the migration began`
      : "it is not the volume that the migration began with",
    hint: `\`blockhaul abort ${migration.id}\` takes back what was made of the target`,
  });
}

/** Looks whether the source is what the migration began with. @throws BlockhaulError ERR_JOURNAL, ERR_NOT_FOUND */
export async function checkSource(migration: Migration): Promise<void> {
  await (await openSource(migration)).close();
}
