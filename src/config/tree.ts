/** A YAML text as a tree in which each value knows where it stands. Secrets never get into it. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";

import { type Faults, type Position, shown } from "./faults.js";

export type ConfigNode = ConfigMap | ConfigList | ConfigScalar;

export interface ConfigMap {
  readonly kind: "map";
  readonly at: Position;
  readonly entries: ReadonlyMap<string, ConfigEntry>;
}

export interface ConfigEntry {
  /** Where the key stands. */
  readonly at: Position;
  readonly node: ConfigNode;
}

export interface ConfigList {
  readonly kind: "list";
  readonly at: Position;
  readonly items: readonly ConfigNode[];
}

export interface ConfigScalar {
  readonly kind: "scalar";
  readonly at: Position;
  readonly value: string | number | boolean | null;
}

/** `secretFile` and `keyring` name files, and end otherwise. */
const SECRET =
  /(?:passw(?:or)?d|passphrase|passwort|pwd|secret|token|(?:^|[-_.]|[a-z](?=K))key|credential)s?$/i;
const DEEPEST = 32;
/** Aliases can make much of little. */
const MOST_NODES = 20_000;

/** The parser's own words quote the text, which may be a secret. */
const WORDS: Readonly<Record<string, string>> = {
  ALIAS_PROPS: "an alias takes neither tag nor anchor",
  BAD_ALIAS: "the alias is malformed",
  BAD_COLLECTION_TYPE: "the tag does not fit what it stands before",
  BAD_DIRECTIVE: "there is no such directive",
  BAD_DQ_ESCAPE: "there is no such escape in a quoted text",
  BAD_INDENT: "the indentation does not fit what is around it, or a bracket is not closed",
  BAD_PROP_ORDER: "tag and anchor stand in the wrong place",
  BAD_SCALAR_START: "a plain value cannot begin so: quote it",
  BLOCK_AS_IMPLICIT_KEY: "a map cannot begin within the value of a key",
  BLOCK_IN_FLOW: "a block cannot stand within brackets",
  RESOURCE_EXHAUSTION: "there is too much in it",
  IMPOSSIBLE: "this cannot be read as YAML",
  KEY_OVER_1024_CHARS: "the key is too long",
  MISSING_CHAR: "a character is missing: a colon, a comma, a bracket, a space or a closing quote",
  MULTILINE_IMPLICIT_KEY: "a key cannot go over several lines",
  MULTIPLE_ANCHORS: "there are two anchors",
  MULTIPLE_DOCS: "there is a second document in the file",
  MULTIPLE_TAGS: "there are two tags",
  NON_STRING_KEY: "the key is no text",
  TAB_AS_INDENT: "tabs do not indent: use spaces",
  TAG_RESOLVE_FAILED: "there is no such tag",
  UNEXPECTED_TOKEN: "this cannot stand here",
};

/** Those after which the rest still means what it says. */
const HARMLESS = ["TAG_RESOLVE_FAILED", "NON_STRING_KEY"];

/**
 * The tree of a text.
 *
 * @returns undefined where nothing stands in it, or its faults leave nothing to be understood
 */
export function parseTree(text: string, faults: Faults): ConfigNode | undefined {
  const lines = new LineCounter();
  const document = parse(text, lines, faults);
  if (document === undefined) return undefined;
  const wrong = [...document.errors, ...document.warnings];
  for (const { code, pos } of wrong) faults.add(position(lines, pos[0]), wordsOf(code));
  if (wrong.some(({ code }) => !HARMLESS.includes(code))) return undefined;
  if (document.contents === null) return undefined;
  const aliases = aliasesOf(document);
  if (aliases === undefined) {
    faults.add(undefined, "is nested too deeply");
    return undefined;
  }
  return new TreeBuilder(aliases, lines, faults).build(document.contents, []);
}

/** What each alias stands for, found in one pass; undefined where the stack does not hold the text's depth. */
function aliasesOf(document: Document.Parsed): ReadonlyMap<Alias, Node> | undefined {
  const anchors = new Map<string, Node>();
  const aliases = new Map<Alias, Node>();
  try {
    visit(document, {
      Node: (_key, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target !== undefined) aliases.set(node, target);
        } else if (node.anchor) anchors.set(node.anchor, node);
      },
    });
  } catch {
    return undefined;
  }
  return aliases;
}

