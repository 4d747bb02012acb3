import { createHash } from "node:crypto";

/**
 * Numbers that a seed decides: a case that failed is run again by its seed.
 *
 * @param {string} seed
 */
export function randomFrom(seed) {
  let counter = 0;
  const next = () => {
    const digest = createHash("sha256").update(`${seed}/${counter++}`).digest();
    return digest.readUIntBE(0, 6) / 2 ** 48;
  };
  return {
    /** From 0 to below 1. */
    share: next,
    /** @param {number} limit a whole number from 0 to below it */
    below: (limit) => Math.floor(next() * limit),
    /** @param {number} probability */
    chance: (probability) => next() < probability,
    /**
     * @template Item
     * @param {readonly [Item, ...Item[]]} items
     * @returns {Item}
     */
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
  };
}
