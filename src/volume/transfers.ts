/** The forms in which a transfer can be asked for: those of Node's FileHandle. */
import { BlockhaulError } from "../errors.js";
import { checkKeys, type KeysOf } from "../known-keys.js";
import { type BufferPart, describe, partOfBuffer } from "./arguments.js";

/** Bytes of the buffer that `read` makes where it is given none, as FileHandle does. */
const DEFAULT_BUFFER = 16 * 1024;

/** Bytes, or a place; null: the default. */
export type Bytes = number | bigint | null | undefined;

/** What and where to transfer; without a position, from the volume's own position on. */
export interface TransferOptions extends BufferPart {
  /** Bytes from the volume's start; undefined and null: the volume's own position, which then moves on. */
  readonly position?: Bytes;
}

/** The same with the buffer in it; default: a new one of 16 KiB. */
export interface ReadOptions<Target extends NodeJS.ArrayBufferView> extends TransferOptions {
  readonly buffer?: Target | undefined;
}

/** A transfer as it was asked for. */
export interface Transfer {
  /** What the caller gave. */
  readonly buffer: NodeJS.ArrayBufferView;
  /** The part of it that is meant. */
  readonly part: Uint8Array;
  readonly position: Bytes;
}

const TRANSFER_KEYS: KeysOf<TransferOptions> = { offset: true, length: true, position: true };
const READ_KEYS: KeysOf<ReadOptions<Buffer>> = { ...TRANSFER_KEYS, buffer: true };

/**
 * Reads `(buffer, options)` and `(buffer, offset, length, position)`; of "read" also `(options)` and `()`.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for any other form, ERR_OUT_OF_RANGE
 */
export function transferOf(
  operation: "read" | "write",
  [first, second, ...further]: readonly unknown[],
): Transfer {
  if (operation === "read" && isOptions(first ?? {})) {
    if (second !== undefined || further.length > 0) throw wrongForm(operation);
    const { buffer = Buffer.alloc(DEFAULT_BUFFER), ...options } = checkKeys(
      operation,
      (first ?? {}) as ReadOptions<Buffer>,
      READ_KEYS,
    );
    return transferInto(buffer, options);
  }
  const buffer = first as NodeJS.ArrayBufferView;
  if (isOptions(second)) {
    if (further.length > 0) throw wrongForm(operation);
    return transferInto(buffer, checkKeys(operation, second as TransferOptions, TRANSFER_KEYS));
  }
  if (further.length > 2) throw wrongForm(operation);
  const [length, position] = further;
  return transferInto(buffer, { offset: second, length, position } as TransferOptions);
}

/**
 * The buffers of a vectored transfer.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT
 */
export function partsOf(
  operation: "readv" | "writev",
  [buffers, position, ...further]: readonly unknown[],
): { readonly parts: Uint8Array[]; readonly position: Bytes } {
  if (further.length > 0 || isOptions(position)) throw wrongForm(operation);
  if (!Array.isArray(buffers)) {
    throw invalid(`buffers must be a list of buffers, not ${describe(buffers)}`);
  }
  return { parts: buffers.map((buffer) => partOfBuffer(buffer, {})), position: position as Bytes };
}

function transferInto(buffer: NodeJS.ArrayBufferView, options: TransferOptions): Transfer {
  return { buffer, part: partOfBuffer(buffer, options), position: options.position };
}

function isOptions(value: unknown): boolean {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}

const FORMS = {
  read: "(buffer, offset, length, position), (buffer, options) or (options)",
  write: "(buffer, offset, length, position) or (buffer, options)",
  readv: "(buffers, position)",
  writev: "(buffers, position)",
} as const;

function wrongForm(operation: keyof typeof FORMS): BlockhaulError {
  return invalid(`${operation} takes ${FORMS[operation]}, and nothing else`);
}

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
