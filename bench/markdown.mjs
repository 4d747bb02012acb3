// Tables and figures, as reports write them.

/**
 * @param {readonly string[]} headings
 * @param {readonly (readonly string[])[]} rows
 * @returns {string} a table that can be read as it is, too
 */
export function table(headings, rows) {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(3, ...lines.map((line) => (line[column] ?? "").length)),
  );
  const written = lines.map(
    (line) =>
      `| ${widths.map((width, column) => (line[column] ?? "").padEnd(width)).join(" | ")} |`,
  );
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [written[0], rule, ...written.slice(1)].join("\n");
}

/** @param {number} value at three significant digits, and no more than three behind the point */
export function figure(value) {
  if (!Number.isFinite(value)) return "∞";
  if (value === 0) return "0";
  const digits = Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toFixed(digits);
}

/** @param {number} bytes */
export function inMiB(bytes) {
  return (bytes / 2 ** 20).toFixed(0);
}
