/** Who holds a lock: the kernel knows, but tells no pid of locks that belong to open descriptors. */
import { readdirSync, readFileSync } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";

import { lockPlace } from "../system/state-directory.js";
import { listFolder } from "../system/sysfs.js";
import { type HostFolders, THIS_HOST } from "./host.js";

export interface LockHolder {
  readonly pid: number;
  /** "node"; "" where it is not told. */
  readonly program: string;
  readonly exclusive: boolean;
  /** Ids of the jobs that it works on, in whatever state directory. */
  readonly jobs: readonly string[];
}

interface HeldLock {
  readonly inode: string;
  readonly exclusive: boolean;
  readonly start: bigint;
  /** The last byte. */
  readonly end: bigint;
}

const TO_THE_END = (1n << 63n) - 1n;

/**
 * Processes that have a lock on a part of a file. Leaves out what this user may not look into: then
 * nobody may be found, though somebody has it.
 */
export async function lockHolders(
  inode: string,
  { start, length }: { readonly start: bigint; readonly length: bigint },
  { proc }: HostFolders = THIS_HOST,
): Promise<LockHolder[]> {
  const holders: LockHolder[] = [];
  for (const pid of await listFolder(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    const locks = locksOf(path.join(proc, pid));
    const held = [...locks.values()].flat();
    const found = held.filter(
      (lock) => lock.inode === inode && lock.start < start + length && start <= lock.end,
    );
    if (found.length === 0) continue;
    const program = await readFile(path.join(proc, pid, "comm"), "latin1").catch(() => "");
    holders.push({
      pid: Number(pid),
      program: program.trimEnd(),
      exclusive: found.some(({ exclusive }) => exclusive),
      jobs: await jobsOf(path.join(proc, pid), locks),
    });
  }
  return holders;
}

/**
 * The locks of a process, by descriptor. Not asynchronous: a host has tens of thousands of descriptors, and on
 * a busy one each wait for a thread would take longer than all of these reads.
 */
function locksOf(process: string): Map<string, HeldLock[]> {
  const found = new Map<string, HeldLock[]>();
  const folder = path.join(process, "fdinfo");
  for (const descriptor of reading(() => readdirSync(folder)) ?? []) {
    const info = reading(() => readFileSync(path.join(folder, descriptor), "latin1")) ?? "";
    if (!info.includes("OFDLCK")) continue;
    found.set(descriptor, parseFdinfoLocks(info));
  }
  return found;
}

/** Undefined where it is gone by now, or hidden. */
function reading<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** "lock:	1: OFDLCK ADVISORY  WRITE -1 00:06:135 1000 1000" */
export function parseFdinfoLocks(text: string): HeldLock[] {
  const lines = text.matchAll(
    /^lock:\s+\d+: OFDLCK\s+\S+\s+(READ|WRITE) \S+ [0-9a-f]+:[0-9a-f]+:(\d+) (\d+) (\d+|EOF)$/gm,
  );
  return [...lines].map(([, kind, inode = "", start = "0", end = "0"]) => ({
    inode,
    exclusive: kind === "WRITE",
    start: BigInt(start),
    end: end === "EOF" ? TO_THE_END : BigInt(end),
  }));
}

/** A job is a place in the file `locks` beside its journal. */
async function jobsOf(
  process: string,
  locks: ReadonlyMap<string, readonly HeldLock[]>,
): Promise<string[]> {
  const jobs: string[] = [];
  for (const [descriptor, held] of locks) {
    const file = await readlink(path.join(process, "fd", descriptor)).catch(() => "");
    if (!file.endsWith("/jobs/locks")) continue;
    // As that process sees its files: it may be in a container.
    const names = await readdir(path.join(process, "root", path.dirname(file))).catch(() => []);
    for (const name of names) {
      const id = path.basename(name, ".journal");
      const place = BigInt(lockPlace(id));
      if (id !== name && held.some(({ start }) => start === place)) jobs.push(id);
    }
  }
  return jobs;
}
