// What `perf script` prints, as one line for each stack that was seen.

/** What is called further in is left out: it says little, and a stack that was unwound wrongly has no end. */
const DEEPEST = 40;

/**
 * What calls itself is named once.
 *
 * @param {string} samples blocks of lines, an empty one between two: who and when, then the frames, innermost first
 * @returns {string} lines of "thread;outermost;…;innermost COUNT", sorted
 */
export function fold(samples) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const block of samples.split(/\n\n+/)) {
    const [head = "", ...frames] = block.split("\n").filter((line) => !line.startsWith("#"));
    const thread = /^(.*?)\s+\d+\s+(?:\[\d+\]\s+)?[\d.]+:/.exec(head)?.[1];
    if (thread === undefined) continue;
    const stack = [thread.trim(), ...frames.map(functionOf).reverse()]
      .filter((name, index, all) => name !== all[index - 1])
      .slice(0, DEEPEST)
      .join(";");
    counts.set(stack, (counts.get(stack) ?? 0) + 1);
  }
  return [...counts]
    .map(([stack, count]) => `${stack} ${count}\n`)
    .sort()
    .join("");
}

/**
 * "  7f31 blockhaul::inspect(…)+0x12 (/x/blockhaul.node)": what is called without its arguments, for these are long;
 * where no name is known, of which file it is.
 *
 * @param {string} frame
 */
function functionOf(frame) {
  const [, name = "", file = ""] = /^\s*[0-9a-f]+ (.*) \((.*)\)$/.exec(frame) ?? [];
  const plain = name.replace(/\+0x[0-9a-f]+$/, "").replace(/\(anonymous namespace\)::/g, "");
  const known = plain.replace(/\(.*$/, "").replaceAll(";", ":");
  return known === "" || known === "[unknown]" ? `[${file.split("/").at(-1)}]` : known;
}
