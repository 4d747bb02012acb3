import * as v from "valibot";
import { type Document, isCollection, isMap, isNode, LineCounter, parseDocument } from "yaml";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { onlyGiven } from "../only-given.js";
import { readTrusted } from "../system/trusted.js";
import { duplicatesOf } from "./plan-duplicates.js";
import { explainIssue, type Path } from "./plan-issue.js";
import { type MoveSettings, type PlanSettings, planSchema } from "./plan-schema.js";

// One module to load for all that knows the schemas.
export { faultsOfObject } from "./plan-object.js";

import type { Move, MoveFault, MoveOptions, ReadPlan } from "./plan-types.js";

/** Bytes: 10,000 moves of 400 each. What is larger takes long to be understood, and names more than may be. */
const LARGEST = 4 * 1024 ** 2;
/** Whoever has mended so many looks again. */
const MOST_FAULTS = 100;
const TOO_DEEP = "it is nested too deeply, or there is too much in it";

/**
 * As `readPlan` of the API. A plan names volumes to remove and programs to run.
 *
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IO; ERR_PERMISSION also where somebody else could have written it;
 *   ERR_INVALID_ARGUMENT for what is larger than 4 MiB, or no file
 */
export async function readPlanFile(file: string): Promise<ReadPlan> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readTrusted(file, LARGEST);
  } catch (error) {
    const refused = toBlockhaulError(error, { volume: file, operation: "open" });
    if (refused.code !== "ERR_INVALID_ARGUMENT") throw refused;
    throw refused.withContext({ hint: "a plan is a file of up to 4 MiB: split it into several" });
  }
  if (bytes === undefined) {
    const message = "No such file or directory";
    throw new BlockhaulError("ERR_NOT_FOUND", { volume: file, operation: "open", message });
  }
  return parsePlan(new TextDecoder().decode(bytes), file);
}

/** @param file for messages */
export function parsePlan(text: string, file: string): ReadPlan {
  const lines = new LineCounter();
  const positionOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  try {
    const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false } as const;
    return new PlanReader(parseDocument(text, options), positionOf).read();
  } catch (error) {
    // Of the stack, which does not hold its depth.
    if (!(error instanceof RangeError)) throw error;
    return { moves: [], faults: [faultAt(file, TOO_DEEP)], unread: [] };
  }
}

function faultAt(at: string, message: string): MoveFault {
  return { move: undefined, at, code: "ERR_INVALID_ARGUMENT", message, hint: undefined };
}

/** Checks a document, takes out what is wrong with it, and checks the rest, until nothing is. */
class PlanReader {
  readonly #document: Document;
  readonly #positionOf: (offset: number) => string;
  readonly #wrong: { readonly offset: number; readonly message: string }[] = [];
  readonly #unread: string[] = [];

  constructor(document: Document, positionOf: (offset: number) => string) {
    this.#document = document;
    this.#positionOf = positionOf;
  }

