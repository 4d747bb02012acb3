/** What is wrong with a configuration: all of it is gathered before anything is said. */
import { BlockhaulError, type ConfigFault } from "../errors.js";

/** Both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The faults of one file, or of one that cannot be read at all. */
export class Faults {
  readonly file: string;
  readonly #found: ConfigFault[] = [];

  constructor(file: string) {
    this.file = file;
  }

  get found(): readonly ConfigFault[] {
    return this.#found;
  }

  add(at: Position | undefined, message: string): void {
    const known = this.#found.some(
      (fault) =>
        fault.line === at?.line && fault.column === at?.column && fault.message === message,
    );
    // What an alias repeats is one fault.
    if (!known) this.#found.push({ file: this.file, ...at, message });
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

/** "; did you mean pool?" where one of the names is meant, else which there are. */
export function suggestion(given: string, known: readonly string[]): string {
  const [nearest] = known
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.min(3, Math.ceil(name.length / 2)))
    .sort((a, b) => a.distance - b.distance);
  if (nearest !== undefined) return `; did you mean ${nearest.name}?`;
  return known.length === 0 ? "" : `; known are ${known.join(", ")}`;
}

/** How many letters have to be put in, left out or changed. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column += 1) {
      const change = letter === b[column - 1] ? 0 : 1;
      next.push(
        Math.min(
          (row[column] ?? 0) + 1,
          (next[column - 1] ?? 0) + 1,
          (row[column - 1] ?? 0) + change,
        ),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
