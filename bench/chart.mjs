// Ratios as bars, in an SVG that a page may show on a light or a dark ground.

import { pairRatios } from "./stats.mjs";
import { valuesOf } from "./targets.mjs";

/** @typedef {import("./contest.mjs").ContestResult} ContestResult */

const width = 760;
const labelWidth = 190;
const barHeight = 7;
const rowHeight = 2 * barHeight + 6;
const headingHeight = 24;
/** The others are in the report: they say little that these do not. */
const shownWorks = /^(dense|thin|verify|small)\//;
/** The ratio at the right edge; longer bars are cut there. */
const longest = 1.5;
const scale = (width - labelWidth - 60) / longest;

/**
 * Two bars for each peer: our wall time and our processor time, in parts of the peer's. Shorter is better; the line
 * is where both are equal.
 *
 * @param {readonly ContestResult[]} contests
 * @returns {string}
 */
export function chart(contests) {
  const shown = contests.filter(
    ({ id, entries }) => shownWorks.test(id) && peersOf(entries).length > 0,
  );
  const parts = [];
  let y = 54;
  for (const { title, entries } of shown) {
    const [ours] = entries;
    if (ours === undefined) continue;
    parts.push(text(0, y + 16, title, "heading"));
    y += headingHeight;
    for (const peer of peersOf(entries)) {
      parts.push(text(labelWidth - 10, y + barHeight + 3, peer.name, "label"));
      for (const [index, measure] of /** @type {const} */ (["wall", "cpu"]).entries()) {
        const { median } = pairRatios(valuesOf(ours, measure), valuesOf(peer, measure));
        parts.push(bar(y + index * (barHeight + 1), median, measure));
      }
      y += rowHeight;
    }
  }
  const height = y + 10;
  const one = labelWidth + scale;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="blockhaul's time and processor time in parts of each other tool's">
<style>
  text { font: 11px system-ui, sans-serif; fill: #24292f; }
  .heading { font-weight: 600; }
  .label { text-anchor: end; }
  .value { font-size: 8px; }
  .wall { fill: #0969da; }
  .cpu { fill: #bf8700; }
  .equal { stroke: #57606a; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .wall { fill: #58a6ff; }
    .cpu { fill: #e3b341; }
    .equal { stroke: #8b949e; }
  }
</style>
${text(0, 16, "blockhaul ÷ the other tool: shorter is better", "heading")}
<rect class="wall" x="${labelWidth}" y="26" width="10" height="10"/>${text(labelWidth + 15, 35, "wall time", "legend")}
<rect class="cpu" x="${labelWidth + 90}" y="26" width="10" height="10"/>${text(labelWidth + 105, 35, "processor time", "legend")}
<line class="equal" x1="${one}" y1="44" x2="${one}" y2="${y}"/>${text(one + 5, 50, "equal", "legend")}
${parts.join("\n")}
</svg>
`;
}

/**
 * fio copies nothing, and Node is no peer.
 *
 * @param {ContestResult["entries"]} entries
 */
function peersOf(entries) {
  return entries.slice(1).filter(({ name }) => !/^(fio|node|blockhaul)\b/.test(name));
}

/**
 * @param {number} y
 * @param {number} ratio
 * @param {"wall" | "cpu"} measure
 */
function bar(y, ratio, measure) {
  const length = Math.max(1, Math.min(ratio, longest) * scale);
  const value = `${ratio.toFixed(2)}${ratio > longest ? " →" : ""}`;
  const rectangle = `<rect class="${measure}" x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}"/>`;
  return `${rectangle}${text(labelWidth + length + 4, y + barHeight, value, "value")}`;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {string} kind
 */
function text(x, y, content, kind) {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y}">${escaped}</text>`;
}
