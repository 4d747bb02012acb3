/** Whether both ends of a copy are still the volumes that were named: docs/decisions/0020-ends-looked-up-again.md. */
import { setTimeout as sleep } from "node:timers/promises";

import type { VolumeLook } from "../driver.js";
import { BlockhaulError, type Side, toBlockhaulError } from "../errors.js";
import { sizeInWords } from "../units.js";
import { checksOf, type Volume } from "../volume.js";

/** What is known of writes to the source while it was copied. */
export type SourceWrites =
  /** Its storage shows that there was none, or it is a snapshot. */
  | "none"
  /** It was in use, or was written to, which the guard `live-source` was told to allow. */
  | "allowed"
  /** Its storage keeps no account that could tell. */
  | "unknown";

/** One end, as it was when it was first looked at. */
export class End {
  readonly volume: Volume;
  readonly #side: Side | undefined;
  readonly #deadlineMs: number;
  #first: VolumeLook | undefined;

  private constructor(volume: Volume, side: Side | undefined, deadlineMs: number) {
    this.volume = volume;
    this.#side = side;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Looks an end up for the first time. What has its name has to be what was opened.
   *
   * @param deadlineMs how long one look may take; 0: for ever
   * @throws BlockhaulError ERR_VOLUME_CHANGED; what the look meets: an end of which nobody knows is not fine
   */
  static async begin(volume: Volume, side: Side | undefined, deadlineMs: number): Promise<End> {
    const end = new End(volume, side, deadlineMs);
    const { identity } = volume.info;
    end.#first = await end.#look({ identity, size: volume.size });
    return end;
  }

  /** Its driver can tell what has its name. */
  get isIdentified(): boolean {
    return checksOf(this.volume).identify !== undefined;
  }

  /** As the first look found it: `born` tells it from another that gets its identity later. */
  get first(): VolumeLook | undefined {
    return this.#first;
  }

  /** @throws BlockhaulError as `begin` */
  async check(): Promise<void> {
    if (this.#first !== undefined) await this.#look(this.#first);
  }

  /**
   * The text that is another after a write; undefined where nothing can tell.
   *
   * @throws BlockhaulError what asking meets
   */
  async writeStamp(): Promise<string | undefined> {
    const { writeStamp } = checksOf(this.volume);
    if (writeStamp === undefined) return undefined;
    return this.#within(writeStamp());
  }

  /**
   * That nobody wrote to a volume while it was read back.
   *
   * @param before its stamp from before the reading
   * @throws BlockhaulError ERR_VOLUME_CHANGED
   */
  async checkUnwritten(before: string): Promise<void> {
    if ((await this.writeStamp()) === before) return;
    throw new BlockhaulError("ERR_VOLUME_CHANGED", {
      side: this.#side,
      volume: this.volume.ref,
      operation: "verify",
      message: "it was written to while it was read, so that what was found may be gone",
    });
  }

  async #look(expected: VolumeLook): Promise<VolumeLook | undefined> {
    const { identify } = checksOf(this.volume);
    if (identify === undefined) return undefined;
    const found = await this.#within(unlessNotFound(identify()));
    const difference = differenceOf(expected, found);
    if (difference === undefined) return found;
    throw new BlockhaulError("ERR_VOLUME_CHANGED", {
      side: this.#side,
      volume: this.volume.ref,
      operation: "identify",
      message: difference,
    });
  }

  async #within<Result>(answer: Promise<Result>): Promise<Result> {
    const { ref: volume } = this.volume;
    const about = { side: this.#side, volume, operation: "identify" } as const;
    const stop = new AbortController();
    const late = async () => {
      await sleep(this.#deadlineMs, undefined, { signal: stop.signal, ref: false });
      const message = `no answer in ${this.#deadlineMs / 1000} s to what has its name now`;
      throw new BlockhaulError("ERR_TIMEOUT", { ...about, message });
    };
    try {
      return await (this.#deadlineMs === 0 ? answer : Promise.race([answer, late()]));
    } catch (error) {
      throw toBlockhaulError(error).withContext(about);
    } finally {
      stop.abort();
    }
  }
}

/** The refs of ends that no driver can look up. */
export function refsNotIdentified(ends: readonly End[]): string[] {
  return ends.filter(({ isIdentified }) => !isIdentified).map(({ volume }) => volume.ref);
}

/** Volumes that are only read, to be compared or for their digests. */
export class ReadEnds {
  readonly #ends: readonly { readonly end: End; readonly stamp: string | undefined }[];

  private constructor(ends: readonly { end: End; stamp: string | undefined }[]) {
    this.#ends = ends;
  }

  /** To be called before the first byte is read. */
  static async begin(
    volumes: readonly { readonly volume: Volume; readonly side?: Side }[],
    deadlineMs: number,
  ): Promise<ReadEnds> {
    const ends = [];
    for (const { volume, side } of volumes) {
      const end = await End.begin(volume, side, deadlineMs);
      ends.push({ end, stamp: await stampOfSource(end) });
    }
    return new ReadEnds(ends);
  }

  /**
   * That all are what was named, and that nobody wrote to one while it was read, as far as its storage tells.
   *
   * @throws BlockhaulError ERR_VOLUME_CHANGED, and what the looks meet
   */
  async check(): Promise<void> {
    for (const { end } of this.#ends) await end.check();
    for (const { end, stamp } of this.#ends) {
      if (stamp !== undefined) await end.checkUnwritten(stamp);
    }
  }

  /** What the report says of what nobody can tell. */
  get unknowns(): ReadUnknowns {
    const untold = this.#ends.filter(
      ({ end, stamp }) => stamp === undefined && !end.volume.info.snapshot,
    );
    return {
      notIdentified: refsNotIdentified(this.#ends.map(({ end }) => end)),
      writesUnknown: untold.map(({ end }) => end.volume.ref),
    };
  }
}

/** What nobody can tell of volumes that were read. */
export interface ReadUnknowns {
  /** Refs of volumes whose driver cannot tell what has their name after they were read. */
  readonly notIdentified: readonly string[];
  /** Refs of volumes whose storage keeps no account of writes: somebody may have written to them meanwhile. */
  readonly writesUnknown: readonly string[];
}

/** Both ends of a copy. */
export class Ends {
  readonly source: End;
  readonly target: End;
  readonly #stamp: string | undefined;

  private constructor(source: End, target: End, stamp: string | undefined) {
    this.source = source;
    this.target = target;
    this.#stamp = stamp;
  }

  /** To be called before the guards look who writes to the source: no write falls between the two. */
  static async begin(source: Volume, target: Volume, deadlineMs: number): Promise<Ends> {
    const from = await End.begin(source, "source", deadlineMs);
    const to = await End.begin(target, "target", deadlineMs);
    return new Ends(from, to, await stampOfSource(from));
  }

  /** The source's text from before the first byte that is another after a write: see `End.writeStamp`. */
  get sourceStamp(): string | undefined {
    return this.#stamp;
  }

  /** The refs of ends that no driver can look up. */
  get notIdentified(): string[] {
    return refsNotIdentified([this.source, this.target]);
  }

  /** @throws BlockhaulError ERR_VOLUME_CHANGED, and what the looks meet */
  async check(): Promise<void> {
    await this.source.check();
    await this.target.check();
  }

  /**
   * Whether anybody wrote to the source since the first look. A source that is not what it was is no source that was
   * written to: `check` comes first.
   *
   * @param isAllowed that somebody writes is known, and accepted
   * @throws BlockhaulError ERR_LIVE_SOURCE
   */
  async checkWrites(isAllowed: boolean): Promise<SourceWrites> {
    if (isAllowed) return "allowed";
    const { volume } = this.source;
    if (this.#stamp === undefined) return volume.info.snapshot ? "none" : "unknown";
    const now = await stampOfSource(this.source);
    if (now === this.#stamp) return "none";
    throw new BlockhaulError("ERR_LIVE_SOURCE", {
      side: "source",
      volume: volume.ref,
      message:
        "it was written to while it was copied, or its storage cannot rule that out any more",
      hint: "end what writes to it, and begin the copy anew; to accept a mixture of several moments: --allow-live-source",
    });
  }
}

/** What must not pass unnoticed while something is done; a look that fails is left to the one at its end. */
export async function whileSame<Result>(
  ends: readonly End[],
  { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal | undefined },
  action: (signal: AbortSignal | undefined) => Promise<Result>,
): Promise<Result> {
  if (intervalMs === 0) return action(signal);
  const changed = new AbortController();
  const done = new AbortController();
  const watch = async () => {
    for (;;) {
      await sleep(intervalMs, undefined, { signal: done.signal, ref: false });
      for (const end of ends) {
        await end.check().catch((error: unknown) => {
          if (toBlockhaulError(error).code === "ERR_VOLUME_CHANGED") changed.abort(error);
        });
      }
      if (changed.signal.aborted) return;
    }
  };
  const watching = watch().catch(() => {});
  try {
    return await action(AbortSignal.any([changed.signal, ...(signal ? [signal] : [])]));
  } catch (error) {
    const isOurs = changed.signal.aborted && toBlockhaulError(error).code === "ERR_CANCELLED";
    throw isOurs && !signal?.aborted ? changed.signal.reason : error;
  } finally {
    done.abort();
    await watching;
  }
}

/** Nobody can write to a snapshot. */
function stampOfSource(source: End): Promise<string | undefined> {
  return source.volume.info.snapshot ? Promise.resolve(undefined) : source.writeStamp();
}

async function unlessNotFound(look: Promise<VolumeLook | undefined>) {
  try {
    return await look;
  } catch (error) {
    if (toBlockhaulError(error).code === "ERR_NOT_FOUND") return undefined;
    throw error;
  }
}

/** In words what is not as it was; undefined where all is. What was known, and is not any more, is not the same. */
export function differenceOf(
  expected: VolumeLook,
  found: VolumeLook | undefined,
): string | undefined {
  if (found === undefined) {
    return `nothing has its name any more: it was ${expected.identity}, and was removed or renamed`;
  }
  if (found.identity !== expected.identity) {
    return `another volume has its name: ${found.identity}, and it was ${expected.identity}`;
  }
  if (found.size !== expected.size) {
    return `it has ${sizeInWords(found.size)} now, and had ${sizeInWords(expected.size)}`;
  }
  for (const [key, what] of [
    ["born", "was made"],
    ["attached", "is attached as"],
  ] as const) {
    const before = expected[key];
    if (before === undefined || found[key] === before) continue;
    return `another volume has its name: it ${what} ${found[key] ?? "nobody knows"}, not ${before}`;
  }
  return differenceOfNames(expected.names, found.names);
}

function differenceOfNames(
  expected: VolumeLook["names"],
  found: VolumeLook["names"],
): string | undefined {
  if (expected === undefined) return undefined;
  if (found === undefined) return "nobody can say any more which disk it is on";
  for (const [part, before] of Object.entries(expected)) {
    const now = found[part];
    if (now === undefined || now === before) continue;
    return `another volume has its place: its disk says that it is ${now}, and was ${before}`;
  }
  return undefined;
}
