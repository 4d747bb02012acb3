import { randomFillSync } from "node:crypto";
import { inspect } from "node:util";

import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeSecret } from "../native-host.js";

const DIGITS = Buffer.from("0123456789abcdef");

/**
 * A secret as bytes, in memory that is in no core dump and is wiped after its use. A JavaScript string could be neither:
 * so none is made of it, here or by whoever uses `bytes`. As long as one exists that is not wiped, this process has no core
 * dumps at all, and no other process may look into it but root's.
 */
export class Secret {
  readonly #native: NativeSecret;
  #length: number;
  #isWiped = false;

  private constructor(native: NativeSecret, length: number) {
    this.#native = native;
    this.#length = length;
  }

  /** A text, of which JavaScript keeps a copy until it forgets it: rather have bytes from where they come. */
  static of(text: string): Secret {
    return Secret.concat([text]);
  }

  /** Of all parts, one behind the other. */
  static concat(parts: readonly (Uint8Array | string)[]): Secret {
    const length = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    const secret = Secret.ofSize(length);
    let at = 0;
    for (const part of parts) {
      const bytes = secret.bytes.subarray(at);
      if (typeof part === "string") bytes.write(part);
      else bytes.set(part);
      at += Buffer.byteLength(part);
    }
    return secret;
  }

  /** Zeros, to be filled. */
  static ofSize(length: number): Secret {
    return new Secret(native().makeSecret(Math.max(length, 1)), length);
  }

  /** Hexadecimal digits that nobody can guess. */
  static ofRandomDigits(count: number): Secret {
    const secret = Secret.ofSize(count);
    const { bytes } = secret;
    randomFillSync(bytes);
    for (const [at, byte] of bytes.entries()) bytes[at] = DIGITS[byte & 15] ?? 0;
    return secret;
  }

  /** A variable of this process's environment, which does not have it afterwards; undefined where it is not set. */
  static takenFromEnvironment(name: string): Secret | undefined {
    const taken = native().takeFromEnvironment(name);
    if (taken === undefined) return undefined;
    const isEmpty = taken.bytes.length === 1 && taken.bytes[0] === 0;
    return new Secret(taken, isEmpty ? 0 : taken.bytes.length);
  }

  /** @throws BlockhaulError ERR_INTERNAL once it is wiped: zeros must not pass for it */
  get bytes(): Buffer {
    if (this.#isWiped) {
      throw new BlockhaulError("ERR_INTERNAL", { message: "a secret was used after it was wiped" });
    }
    return this.#native.bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** Another one of the same bytes. */
  copy(): Secret {
    return Secret.concat([this.bytes]);
  }

  /** Cuts it, and wipes what is behind. */
  truncate(length: number): void {
    this.bytes.fill(0, length);
    this.#length = Math.min(length, this.#length);
  }

  equals(other: Secret): boolean {
    return this.bytes.equals(other.bytes);
  }

  /** Makes an end of it; again: does nothing. */
  wipe(): void {
    this.#isWiped = true;
    this.#native.wipe();
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "Secret ***";
  }
}

/** Reads what a descriptor gives, from its beginning, straight into such memory. */
export async function readAsSecret(
  handle: {
    read(
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
    ): Promise<{ bytesRead: number }>;
  },
  most: number,
): Promise<Secret> {
  const secret = Secret.ofSize(most);
  try {
    let length = 0;
    while (length < most) {
      const { bytesRead } = await handle.read(secret.bytes, length, most - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    secret.truncate(length);
    return secret;
  } catch (error) {
    secret.wipe();
    throw error;
  }
}
