/**
 * Texts of others on a terminal: names of volumes, mount points and processes, and what drivers and programs say, may hold
 * anything. A control character in one could end the line and begin another, colour it, or have the terminal do things.
 */

/** Control characters, what turns the direction of a text around, what is invisible, and halves of surrogate pairs. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * A text as one line of characters that can be seen. Each of the others stands there by its number, as in bash's
 * `$'…'` and in YAML: `\x1b`, `\u202e`, `\U000e0001`.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${hexadecimal(code, 2)}`;
    return code > 0xffff ? `\\U${hexadecimal(code, 8)}` : `\\u${hexadecimal(code, 4)}`;
  });
}

/** A name that a program is to read: a backslash stands there twice, so that `printf %b` gives the name back. */
export function visibleName(name: string): string {
  return visible(name.replaceAll("\\", "\\\\"));
}

/** A JSON text with the same characters as escapes of its own: JSON.stringify() leaves all but those below U+0020. */
export function visibleJson(json: string): string {
  return json.replace(HIDDEN, (character) =>
    Array.from(
      { length: character.length },
      (_, unit) => `\\u${hexadecimal(character.charCodeAt(unit), 4)}`,
    ).join(""),
  );
}

function hexadecimal(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
