/** What is wrong with a configuration: all of it is gathered before anything is said. */
import { BlockhaulError, type ConfigFault } from "../errors.js";

/** Both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Whoever has mended so many looks again. */
const MOST_FAULTS = 100;

/** The faults of one file, or of one that cannot be read at all; of very many, the first. */
export class Faults {
  readonly file: string;
  readonly #found: ConfigFault[] = [];
  readonly #known = new Set<string>();

  constructor(file: string) {
    this.file = file;
  }

  get found(): readonly ConfigFault[] {
    return this.#found;
  }

  /** There are more than anybody reads: no further one is noted. */
  get isFull(): boolean {
    return this.#found.length > MOST_FAULTS;
  }

  add(at: Position | undefined, message: string): void {
    if (this.isFull) return;
    // What an alias repeats is one fault.
    const key = `${at?.line}:${at?.column} ${message}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    const isLast = this.#found.length === MOST_FAULTS;
    this.#found.push({
      file: this.file,
      ...at,
      message: isLast ? "there are more faults than these: mend them first" : message,
    });
  }
}

/** @throws BlockhaulError ERR_CONFIG with every fault, in the order of the files and their lines */
export function throwFaults(all: readonly Faults[]): void {
  const faults = all.flatMap(({ found }) => [...found].sort(byPlace));
  if (faults.length > 0) throw configError(faults);
}

/** One error of all faults; there is one at the least. */
export function configError(faults: readonly ConfigFault[]): BlockhaulError {
  const texts = faults.map(describeFault);
  const message =
    texts.length === 1
      ? (texts[0] as string)
      : `the configuration has ${texts.length} faults: ${texts.join("; ")}`;
  return new BlockhaulError("ERR_CONFIG", { message, faults });
}

/** "blockhaul.yaml:3:5: there is no key pol; did you mean pool?" */
function describeFault({ file, line, column, message }: ConfigFault): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  return `${place}: ${message}`;
}

function byPlace(a: ConfigFault, b: ConfigFault): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** A key or a name for a message; what looks like none could hold anything, a secret too. */
export function shown(name: string): string {
  return /^[\w@./+-]{1,64}$/.test(name) ? `"${name}"` : "of that name";
}
