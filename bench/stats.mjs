// What is made of measurements: medians and quartiles, and ratios of two tools pair by pair.

/**
 * @typedef {object} Summary of some measurements of one thing
 * @property {number} min
 * @property {number} lower quartile
 * @property {number} median
 * @property {number} upper quartile
 * @property {number} max
 *
 * @typedef {{ min: number, median: number, max: number }} Spread
 */

/**
 * @param {readonly number[]} values at least one
 * @param {number} part 0: the least, 0.5: the median, 1: the greatest; between two values, in proportion
 */
export function quantile(values, part) {
  if (values.length === 0) throw new RangeError("there is no quantile of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? 0;
  // Of two that are infinite, the difference is no number.
  return below === above ? below : below + (above - below) * (place - Math.floor(place));
}

/** @param {readonly number[]} values at least one */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * @param {readonly number[]} values at least one
 * @returns {Summary}
 */
export function summarize(values) {
  return {
    min: quantile(values, 0),
    lower: quantile(values, 0.25),
    median: median(values),
    upper: quantile(values, 0.75),
    max: quantile(values, 1),
  };
}

/**
 * Ratios within the same round. What slows the whole machine down for a while slows both of a pair, so that it
 * does not show in their ratio, as it would in a ratio of two medians.
 *
 * @param {readonly number[]} ours by round
 * @param {readonly number[]} theirs by round, in the same order
 * @returns {Spread}
 */
export function pairRatios(ours, theirs) {
  if (ours.length !== theirs.length) throw new RangeError("rounds without a pair");
  const ratios = ours.map((value, round) => ratioOf(value, theirs[round] ?? 0));
  return { min: quantile(ratios, 0), median: median(ratios), max: quantile(ratios, 1) };
}

/**
 * @param {number} ours
 * @param {number} theirs
 */
function ratioOf(ours, theirs) {
  if (theirs > 0) return ours / theirs;
  // Below the clock's resolution.
  return ours > 0 ? Number.POSITIVE_INFINITY : 1;
}
