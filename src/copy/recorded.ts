/** Whether what a journal recorded is still so at both ends, before a copy goes on behind it. */
import { BlockhaulError } from "../errors.js";
import type { Job } from "../jobs/job.js";
import { chunksOf, compareChunks } from "./chunks.js";
import type { EngineWatch, HeldVolume } from "./engine.js";
import { type CopyPlan, planReadBack } from "./plan.js";
import { chunkStart, compareWithJournal, readDigests, withoutBad } from "./verification.js";

/** What of the record is compared, and what is done where the target does not hold it. */
export interface RecheckOptions {
  /** Its storage shows that nobody wrote to the source since the copy began. */
  readonly sourceIsUnwritten: boolean;
  /** Compare only the end of what is recorded; false unless told. */
  readonly fast?: boolean | undefined;
  /** The target is this copy's alone: what it does not hold any more is copied again; false unless told. */
  readonly overwrite?: boolean | undefined;
}

/** What is read back of both ends in any case, in bytes; after a restart of the host, more. */
const WINDOW = 256 * 1024 ** 2;

/**
 * Reads back what is recorded: all of it of the target, which others may have been given, and of the source unless its
 * storage shows that nobody wrote to it. The journal is rewound to what the target does not hold.
 *
 * @returns how many bytes before the frontier the target holds for sure
 * @throws BlockhaulError ERR_JOURNAL where the source is not what was copied, or the target does not hold what was
 *   recorded
 */
export async function recheck(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  options: RecheckOptions,
  watch: EngineWatch,
): Promise<number> {
  const { journal } = job;
  const end = journal.frontier;
  if (end === 0) return 0;
  const window = await beginOfWindow(job);
  const begin = options.fast ? window : 0;
  const found =
    plan.digest === "none"
      ? await compareEnds(job, source, target, plan, { begin, end }, watch)
      : await compareBoth(job, source, target, plan, { begin, end, window, options }, watch);
  if (found === undefined) return end - begin;
  if (!options.overwrite) throw refusal(job, found);
  await journal.rewind(found.offset);
  return journal.frontier;
}

/** What is not so any more, and from where on. */
interface Lost {
  readonly offset: number;
  readonly message: string;
}

interface Recorded {
  readonly begin: number;
  readonly end: number;
  readonly window: number;
  readonly options: RecheckOptions;
}

/** Compares both ends with the journal. */
async function compareBoth(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  { begin, end, window, options }: Recorded,
  watch: EngineWatch,
): Promise<Lost | undefined> {
  const { journal } = job;
  const verifying = { ...watch, phase: "verify" as const };
  const ofSource = { begin: options.sourceIsUnwritten ? window : begin, end };
  const changed = await compareWithJournal(source, journal, plan, ofSource, verifying);
  const [first] = withoutBad(changed.differences, job.contents.bad);
  if (first !== undefined) throw sourceChanged(job, first.offset);
  const found = await compareWithJournal(target, journal, plan, { begin, end }, verifying);
  return lostAt(
    found.differences[0]?.offset,
    "it does not hold what was copied to it: somebody else wrote to it, or its storage lost it",
  );
}

/** Without digests in the journal, both ends are compared with each other. */
async function compareEnds(
  job: Job,
  source: HeldVolume,
  target: HeldVolume,
  plan: CopyPlan,
  range: { readonly begin: number; readonly end: number },
  watch: EngineWatch,
): Promise<Lost | undefined> {
  if (job.contents.bad.length > 0) {
    return lostAt(
      0,
      "nothing tells what was copied to it: the copy took no digests, and met errors",
    );
  }
  const reading = { ...planReadBack(plan), digest: "xxh3" as const };
  const verifying = { ...watch, phase: "verify" as const };
  const one = await readDigests(source, reading, range, verifying);
  try {
    const other = await readDigests(target, reading, range, verifying);
    try {
      const { begin, end } = range;
      const chunks = [one, other].map(({ list }) => chunksOf(list, begin, end)) as [never, never];
      const [first] = await compareChunks(...chunks, begin, end);
      return lostAt(
        first?.offset,
        "it is not like the source as far as the copy came: one of the two was written to",
      );
    } finally {
      other.list.close();
    }
  } finally {
    one.list.close();
  }
}

async function beginOfWindow(job: Job): Promise<number> {
  const end = job.journal.frontier;
  const window = chunkStart(Math.max(0, end - WINDOW));
  if (!(await job.isFromBeforeStart())) return window;
  const { checkpoints } = job.contents;
  return Math.min(window, checkpoints.at(-2) ?? 0);
}

function sourceChanged(job: Job, offset: number): BlockhaulError {
  return new BlockhaulError("ERR_JOURNAL", {
    side: "source",
    volume: job.record.source.ref,
    offset,
    message: "it was written to since the copy began",
    hint: "begin anew, from a snapshot or a source that nobody writes to",
  });
}

function lostAt(offset: number | undefined, message: string): Lost | undefined {
  return offset === undefined ? undefined : { offset, message };
}

function refusal(job: Job, { offset, message }: Lost): BlockhaulError {
  return new BlockhaulError("ERR_JOURNAL", {
    side: "target",
    volume: job.record.target.ref,
    offset,
    message,
    hint: `look at what is on it; where it is this copy's alone, \`blockhaul resume ${job.id} --overwrite\` copies again what is missing`,
  });
}
