// In which order tools take turns.

/**
 * A B C, then B C A, then C A B: each tool comes after each of the others, and none is always the first to meet
 * a disk that has just rested.
 *
 * @template T
 * @param {readonly T[]} contestants
 * @param {number} round from 0
 * @returns {T[]}
 */
export function orderOf(contestants, round) {
  const first = contestants.length === 0 ? 0 : round % contestants.length;
  return [...contestants.slice(first), ...contestants.slice(0, first)];
}

/**
 * Has everybody take a turn in each round. The first one is a warm-up: its results do not count.
 *
 * @template {{ name: string }} T
 * @template R
 * @param {readonly T[]} contestants
 * @param {number} rounds that count
 * @param {(contestant: T, warmUp: boolean) => Promise<R>} turn
 * @returns {Promise<Map<string, R[]>>} by name, in the order of the rounds
 */
export async function alternate(contestants, rounds, turn) {
  /** @type {Map<string, R[]>} */
  const results = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of orderOf(contestants, round)) {
      const result = await turn(contestant, round === 0);
      if (round > 0) results.get(contestant.name)?.push(result);
    }
  }
  return results;
}
