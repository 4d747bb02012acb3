import type { ChunkRun, NativeJournal, Range } from "../native.js";

/** The unit of digest and checkpoint, in bytes. */
export const CHUNK = 4 * 1024 ** 2;

/** Bytes whose chunks are asked of a journal at a time. */
const BATCH = 16 * 1024 * CHUNK;

/** The recorded chunks of a range between boundaries, in order. */
export async function* chunksOf(
  journal: NativeJournal,
  begin: number,
  end: number,
): AsyncGenerator<ChunkRun, void, undefined> {
  for (let from = begin; from < end; from += BATCH) {
    yield* await journal.chunks(from, Math.min(from + BATCH, end));
  }
}

/**
 * Where two lists of chunks differ, each run of bytes as one range. A list that ends early differs in
 * all that is missing.
 *
 * @param begin where both begin, at a boundary
 * @param end where both should end: a boundary, or the volume's end
 */
export async function compareChunks(
  expected: AsyncIterable<ChunkRun>,
  actual: AsyncIterable<ChunkRun>,
  begin: number,
  end: number,
): Promise<Range[]> {
  const [left, right] = [new RunReader(expected), new RunReader(actual)];
  const differences: { offset: number; length: number }[] = [];
  let offset = begin;
  while (offset < end) {
    const [one, other] = [await left.peek(), await right.peek()];
    const chunks = Math.ceil((end - offset) / CHUNK);
    const count = Math.min(one?.count ?? chunks, other?.count ?? chunks, chunks);
    const length = Math.min(count * CHUNK, end - offset);
    if (one === undefined || one.digest !== other?.digest) {
      const last = differences.at(-1);
      if (last !== undefined && last.offset + last.length === offset) last.length += length;
      else differences.push({ offset, length });
    }
    left.take(count);
    right.take(count);
    offset += length;
  }
  return differences;
}

/** Reads runs of chunks, a part of a run at a time. */
class RunReader {
  readonly #runs: AsyncIterator<ChunkRun>;
  #current: ChunkRun | undefined;

  constructor(runs: AsyncIterable<ChunkRun>) {
    this.#runs = runs[Symbol.asyncIterator]();
  }

  async peek(): Promise<ChunkRun | undefined> {
    if (this.#current === undefined || this.#current.count === 0) {
      const next = await this.#runs.next();
      this.#current = next.done ? undefined : next.value;
    }
    return this.#current;
  }

  take(count: number): void {
    if (this.#current === undefined) return;
    this.#current = { ...this.#current, count: this.#current.count - count };
  }
}
