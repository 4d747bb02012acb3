import type { Readable, Writable } from "node:stream";
import type { Backend } from "./backends.js";
import type {
  DriverOpenOptions,
  Extent,
  OpenedVolume,
  VolumeDriver,
  VolumeUsage,
} from "./driver.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import type { NativeVolume, NativeVolumeInfo } from "./native.js";
import { resolveRef } from "./refs.js";
import { type BufferPart, describe, partOfBuffer, toBytes } from "./volume/arguments.js";
import { adaptJsVolume, withJsCause } from "./volume/js-volume.js";
import {
  checkOpenOptions,
  type OpenOptions,
  throwIfAborted,
  untilAborted,
} from "./volume/opening.js";
import { createReadStream, createWriteStream, type VolumeStreamOptions } from "./volume/streams.js";

/** What a volume says of itself; fixed while it is open. Sizes are bytes. */
export interface VolumeInfo extends NativeVolumeInfo {
  /** The name of the driver that opened it. */
  readonly driver: string;
  readonly ref: string;
  /** When it was opened; only of volumes whose storage knows it without a map of extents. */
  readonly usage?: VolumeUsage | undefined;
}

/** A range of a volume. */
export interface RangeOptions {
  /** Bytes from the volume's start; 0 unless told. */
  readonly offset?: number | bigint | undefined;
  /** Bytes; to the volume's end unless told. */
  readonly length?: number | bigint | undefined;
}

/** What and where to transfer; without a position, from the volume's own position on. */
export interface TransferOptions extends BufferPart {
  readonly position?: number | bigint | null | undefined;
}

export type { OpenOptions } from "./volume/opening.js";

/**
 * Opens the volume that a ref names.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNKNOWN_SCHEME, ERR_NOT_FOUND, ERR_PERMISSION,
 *   ERR_IN_USE, ERR_READ_ONLY, ERR_UNSUPPORTED, ERR_DRIVER_UNAVAILABLE and what else the open meets
 */
export async function openVolume(ref: string, options: OpenOptions = {}): Promise<Volume> {
  if (typeof ref !== "string") {
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: `a ref is a text, not ${describe(ref)}`,
    });
  }
  const { signal } = options;
  const { driver, location, backend } = await resolveRef(ref);
  const driverOptions = checkOpenOptions(driver, ref, withPlaceOptions(backend, options));
  throwIfAborted(signal, ref);
  let opened: OpenedVolume;
  try {
    const opening = driver.openVolume(location, driverOptions);
    opened =
      driver.attach === undefined
        ? await untilAborted(opening, signal, ref, (late) => closeOpened(driver, late))
        : await opening;
  } catch (error) {
    throw toBlockhaulError(error, { volume: ref, operation: "open" });
  }
  try {
    return adoptVolume(driver, driverOptions, opened);
  } catch (error) {
    await closeOpened(driver, opened).catch(() => {});
    throw error;
  }
}

/** What a backend says of new volumes counts where the caller says nothing. */
function withPlaceOptions(backend: Backend | undefined, options: OpenOptions): OpenOptions {
  const { create } = options;
  if (backend === undefined || create === undefined) return options;
  return { ...options, create: backend.completed(create) };
}

/** The same as `volume.close()`. */
export function closeVolume(volume: Volume): Promise<void> {
  return volume.close();
}

/** Makes a volume of what a driver opened. */
let adoptVolume: (driver: VolumeDriver, options: DriverOpenOptions, opened: OpenedVolume) => Volume;

/**
 * Runs something that uses a volume's native side; closing the volume waits for it. For the copy, not
 * for the public.
 *
 * @throws BlockhaulError ERR_VOLUME_CLOSED
 */
export let holdVolume: <Result>(
  volume: Volume,
  operation: string,
  action: (native: NativeVolume) => Promise<Result>,
) => Promise<Result>;

/**
 * An open volume: an array of bytes with the feel of Node's FileHandle. Offsets go in as number or
 * bigint and come out as safe integers. It must be closed; `await using` does so.
 */