  read(): ReadPlan {
    const { errors, warnings } = this.#document;
    for (const { code, pos, message } of [...errors, ...warnings]) {
      this.#report(pos[0], code === "RESOURCE_EXHAUSTION" ? TOO_DEEP : message);
    }
    // Which of two values is meant does not keep the rest from being read.
    for (const offset of duplicatesOf(this.#document))
      this.#report(offset, "Map keys must be unique");
    const settings = errors.length === 0 ? this.#settings() : undefined;
    const common = { faults: this.#faults(), unread: this.#unread };
    if (settings === undefined) return { moves: [], ...common };
    const { parallel, continueOnError, groups, defaults = {}, moves } = settings;
    const read = moves.map((move, index) =>
      toMove({ ...defaults, ...move }, this.#at(["moves", index])),
    );
    return { ...onlyGiven({ parallel, continueOnError, groups }), moves: read, ...common };
  }

  #settings(): PlanSettings | undefined {
    if (!isMap(this.#document.contents)) {
      this.#report(0, "a plan must be a mapping, with `moves` in it");
      return undefined;
    }
    for (;;) {
      let value: unknown;
      try {
        value = this.#document.toJS();
      } catch (error) {
        if (error instanceof RangeError) throw error;
        // An alias whose anchor was taken out, or that was never there.
        if (this.#wrong.length === 0) this.#report(0, (error as Error).message);
        return undefined;
      }
      const result = v.safeParse(planSchema, value);
      if (result.success) return result.output;
      const left = Math.max(0, MOST_FAULTS - this.#wrong.length);
      const wrong = result.issues.slice(0, left).map((issue) => this.#note(issue));
      if (this.#wrong.length >= MOST_FAULTS || !this.#takeOut(wrong)) return undefined;
    }
  }

  /** Notes what is wrong, and says what has to be taken out for it. */
  #note(issue: v.BaseIssue<unknown>): Path {
    const { path, isMissing, isUnknown, message } = explainIssue(issue, planSchema);
    const parent = path.slice(0, -1);
    if (isMissing) this.#report(this.#offset(parent), message);
    else if (isUnknown) this.#report(this.#keyOffset(path), message);
    else this.#report(this.#offset(path), message);
    return isMissing ? parent : path;
  }

  /** The last first, so that the places of the others stay. False: nothing would be left. */
  #takeOut(paths: readonly Path[]): boolean {
    const each = new Map(paths.map((path) => [JSON.stringify(path), path]));
    for (const path of [...each.values()].sort(comparePaths).reverse()) {
      const isAll = path.length === 0 || (path.length === 1 && path[0] === "moves");
      if (isAll) return false;
      if (path.length === 2 && path[0] === "moves") this.#remember(path);
      try {
        if (!this.#document.deleteIn(path)) return false;
      } catch {
        return false; // within what an alias stands for
      }
    }
    return true;
  }

  /** The names that others may refer to, of a move that is taken out. */
  #remember(path: Path): void {
    for (const key of ["name", "source", "group"]) {
      const name = isMap(this.#document.getIn(path, true)) && this.#document.getIn([...path, key]);
      if (typeof name === "string") this.#unread.push(name);
    }
  }

  #report(offset: number, message: string): void {
    this.#wrong.push({ offset, message });
  }

  /** In the order of the file. */
  #faults(): MoveFault[] {
    const first = this.#wrong.toSorted((a, b) => a.offset - b.offset).slice(0, MOST_FAULTS);
    const faults = first.map(({ offset, message }) => faultAt(this.#positionOf(offset), message));
    if (this.#wrong.length < MOST_FAULTS) return faults;
    const last = faults.at(-1)?.at ?? "";
    return [...faults, faultAt(last, "there may be more faults than these: mend them first")];
  }

  #at(path: Path): string {
    return this.#positionOf(this.#offset(path));
  }

  /** Of a value; of what it lies in where it is not in the text itself. */
  #offset(path: Path): number {
    const node = path.length === 0 ? this.#document.contents : this.#nodeAt(path);
    if (isNode(node) && node.range) return node.range[0];
    return path.length === 0 ? 0 : this.#offset(path.slice(0, -1));
  }

  #keyOffset(path: Path): number {
    const map = path.length === 1 ? this.#document.contents : this.#nodeAt(path.slice(0, -1));
    const keys = isMap(map) ? map.items.map((pair) => pair.key) : [];
    const key = keys.find((one) => isNode(one) && String(one) === String(path.at(-1)));
    return isNode(key) && key.range ? key.range[0] : this.#offset(path);
  }

  #nodeAt(path: Path): unknown {
    const parent = path.length === 1 ? this.#document.contents : this.#nodeAt(path.slice(0, -1));
    return isCollection(parent) ? parent.get(path.at(-1), true) : undefined;
  }
}

/** By their place in the file; what lies in another behind it. */
function comparePaths(a: Path, b: Path): number {
  for (let depth = 0; depth < Math.min(a.length, b.length); depth += 1) {
    const [left, right] = [a[depth], b[depth]];
    if (left === right) continue;
    const areNumbers = typeof left === "number" && typeof right === "number";
    return areNumbers ? left - right : String(left).localeCompare(String(right));
  }
  return a.length - b.length;
}

function toMove(
  { name, source, target, group, after, ...settings }: MoveSettings,
  at: string,
): Move {
  return { ...onlyGiven({ name, group, after }), source, target, options: toOptions(settings), at };
}

/** The names that the file has for what the library calls otherwise. */
function toOptions(settings: Omit<MoveSettings, "source" | "target">): MoveOptions {
  const { bandwidth, iops, requestTimeout, stallTimeout, checkpointInterval, ...same } = settings;
  return onlyGiven({
    ...same,
    bandwidthLimit: bandwidth,
    iopsLimit: iops,
    requestTimeoutMs: requestTimeout,
    stallLimitMs: stallTimeout,
    checkpointIntervalMs: checkpointInterval,
  });
}
