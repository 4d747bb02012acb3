import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

import { visible, visibleJson, visibleName } from "../../../src/cli/visible.js";

const ranges = (...pairs: readonly (readonly [number, number])[]) =>
  pairs.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => String.fromCodePoint(first + index)),
  );

/** By their numbers, not by the property of Unicode's that the sink goes by. */
const CONTROLS = {
  "of C0, and DEL": ranges([0x00, 0x1f], [0x7f, 0x7f]),
  "of C1": ranges([0x80, 0x9f]),
  "that turn the direction around": ranges(
    [0x061c, 0x061c],
    [0x200e, 0x200f],
    [0x202a, 0x202e],
    [0x2066, 0x2069],
  ),
  "that end a line or a paragraph": ranges([0x2028, 0x2029]),
  "that nobody sees": ranges(
    [0xad, 0xad],
    [0x200b, 0x200d],
    [0x2060, 0x2064],
    [0x206a, 0x206f],
    [0xfeff, 0xfeff],
    [0xfff9, 0xfffb],
    [0xe0001, 0xe0001],
    [0xe0020, 0xe007f],
  ),
  "that are half a character": ["\ud800", "\udbff", "\udc00", "\udfff"],
};

const everything = fc.string({ unit: "binary", maxLength: 40 });
const all = Object.values(CONTROLS).flat();
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...all, "\\", "%", "'"), everything), { maxLength: 20 })
  .map((parts) => parts.join(""));

describe("a text of others", () => {
  it.each(Object.entries(CONTROLS))("has its characters %s shown by their numbers", (_, list) => {
    for (const character of list) {
      const code = (character.codePointAt(0) ?? 0).toString(16);
      const shown = visible(`a${character}b`);
      expect(shown).toMatch(/^a\\[xuU][0-9a-f]+b$/);
      expect(shown).toBe(
        `a\\${shown[2]}${code.padStart({ x: 2, u: 4, U: 8 }[shown[2] ?? ""] ?? 0, "0")}b`,
      );
      expect(JSON.parse(visibleJson(JSON.stringify(character)))).toBe(character);
      expect(visibleJson(JSON.stringify(character))).toMatch(
        /^"(\\[bfnrt]|(\\u[0-9a-f]{4}){1,2})"$/,
      );
    }
  });

  it.each(["disk-1.img", "größe", "卷-1", "🙂 a b", "C:\\x", "a%b'c\"d", "é"])(
    "stays as it is: %s",
    (text) => {
      expect(visible(text)).toBe(text);
      expect(visibleJson(JSON.stringify(text))).toBe(JSON.stringify(text));
    },
  );

  it("never has one of them left, is one line, and is the same again", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const shown of [visible(text), visibleName(text), visibleJson(JSON.stringify(text))]) {
          for (const character of shown) expect(all).not.toContain(character);
        }
        expect(visible(visible(text))).toBe(visible(text));
        expect(JSON.parse(visibleJson(JSON.stringify({ [text]: text })))).toEqual({ [text]: text });
      }),
    );
  });

  it("is YAML's between double quotes", () => {
    for (const character of all.filter((one) => !/[\ud800-\udfff]/.test(one) || one.length > 1)) {
      expect(parse(`"${visible(character)}"`)).toBe(character);
    }
  });
});

describe("a name for programs", () => {
  it("is told from every other one", () => {
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        if (one !== other) expect(visibleName(one)).not.toBe(visibleName(other));
      }),
    );
    expect(visibleName("a\n")).not.toBe(visibleName("a\\x0a"));
  });

  it("is given back by bash", () => {
    // An argument holds neither a NUL nor half a character; behind each name stands a mark.
    const names = [...all, "a\\b", "\\x41", "%s", "\\\\n"].filter(
      (name) => name !== "\0" && !/^[\ud800-\udfff]$/.test(name),
    );
    const shown = names.map((name) => `${visibleName(name)}|`);
    const script = 'for name; do printf "%b" "$name"; done';
    const env = { ...process.env, LC_ALL: "C.UTF-8" };
    const got = execFileSync("bash", ["--norc", "-c", script, "bash", ...shown], {
      env,
      encoding: "utf8",
    });
    expect(got).toBe(names.map((name) => `${name}|`).join(""));
  });
});
