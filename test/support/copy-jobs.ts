/** Copies of the command that are cut short, and what is known of them. */
import { type JobStatus, listJobs, showJob } from "blockhaul";
import { expect, vi } from "vitest";

import { RunningCommand } from "./command.js";

const PATIENT = { timeout: 240_000, interval: 20 };

/** Flags of a copy that takes seconds, and writes down often what is done. */
export const SLOW = ["--bwlimit", "8MiB", "--checkpoint-interval", "0.05"];

/** A command at work on a job. */
export interface RunningJob {
  readonly command: RunningCommand;
  readonly id: string;
}

/** Starts a slow copy, and waits until some of it is done and flushed. */
export async function startCopy(
  stateDirectory: string,
  args: readonly string[],
): Promise<RunningJob> {
  const env = { BLOCKHAUL_STATE_DIR: stateDirectory };
  const before = new Set((await listJobs({ stateDirectory })).map(({ id }) => id));
  const command = new RunningCommand(["copy", ...SLOW, ...args], { env });
  let ended = false;
  void command.ended.then(() => {
    ended = true;
  });
  const job = await vi.waitFor(async () => {
    const jobs = await listJobs({ stateDirectory });
    const found = jobs.find(({ id, done }) => !before.has(id) && done > 0);
    // To wait for one that has ended is to wait for ever.
    if (found === undefined && ended) throw new Error((await command.ended).stderr);
    expect(found).toBeDefined();
    return found as JobStatus;
  }, PATIENT);
  return { command, id: job.id };
}

/** Starts a slow copy and ends it in the middle. */
export async function cutCopy(
  stateDirectory: string,
  args: readonly string[],
  signal: NodeJS.Signals = "SIGINT",
): Promise<JobStatus & { readonly stderr: string; readonly status: number | null }> {
  const { command, id } = await startCopy(stateDirectory, args);
  command.process.kill(signal);
  const { stderr, status } = await command.ended;
  const job = await showJob(id, { stateDirectory });
  expect(job).toMatchObject({ state: "interrupted", resumable: true });
  expect(job.done).toBeGreaterThan(0);
  expect(job.done).toBeLessThan(job.size);
  return { ...job, stderr, status };
}