export class Volume {
  readonly ref: string;
  readonly info: VolumeInfo;
  readonly #native: NativeVolume;
  readonly #release: () => Promise<void>;
  readonly #underWay = new Set<Promise<unknown>>();
  #position = 0;
  #dirty = false;
  #closing: Promise<void> | undefined;

  private constructor(info: VolumeInfo, native: NativeVolume, release: () => Promise<void>) {
    this.ref = info.ref;
    this.info = Object.freeze(info);
    this.#native = native;
    this.#release = release;
  }

  static {
    adoptVolume = (driver, { mode, ref }, opened) => {
      const { volume, usage } = opened;
      const isNative = volume.info !== undefined;
      const native = isNative ? volume : adaptJsVolume(volume, driver.name, ref);
      // A medium that could be written to is not, unless that was asked for.
      const readOnly = native.info.readOnly || mode === "read";
      const known = usage === undefined ? {} : { usage };
      const info = { ...native.info, readOnly, driver: driver.name, ref, ...known };
      return new Volume(info, native, async () => {
        if (!isNative) await native.close().finally(() => closeOpened(driver, opened));
        else await closeOpened(driver, opened);
      });
    };

    holdVolume = async (volume, operation, action) => {
      volume.#checkOpen(operation);
      const running = action(volume.#native);
      volume.#underWay.add(running);
      try {
        return await running;
      } finally {
        volume.#underWay.delete(running);
      }
    };
  }

  /** Bytes. */
  get size(): number {
    return this.info.size;
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Fills a buffer, or the part of it that the options name; less only where the volume ends. Without
   * a position it reads from the volume's own, which moves on at once, so that several calls in a row
   * read one piece after the other.
   */
  async read<Target extends NodeJS.ArrayBufferView>(
    buffer: Target,
    options: TransferOptions = {},
  ): Promise<{ bytesRead: number; buffer: Target }> {
    this.#checkOpen("read");
    const part = partOfBuffer(buffer, options);
    const position = this.#place(options.position);
    const bytesRead = Math.max(0, Math.min(part.byteLength, this.size - position));
    if (isOwnPosition(options.position)) this.#position = position + bytesRead;
    if (bytesRead > 0) {
      const target = part.subarray(0, bytesRead);
      await this.#use("read", (native) => native.read(target, position));
    }
    return { bytesRead, buffer };
  }

  /**
   * Writes a buffer, or the part of it that the options name, all of it.
   *
   * @throws BlockhaulError ERR_OUT_OF_RANGE where it does not fit before the volume's end
   */
  async write<Source extends NodeJS.ArrayBufferView>(
    buffer: Source,
    options: TransferOptions = {},
  ): Promise<{ bytesWritten: number; buffer: Source }> {
    this.#checkOpen("write");
    const part = partOfBuffer(buffer, options);
    const position = this.#place(options.position);
    this.#checkWritable("write", position, part.byteLength);
    if (isOwnPosition(options.position)) this.#position = position + part.byteLength;
    if (part.byteLength > 0) await this.#change("write", (native) => native.write(part, position));
    return { bytesWritten: part.byteLength, buffer };
  }

  /** Moves the position that reads and writes without one begin at; it may lie behind the end. */
  seek(position: number | bigint): void {
    this.#checkOpen("seek");
    this.#position = toBytes(position, "position");
  }

  /** The position that a read or a write without one begins at. */
  tell(): number {
    return this.#position;
  }

  /** Makes everything written so far durable. */
  async sync(): Promise<void> {
    this.#checkOpen("flush");
    if (this.info.readOnly) return;
    this.#dirty = false;
    try {
      await this.#use("flush", (native) => native.flush());
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  /** Makes a range read as zero, without sending zeros where the volume can do without. */
  async zero(offset: number | bigint, length: number | bigint): Promise<void> {
    this.#checkOpen("zero");
    const start = toBytes(offset, "offset");
    const count = toBytes(length, "length");
    this.#checkWritable("zero", start, count);
    if (count > 0) await this.#change("zero", (native) => native.zero(start, count));
  }

  /**
   * What a range holds, in order and without gaps. It is a hint, exact only while nobody writes; a
   * volume that cannot tell answers with data.
   */
  async *extents(range: RangeOptions = {}): AsyncGenerator<Extent, void, undefined> {
    this.#checkOpen("map");
    const start = toBytes(range.offset ?? 0, "offset");
    const length = toBytes(range.length ?? Math.max(0, this.size - start), "length");
    this.#checkInside("map", start, length);
    const end = start + length;
    let position = start;
    let pending: Extent | undefined;
    while (position < end) {
      const from = position;
      const answer = await this.#use("map", (native) => native.map(from, end - from));
      for (const extent of answer) {
        position = extent.offset + extent.length;
        if (pending?.kind === extent.kind) {
          pending = { ...pending, length: pending.length + extent.length };
        } else {
          if (pending !== undefined) yield pending;
          pending = extent;
        }
      }
      if (position === from) throw this.#error("ERR_INTERNAL", "map", "an empty map of extents");
    }
    if (pending !== undefined) yield pending;
  }

  /** Reads a range as a stream; `start` and `end` both count. The volume stays open after it. */
  createReadStream(options: VolumeStreamOptions = {}): Readable {
    this.#checkOpen("read");
    return createReadStream(this, options);
  }

  /** Writes a range as a stream; `start` and `end` both count. The volume stays open after it. */
  createWriteStream(options: VolumeStreamOptions = {}): Writable {
    this.#checkOpen("write");
    this.#checkWritable("write", 0, 0);
    return createWriteStream(this, options);
  }

  /**
   * Waits for what is under way, copies too, makes what was written durable, and undoes the open.
   * Calling it again gives the same answer.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    let failure: unknown;
    if (this.#dirty) {
      await this.#native.flush().catch((error: unknown) => {
        failure = this.#explain(error, "flush");
      });
    }
    try {
      await this.#release();
    } catch (error) {
      failure ??= toBlockhaulError(error, { volume: this.ref, operation: "close" });
    }
    if (failure !== undefined) throw failure;
  }

  async #use<Result>(
    operation: string,
    action: (native: NativeVolume) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await holdVolume(this, operation, action);
    } catch (error) {
      throw this.#explain(error, operation);
    }
  }

  #explain(error: unknown, operation: string): BlockhaulError {
    return withJsCause(this.#native, toBlockhaulError(error, { volume: this.ref, operation }));
  }

  /** A sync that runs meanwhile does not necessarily cover the change: it counts from its end on. */
  #change(operation: string, action: (native: NativeVolume) => Promise<void>): Promise<void> {
    return this.#use(operation, (native) =>
      action(native).finally(() => {
        this.#dirty = true;
      }),
    );
  }

  #place(position: number | bigint | null | undefined): number {
    return isOwnPosition(position) ? this.#position : toBytes(position, "position");
  }

  #checkOpen(operation: string): void {
    if (this.closed) throw this.#error("ERR_VOLUME_CLOSED", operation, "the volume is closed");
  }

  #checkWritable(operation: string, position: number, length: number): void {
    if (this.info.readOnly) {
      throw this.#error("ERR_READ_ONLY", operation, 'it was not opened with mode "write"');
    }
    this.#checkInside(operation, position, length);
  }

  #checkInside(operation: string, position: number, length: number): void {
    if (position + length <= this.size) return;
    throw new BlockhaulError("ERR_OUT_OF_RANGE", {
      volume: this.ref,
      operation,
      offset: position,
      message: `${length} bytes reach beyond the end at ${this.size}`,
    });
  }

  #error(
    code: "ERR_VOLUME_CLOSED" | "ERR_READ_ONLY" | "ERR_INTERNAL",
    operation: string,
    message: string,
  ) {
    return new BlockhaulError(code, { volume: this.ref, operation, message });
  }
}

function isOwnPosition(position: number | bigint | null | undefined): position is null | undefined {
  return position === null || position === undefined;
}

async function closeOpened(driver: VolumeDriver, opened: OpenedVolume): Promise<void> {
  if (driver.closeVolume !== undefined) await driver.closeVolume(opened);
  else await opened.volume.close?.();
}
