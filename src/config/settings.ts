/** A driver's own settings, held to its schema; what that says is put where it stands in the file. */
import type { StandardIssue, StandardSchema } from "../driver.js";
import { namesAt, suggestion } from "../known-keys.js";
import { type Faults, type Position, shown } from "./faults.js";
import { type ConfigEntry, type ConfigNode, kindOf, plainValue } from "./tree.js";

type Path = readonly string[];

/**
 * What the schema makes of the settings.
 *
 * @param section the settings, without what is not the driver's
 * @param at where the section stands, for what is missing in it
 * @returns undefined where there are faults
 */
export async function checkSettings<Place>(
  given: StandardSchema<Place>,
  section: ReadonlyMap<string, ConfigEntry>,
  at: Position,
  faults: Faults,
): Promise<{ readonly place: Place } | undefined> {
  const root: ConfigNode = { kind: "map", at, entries: section };
  const value = plainValue(root) as object;
  const schema = await loadedSchema(given);
  let hasUnknown = false;
  for (;;) {
    const result = await schema["~standard"].validate(value);
    if (result.issues === undefined) return hasUnknown ? undefined : { place: result.value };
    // A schema may stop at the first key that it does not know: without it, there may be more.
    const unknown = result.issues.filter(isUnknownKey).map(pathOf);
    const removed = unknown.filter((path) => removeKey(value, path));
    for (const path of removed) addUnknown(path, root, schema, faults);
    if (removed.length > 0) {
      hasUnknown = true;
      continue;
    }
    for (const issue of result.issues) {
      const found = lookUp(root, pathOf(issue));
      faults.add(found.at, describeIssue(issue, found));
    }
    return undefined;
  }
}

function addUnknown(path: Path, root: ConfigNode, schema: unknown, faults: Faults): void {
  const holder = path.slice(0, -1);
  const key = path.at(-1) ?? "";
  const free = namesAt(schema, holder).filter((name) => !lookUp(root, [...holder, name]).isThere);
  faults.add(
    lookUp(root, path).keyAt,
    `there is no key ${shown(key)} here${suggestion(key, free)}`,
  );
}

/** The schema itself of one that is loaded late: it shows which keys it knows. */
async function loadedSchema<Place>(
  schema: StandardSchema<Place> & { load?: () => Promise<StandardSchema<Place>> },
): Promise<StandardSchema<Place>> {
  return schema.load === undefined ? schema : schema.load();
}

interface Found {
  /** Of the value; of the key where that is a map, a list or nothing; of what it is missing in. */
  readonly at: Position;
  readonly keyAt: Position;
  readonly isThere: boolean;
  readonly node: ConfigNode;
}

function lookUp(root: ConfigNode, path: Path): Found {
  let node = root;
  let { at } = root;
  let keyAt = at;
  for (const [depth, key] of path.entries()) {
    const entry: ConfigEntry | undefined = node.kind === "map" ? node.entries.get(key) : undefined;
    const inner = node.kind === "list" ? node.items[Number(key)] : entry?.node;
    if (inner === undefined) return { at, keyAt, isThere: false, node };
    node = inner;
    keyAt = entry?.at ?? inner.at;
    at = entry !== undefined && depth === path.length - 1 ? keyOrValue(entry) : inner.at;
  }
  return { at, keyAt, isThere: true, node };
}

/** A value that is there is what is wrong; of one that is not, the key. */
function keyOrValue({ at, node }: ConfigEntry): Position {
  return node.kind === "scalar" && node.value !== null ? node.at : at;
}

function describeIssue(issue: StandardIssue, { isThere, node }: Found): string {
  const path = pathOf(issue);
  const name = path.length === 0 ? "" : `${path.join(".")}: `;
  if (!isThere) return `${name}is missing`;
  // Valibot's own texts; what was received may be what nobody is to see.
  const [, expected] =
    /^Invalid \w+: Expected (.+?)(?: but received .*)?$/s.exec(issue.message) ?? [];
  if (expected === undefined) return `${name}${issue.message}`;
  return `${name}must be ${wanted(expected)}, and is ${kindOf(node)}`;
}

function wanted(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: "a text",
    number: "a number",
    boolean: "true or false",
    Array: "a list",
    Object: "a map",
  };
  return names[expected] ?? expected;
}

function isUnknownKey({ message, path = [] }: StandardIssue): boolean {
  return path.length > 0 && /^Invalid key: Expected never\b/.test(message);
}

function pathOf({ path = [] }: StandardIssue): string[] {
  return path.map((part) => String(typeof part === "object" ? part.key : part));
}

function removeKey(value: unknown, path: Path): boolean {
  let holder = value;
  for (const key of path.slice(0, -1)) {
    if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return false;
    holder = (holder as Record<string, unknown>)[key];
  }
  const key = path.at(-1) ?? "";
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return false;
  return Reflect.deleteProperty(holder, key);
}
