import type { ContestResult } from "../../../bench/contest.mjs";
import type { Result } from "../../../bench/result.mjs";
import { judge } from "../../../bench/targets.mjs";

const mib = 2 ** 20;

/** An entry whose runs took so many seconds, a tenth of them in the processor. */
export const entry = (
  name: string,
  walls: readonly number[],
  { cpu = 0.1, memory = 100 } = {},
) => ({
  name,
  settings: `how ${name} is run`,
  runs: walls.map((wall) => ({
    wall,
    user: wall * cpu * 0.75,
    system: wall * cpu * 0.25,
    memory: memory * mib,
    read: 2048 * mib,
    written: 2048 * mib,
    cluster: wall,
  })),
});

export const contest = (id: string, entries: ContestResult["entries"]): ContestResult => ({
  id,
  title: `title of ${id}`,
  gib: id.startsWith("empty") ? 0 : 2,
  librbd: id.includes("rbd"),
  entries,
});

export const result = (contests: ContestResult[], changes: Partial<Result> = {}): Result => ({
  format: 1,
  at: "2026-01-01T00:00:00.000Z",
  options: { quick: false, scale: 1, rounds: 3, seed: 7 },
  machine: {
    cpu: "a processor",
    cores: 2,
    memory: 2 ** 34,
    system: "a system",
    kernel: "6.1",
    disk: "ext4 rw",
    commit: "abc",
    versions: { "qemu-img": "7.2" },
  },
  contests,
  native: [],
  verdicts: judge(contests),
  failures: [],
  ...changes,
});
