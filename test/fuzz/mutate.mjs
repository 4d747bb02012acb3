// Values that nobody expects, and JSON with some of them in it. What they name is within the current folder, or nothing
// at all: no device, no host.

/** @typedef {ReturnType<typeof import("../kills/random.mjs").randomFrom>} Random */

/** @type {readonly [string, ...string[]]} */
export const HOSTILE_TEXTS = [
  "",
  " ",
  "\u001b[31mred\u001b[0m",
  "bell\u0007",
  "line\nbreak",
  "carriage\rreturn",
  "c1\u009b2J",
  "bidi\u202egnp.exe",
  "nul\u0000byte",
  "lone \ud800",
  "e\u0301\u{1f4a5}",
  "x".repeat(300),
  "y".repeat(5000),
  "%s%n%x",
  "$(false)",
  "--json",
  "-",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "NaN",
  "{}",
  "[]",
  "9007199254740993",
  "0x10",
  "1e3",
];

/** Small ones would be a rate at which nothing ever ends. */
const NUMBERS = /** @type {const} */ ([-1, 0, 0.5, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, -1e308]);

/** @param {Random} random */
function anything(random) {
  const kind = random.below(9);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(0.5);
  if (kind === 2) return [];
  if (kind === 3) return {};
  if (kind === 4) return [random.pick(HOSTILE_TEXTS)];
  if (kind === 5) return { [random.pick(HOSTILE_TEXTS)]: random.pick(NUMBERS) };
  if (kind === 6) return [[{}], null];
  return kind === 7 ? random.pick(HOSTILE_TEXTS) : random.pick(NUMBERS);
}

/** @typedef {{ holder: any, key: string | number }} Place */

/**
 * @param {any} value
 * @returns {Place[]} every place in it
 */
function placesIn(value) {
  if (typeof value !== "object" || value === null) return [];
  const keys = Array.isArray(value) ? value.map((_, index) => index) : Object.keys(value);
  return keys.flatMap((key) => [{ holder: value, key }, ...placesIn(value[key])]);
}

/**
 * Changes one to three places of a value.
 *
 * @template Value
 * @param {Random} random
 * @param {Value} value is left as it is
 * @param {(path: Place) => boolean} [mayChange]
 * @returns {{ value: Value, changed: string[] }} and the keys that were changed
 */
export function mutateJson(random, value, mayChange = () => true) {
  const copy = structuredClone(value);
  /** @type {string[]} */
  const changed = [];
  for (let left = 1 + (random.chance(0.3) ? random.below(3) : 0); left > 0; left -= 1) {
    const places = placesIn(copy).filter(mayChange);
    const [first, ...rest] = places;
    if (first === undefined) break;
    const { holder, key } = random.pick([first, ...rest]);
    changed.push(String(key));
    const kind = random.below(7);
    const before = holder[key];
    if (kind === 0 && !Array.isArray(holder)) delete holder[key];
    else if (kind === 1 && typeof before === "string") holder[key] = mutateText(random, before);
    else if (kind === 2) {
      // The value of another place: one end's identity for the other's.
      const other = random.pick([first, ...rest]);
      holder[key] = structuredClone(other.holder[other.key]);
    } else if (kind === 3 && Array.isArray(before)) holder[key] = [...before, ...before, null];
    else if (kind === 4 && typeof before === "number") holder[key] = before + random.pick([-1, 1]);
    else if (kind === 5 && !Array.isArray(holder)) {
      holder[random.pick(HOSTILE_TEXTS)] = anything(random);
    } else holder[key] = anything(random);
  }
  return { value: copy, changed };
}

/**
 * Changes the end of a text alone: a path still leads into the folder that it led into.
 *
 * @param {Random} random
 * @param {string} text
 */
export function mutateText(random, text) {
  const kind = random.below(4);
  if (kind === 0) return text + random.pick(HOSTILE_TEXTS);
  if (kind === 1) return `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`;
  if (kind === 2) return text.toUpperCase();
  return text.length > 2 && text.at(-2) !== "/" ? text.slice(0, -1) : `${text}x`;
}
