import { BlockhaulError } from "../errors.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import type { NativeCopyJob } from "../native.js";
import { onlyGiven } from "../only-given.js";
import { toBytes } from "../volume/arguments.js";

/** What can be changed while a copy runs; 0: no limit. */
export interface CopyLimits {
  /** Bytes a second. */
  readonly bandwidthLimit?: number | undefined;
  /** Requests to the source a second. */
  readonly iopsLimit?: number | undefined;
  readonly paused?: boolean | undefined;
}

export const LIMIT_KEYS: KeysOf<CopyLimits> = {
  bandwidthLimit: true,
  iopsLimit: true,
  paused: true,
};

/**
 * A hand on a copy that runs: give it to `copyVolume` as `control`. What is set before the copy begins
 * counts from its beginning.
 */
export class CopyControl {
  readonly #jobs = new Set<NativeCopyJob>();
  #limits: CopyLimits = {};

  /** Bytes a second; 0: no limit. */
  setBandwidthLimit(bytesPerSecond: number | bigint): void {
    this.set({ bandwidthLimit: toBytes(bytesPerSecond, "bytesPerSecond") });
  }

  /** Requests to the source a second; 0: no limit. */
  setIopsLimit(perSecond: number): void {
    if (!Number.isInteger(perSecond) || perSecond < 0) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: "perSecond must be a whole number from 0 on",
      });
    }
    this.set({ iopsLimit: perSecond });
  }

  /** Begins nothing new until `resume()`; what is in flight ends, and is recorded. */
  pause(): void {
    this.set({ paused: true });
  }

  resume(): void {
    this.set({ paused: false });
  }

  get paused(): boolean {
    return this.#limits.paused ?? false;
  }

  /** What is not named stays as it is. */
  set(limits: CopyLimits): void {
    checkKeys("CopyControl.set", limits, LIMIT_KEYS);
    this.#limits = { ...this.#limits, ...onlyGiven(limits) };
    for (const job of this.#jobs) apply(job, limits);
  }

  /** For the engine's keeper, not for the public. */
  attach(job: NativeCopyJob): void {
    this.#jobs.add(job);
    apply(job, this.#limits);
  }

  detach(job: NativeCopyJob): void {
    this.#jobs.delete(job);
  }
}

function apply(job: NativeCopyJob, { bandwidthLimit, iopsLimit, paused }: CopyLimits): void {
  if (bandwidthLimit !== undefined) job.setBandwidthLimit(bandwidthLimit);
  if (iopsLimit !== undefined) job.setIopsLimit(iopsLimit);
  if (paused !== undefined) job.setPaused(paused);
}
