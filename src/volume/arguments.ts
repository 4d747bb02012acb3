import { BlockhaulError } from "../errors.js";

/**
 * A number of bytes as a safe integer.
 *
 * @param name of the argument, for the message
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where it is no whole number, ERR_OUT_OF_RANGE where it
 *   is negative or 2^53 and more
 */
export function toBytes(value: unknown, name: string): number {
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `${name} must be a whole number of bytes, not ${describe(value)}`,
    });
  }
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
    throw new BlockhaulError("ERR_OUT_OF_RANGE", {
      message: `${name} must be from 0 to 2^53 - 1, not ${value}`,
    });
  }
  return Number(value);
}

/** Where in a caller's buffer a transfer takes place. */
export interface BufferPart {
  /** Bytes from the buffer's start; default: 0. */
  readonly offset?: number | bigint | null | undefined;
  /** Bytes; default: to the buffer's end. */
  readonly length?: number | bigint | null | undefined;
}

/**
 * The part of a buffer that a transfer is about, as bytes.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE
 */
export function partOfBuffer(buffer: NodeJS.ArrayBufferView, part: BufferPart): Uint8Array {
  if (!ArrayBuffer.isView(buffer)) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `buffer must be a Buffer, a typed array or a DataView, not ${describe(buffer)}`,
    });
  }
  const offset = toBytes(part.offset ?? 0, "offset");
  const length = toBytes(part.length ?? Math.max(0, buffer.byteLength - offset), "length");
  if (offset + length > buffer.byteLength) {
    throw new BlockhaulError("ERR_OUT_OF_RANGE", {
      message: `${length} bytes from ${offset} on exceed the buffer's ${buffer.byteLength} bytes`,
    });
  }
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
}

/** A value as a message shows it, short. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "an object";
  return String(value);
}
