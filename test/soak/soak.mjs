// Copies with faults, one after the other and beside each other, until the time is over: memory, descriptors and
// threads must not grow. Run by scripts/test-soak.mjs in a process of its own: node --expose-gc soak.mjs MINUTES SEED

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import {
  BlockhaulError,
  copyVolume,
  listJobs,
  openVolume,
  registerDriver,
  removeJob,
  resumeCopy,
} from "../../dist/index.js";
import { randomFrom } from "../kills/random.mjs";
import { writeSource } from "../kills/source.mjs";
import { digestOf } from "../support/file-digest.mjs";
import { plainDriver } from "../support/plain-driver.mjs";

const minutes = Number(process.argv[2]);
const seed = process.argv[3] ?? "1";
const random = randomFrom(`soak/${seed}`);
const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-soak-"));
const stateDirectory = path.join(folder, "state");
const MiB = 1024 ** 2;
/** Copies after which the process has what it needs: caches, pools, threads of the runtime. */
const WARM_UP = 40;

/** The chance that a request of a `faulty:` source fails. */
let faults = 0;

registerDriver(
  plainDriver({ name: "faulty", summary: "sources that fail now and then", write: false }, () => ({
    size: 24 * MiB,
    identity: "faulty",
    async read(buffer, { position }) {
      const luck = random.share();
      if (luck < faults / 2) throw Object.assign(new Error("no luck"), { errno: 5 });
      if (luck < faults) throw Object.assign(new Error("not now"), { errno: 11 });
      buffer.fill(1 + (position % 251));
    },
  })),
);

const source = path.join(folder, "source.img");
writeSource(source, `soak/${seed}`);
const expected = await digestOf(source);

const counts = { copies: 0, identical: 0, failed: 0, stopped: 0, resumed: 0 };
/** @type {{ memory: number, descriptors: number, threads: number } | undefined} */
let settled;
const end = Date.now() + minutes * 60_000;
while (Date.now() < end || counts.copies < 2 * WARM_UP) {
  await Promise.all([copyFile(), random.chance(0.3) ? copyFaulty() : undefined]);
  if (counts.copies > WARM_UP && settled === undefined) settled = usage();
}
for (const { id } of await listJobs({ stateDirectory })) await removeJob(id, { stateDirectory });
const last = await settledUsage();
rmSync(folder, { recursive: true, force: true });

process.stdout.write(`${JSON.stringify({ ...counts, settled, last })}\n`);
const before = settled ?? last;
if (last.descriptors > before.descriptors) fail("descriptors are left open", before, last);
if (last.threads > before.threads) fail("threads are left", before, last);
if (last.memory > before.memory + 48 * MiB) fail("memory grows", before, last);

/** A copy to a file: let end, or stopped and resumed until it ends. */
async function copyFile() {
  const target = path.join(folder, `target-${counts.copies}.img`);
  counts.copies += 1;
  const stop = random.chance(0.5) ? new AbortController() : undefined;
  const at = random.below(40) * MiB;
  /** @type {string | undefined} */
  let job;
  try {
    await copyBetween(source, target, {
      journal: random.chance(0.7) || stop !== undefined,
      stateDirectory,
      verify: random.chance(0.3),
      checkpointIntervalMs: 10,
      threads: 1 + random.below(3),
      requestSize: 65536 << random.below(6),
      ...(stop === undefined ? {} : { signal: stop.signal, bandwidthLimit: 300 * MiB }),
      onJob: (id) => {
        job = id;
      },
      progressIntervalMs: 5,
      onProgress: ({ done }) => {
        if (done >= at) stop?.abort();
      },
    });
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_CANCELLED") throw error;
    counts.stopped += 1;
    await resumeCopy(job ?? "", { stateDirectory, bandwidthLimit: 0 });
    counts.resumed += 1;
  }
  if ((await digestOf(target)) !== expected) throw new Error(`${target} is not the source's twin`);
  counts.identical += 1;
  rmSync(target);
}

/** A copy of a source that fails: it ends, or ends with an error. */
async function copyFaulty() {
  faults = random.pick([0, 0.05, 0.5]);
  counts.copies += 1;
  try {
    await copyBetween("faulty:", "null:", { retries: 2, salvage: random.chance(0.5) });
  } catch (error) {
    if (!(error instanceof BlockhaulError)) throw error;
    counts.failed += 1;
  }
}

/**
 * @param {string} fromRef
 * @param {string} toRef
 * @param {NonNullable<Parameters<typeof copyVolume>[2]>} options
 */
async function copyBetween(fromRef, toRef, options) {
  const from = await openVolume(fromRef);
  const create = toRef === "null:" ? undefined : { size: from.size };
  const to = await openVolume(toRef, { mode: "write", create });
  try {
    await copyVolume(from, to, options);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/** What was freed is given back by other threads a little later: that is waited for. */
async function settledUsage() {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const now = usage();
    const isFlat =
      settled === undefined ||
      (now.descriptors <= settled.descriptors &&
        now.threads <= settled.threads &&
        now.memory <= settled.memory);
    if (isFlat || Date.now() > deadline) return now;
    await delay(50);
  }
}

function usage() {
  globalThis.gc?.();
  return {
    memory: process.memoryUsage.rss(),
    descriptors: readdirSync("/proc/self/fd").length,
    threads: readdirSync("/proc/self/task").length,
  };
}

/**
 * @param {string} what
 * @param {object} before
 * @param {object} after
 */
function fail(what, before, after) {
  process.stderr.write(`${what}: ${JSON.stringify(before)}, now ${JSON.stringify(after)}\n`);
  process.exitCode = 1;
}
