/** The one place that refuses keys that nobody reads: a misspelt option must not be taken for one that was not given. */
import { BlockhaulError } from "./errors.js";

/** The keys of a type of options; the compiler holds it to that type in both directions. */
export type KeysOf<Options> = { readonly [Key in keyof Required<Options>]: true };

/**
 * Options as they were given, once it is sure that each of them is read by somebody.
 *
 * @param what takes them, for the message: "copyVolume"
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for what is no object, and for a key that is not known, whatever its value
 */
export function checkKeys<Options extends object>(
  what: string,
  given: Options,
  known: KeysOf<Options> | readonly string[],
): Options {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const found = given === null ? "null" : Array.isArray(given) ? "a list" : `a ${typeof given}`;
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `the options of ${what} must be an object, not ${found}`,
    });
  }
  const names = Array.isArray(known) ? (known as readonly string[]) : Object.keys(known);
  // With inherited ones: those are read, too, and an AbortSignal in the place of options has no others.
  for (const key in given) {
    if (names.includes(key)) continue;
    const free = names.filter((name) => !(name in given));
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `${what} has no option ${JSON.stringify(key.slice(0, 64))}${suggestion(key, free)}`,
    });
  }
  return given;
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

/** The keys that a schema knows, where it shows them, as those of valibot do; else none. */
export function namesAt(schema: unknown, path: readonly (string | number)[]): string[] {
  let at = schema;
  for (const key of path) at = innerOf(at, key);
  return Object.keys(unwrapped(at)?.entries ?? {});
}

interface ShownSchema {
  readonly entries?: Readonly<Record<string, unknown>>;
  /** Of lists and records: what each of theirs is. */
  readonly item?: unknown;
  readonly value?: unknown;
  /** Of what may be missing. */
  readonly wrapped?: unknown;
}

function unwrapped(schema: unknown): ShownSchema | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const shown = schema as ShownSchema;
  return shown.wrapped === undefined ? shown : unwrapped(shown.wrapped);
}

function innerOf(schema: unknown, key: string | number): unknown {
  const { entries, item, value } = unwrapped(schema) ?? {};
  return entries?.[key] ?? item ?? value;
}
