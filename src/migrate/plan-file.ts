import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { type Document, isCollection, isMap, isNode, LineCounter, parseDocument } from "yaml";

import { toBlockhaulError } from "../errors.js";
import { onlyGiven } from "../only-given.js";
import { type MoveSettings, type PlanSettings, planSchema } from "./plan-schema.js";
import type { Move, MoveFault, MoveOptions, ReadPlan } from "./plan-types.js";

type Path = readonly (string | number)[];

/** As `readPlan` of the API. @throws BlockhaulError ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO */
export async function readPlanFile(file: string): Promise<ReadPlan> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw toBlockhaulError(error, { volume: file, operation: "open" });
  }
  return parsePlan(text, file);
}

/** @param file for messages */
export function parsePlan(text: string, file: string): ReadPlan {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const reader = new PlanReader(document, (offset) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  });
  return reader.read();
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
    for (const { pos, message } of [...errors, ...warnings]) this.#report(pos[0], message);
    // Which of two values is meant does not keep the rest from being read.
    const isReadable = errors.every(({ code }) => code === "DUPLICATE_KEY");
    const settings = isReadable ? this.#settings() : undefined;
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
        // An alias whose anchor was taken out, or that was never there.
        if (this.#wrong.length === 0) this.#report(0, (error as Error).message);
        return undefined;
      }
      const result = v.safeParse(planSchema, value);
      if (result.success) return result.output;
      const wrong = result.issues.map((issue) => this.#note(issue));
      if (!this.#takeOut(wrong)) return undefined;
    }
  }

  /** Notes what is wrong, and says what has to be taken out for it. */
  #note(issue: v.BaseIssue<unknown>): Path {
    const path = (issue.path ?? []).map(({ key }) => key as string | number);
    const parent = path.slice(0, -1);
    const key = path.at(-1);
    const isKey = issue.path?.at(-1)?.origin === "key";
    const isUnknown = isKey && issue.expected === "never";
    const isMissing = issue.kind === "schema" && !isUnknown && issue.received === "undefined";
    if (isMissing) {
      this.#report(this.#offset(parent), `${label(parent)}"${key}" is missing`);
      return parent;
    }
    if (isUnknown) this.#report(this.#keyOffset(path), `${label(parent)}unknown key "${key}"`);
    else this.#report(this.#offset(path), `${label(path)}${describeIssue(issue)}`);
    return path;
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
    return this.#wrong
      .toSorted((a, b) => a.offset - b.offset)
      .map(({ offset, message }) => ({
        move: undefined,
        at: this.#positionOf(offset),
        code: "ERR_INVALID_ARGUMENT",
        message,
        hint: undefined,
      }));
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

/** "moves[3].hooks: " */
function label(path: Path): string {
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return text === "" ? "" : `${text.replace(/^\./, "")}: `;
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const { kind, type, expected, received, message } = issue;
  const isPlain = kind === "schema" && message.startsWith("Invalid ");
  if (!isPlain || expected === null) return message;
  const wanted = { boolean: "true or false", Array: "a list", Object: "a mapping" }[expected];
  const choice =
    type === "picklist" ? expected.replace(/^\(|\)$/g, "").replaceAll(" | ", ", ") : "";
  return `must be ${choice === "" ? (wanted ?? `a ${expected}`) : `one of ${choice}`}, not ${received}`;
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