function parse(text: string, lines: LineCounter, faults: Faults): Document.Parsed | undefined {
  try {
    return parseDocument(text, {
      version: "1.2",
      schema: "core",
      resolveKnownTags: false,
      // To look for each in all that came before takes for ever; the tree knows them.
      uniqueKeys: false,
      stringKeys: true,
      strict: true,
      prettyErrors: false,
      // "silent" would pass over a second document.
      logLevel: "error",
      lineCounter: lines,
    });
  } catch {
    // Of a text that is nested so deeply that the parser's stack does not hold it.
    faults.add(undefined, "cannot be read as YAML");
    return undefined;
  }
}

function wordsOf(code: YAMLError["code"]): string {
  return WORDS[code] ?? "this cannot be read as YAML";
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

class TreeBuilder {
  readonly #aliases: ReadonlyMap<Alias, Node>;
  readonly #lines: LineCounter;
  readonly #faults: Faults;
  /** Those that are being built: an alias to one of them has no end. */
  readonly #open = new Set<Node>();
  #count = 0;

  constructor(aliases: ReadonlyMap<Alias, Node>, lines: LineCounter, faults: Faults) {
    this.#aliases = aliases;
    this.#lines = lines;
    this.#faults = faults;
  }

  /** @param path the keys that lead to it */
  build(node: Node, path: readonly string[]): ConfigNode | undefined {
    if (this.#count > MOST_NODES) return undefined;
    const at = this.#at(node);
    this.#count += 1;
    if (this.#count > MOST_NODES || path.length > DEEPEST) {
      this.#faults.add(
        at,
        this.#count > MOST_NODES ? "there is too much in it" : "this is nested too deeply",
      );
      return undefined;
    }
    if (isAlias(node)) return this.#follow(node, path);
    if (this.#open.has(node)) {
      this.#faults.add(at, "this has an alias of itself in it");
      return undefined;
    }
    this.#open.add(node);
    try {
      if (isMap<Node, Node | null>(node))
        return { kind: "map", at, entries: this.#entries(node.items, path) };
      if (isSeq<Node>(node)) {
        const items = node.items.map((item) => this.build(item, [...path, "-"]));
        return { kind: "list", at, items: items.filter((item) => item !== undefined) };
      }
      return { kind: "scalar", at, value: isScalar(node) ? plain(node.value) : null };
    } finally {
      this.#open.delete(node);
    }
  }

  #follow(alias: Alias, path: readonly string[]): ConfigNode | undefined {
    const target = this.#aliases.get(alias);
    if (target !== undefined) return this.build(target, path);
    this.#faults.add(this.#at(alias), "no anchor before it has the name of this alias");
    return undefined;
  }

  #entries(pairs: readonly Pair<Node, Node | null>[], path: readonly string[]) {
    const entries = new Map<string, ConfigEntry>();
    const seen = new Set<string>();
    for (const { key, value } of pairs) {
      const name = isScalar(key) ? String(key.value) : undefined;
      const at = this.#at(key);
      if (name === undefined) {
        this.#faults.add(at, "the key is no text");
        continue;
      }
      if (isSecret(name, value, path)) {
        this.#faults.add(
          at,
          `secrets do not stand in this file, and the key ${shown(name)} seems to have one: put it into a file that only you can read, and name that (secretFile)`,
        );
        continue;
      }
      if (seen.has(name)) {
        this.#faults.add(at, "the key is there already");
        continue;
      }
      seen.add(name);
      const node: ConfigNode | undefined =
        value === null ? { kind: "scalar", at, value: null } : this.build(value, [...path, name]);
      if (node !== undefined) entries.set(name, { at, node });
    }
    return entries;
  }

  #at(node: Node): Position {
    return position(this.#lines, node.range?.[0] ?? 0);
  }
}

/** Names of backends are keys, too, and may be anything. */
function isSecret(name: string, value: Node | null, path: readonly string[]): boolean {
  if (path.length === 1 && path[0] === "backends") return false;
  return SECRET.test(name) && !(value === null || (isScalar(value) && value.value === null));
}

function plain(value: unknown): ConfigScalar["value"] {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  return value === null || value === undefined ? null : String(value);
}

/** The tree without its positions. */
export function plainValue(node: ConfigNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plainValue);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainValue(entry.node)]));
}

/** "a list", for a message. */
export function kindOf(node: ConfigNode): string {
  if (node.kind !== "scalar") return `a ${node.kind}`;
  if (node.value === null) return "empty";
  return { string: "a text", number: "a number", boolean: "true or false" }[
    typeof node.value as "string" | "number" | "boolean"
  ];
}
