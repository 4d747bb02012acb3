import type { JobOptions } from "../../src/jobs/record.js";

/** As a copy that was told nothing records them. */
export const jobOptions: JobOptions = {
  requests: 16,
  requestSize: 2 * 1024 ** 2,
  memory: 32 * 1024 ** 2,
  threads: 1,
  useExtents: true,
  bandwidthLimit: 0,
  iopsLimit: 0,
  retries: 5,
  requestTimeoutMs: 300_000,
  stallLimitMs: 300_000,
  salvage: false,
  verify: false,
  repair: false,
  checkpointIntervalMs: 5000,
};
