import { visible } from "./visible.js";

/** Rows as lines with aligned columns; a column whose heading begins with ">" stands right. */
export function alignTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const titles = headings.map((heading) => heading.replace(/^>/, ""));
  // As they will be printed: a name with control characters in it is longer there.
  const lines = [titles, ...rows.map((row) => row.map(visible))];
  const widths = titles.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, line[column]?.length ?? 0), 0),
  );
  return lines
    .map((line) => line.map((cell, column) => pad(cell, widths[column] ?? 0, headings[column])))
    .map((cells) => cells.join("  ").trimEnd());
}

function pad(cell: string, width: number, heading: string | undefined): string {
  return heading?.startsWith(">") ? cell.padStart(width) : cell.padEnd(width);
}

/** "name  value" lines. */
export function alignFields(fields: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** "1 thread", "2 threads". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
