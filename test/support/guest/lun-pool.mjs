/**
 * Volumes for the conformance suite, of which each is used again once a test has done with it: what one holds does
 * not matter to the suite, and to make one takes a target longer than a test.
 */
export class LunPool {
  /** @type {Map<number, string[]>} by size, the refs that nobody uses */
  #free = new Map();
  /** @type {(size: number) => Promise<string> | string} */
  #make;

  /** @param {(size: number) => Promise<string> | string} make gives the ref of a new volume */
  constructor(make) {
    this.#make = make;
  }

  /** @param {number} size bytes */
  async take(size) {
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    const ref = free.pop() ?? (await this.#make(size));
    return { ref, remove: () => void free.push(ref) };
  }
}
