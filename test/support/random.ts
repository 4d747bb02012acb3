import { createCipheriv, createHash, randomInt } from "node:crypto";

/** Of this run; BLOCKHAUL_TEST_SEED gives a run the choices of an earlier one. */
export const testSeed = Number(process.env.BLOCKHAUL_TEST_SEED ?? randomInt(2 ** 31));

/** Choices and bytes that a label and the run's seed decide, whatever else runs before. */
export class Random {
  readonly #label: string;
  #block = 0;
  #words: Uint32Array = new Uint32Array();
  #next = 0;

  constructor(label: string) {
    this.#label = `${testSeed}/${label}`;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor((this.#word() / 2 ** 32) * limit);
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.#word() / 2 ** 32 < probability;
  }

  pick<const Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  /** Bytes without any regularity; the first is not zero. */
  bytes(length: number): Buffer {
    const key = createHash("sha256").update(`${this.#label}/bytes/${this.#word()}`).digest();
    const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
    const bytes = cipher.update(Buffer.alloc(length));
    if (length > 0) bytes[0] = (bytes[0] ?? 0) | 1;
    return bytes;
  }

  #word(): number {
    if (this.#next === this.#words.length) {
      const digest = createHash("sha512")
        .update(`${this.#label}/${this.#block++}`)
        .digest();
      this.#words = Uint32Array.from({ length: 16 }, (_, index) => digest.readUInt32LE(index * 4));
      this.#next = 0;
    }
    return this.#words[this.#next++] ?? 0;
  }
}
