import type { Readable, Writable } from "node:stream";
import type {
  DriverOpenOptions,
  Extent,
  OpenedVolume,
  VolumeDriver,
  VolumeLook,
  VolumeUsage,
} from "./driver.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import type { NativeVolume, NativeVolumeInfo } from "./native.js";
import { onlyGiven } from "./only-given.js";
import { resolveRef } from "./refs.js";
import { describe, toBytes } from "./volume/arguments.js";
import { adaptJsVolume, enterAsCaller, withJsCause } from "./volume/js-volume.js";
import {
  checkOpenKeys,
  checkOpenOptions,
  locateLike,
  type OpenOptions,
  throwIfAborted,
  untilAborted,
  withPlaceOptions,
} from "./volume/opening.js";
import { createReadStream } from "./volume/read-stream.js";
import type { VolumeStreamOptions } from "./volume/streams.js";
import {
  type Bytes,
  partsOf,
  type ReadOptions,
  type TransferOptions,
  transferOf,
} from "./volume/transfers.js";
import { createWriteStream } from "./volume/write-stream.js";

/** What a volume says of itself; fixed while it is open. Sizes are bytes. */
export interface VolumeInfo extends NativeVolumeInfo {
  /** The name of the driver that opened it. */
  readonly driver: string;
  readonly ref: string;
  /** When it was opened; only of volumes whose storage knows it without a map of extents. */
  readonly usage?: VolumeUsage | undefined;
  /** What a volume that this open has made does not have of the one that it was to be like, each in words. */
  readonly notKept?: readonly string[] | undefined;
  /** True of what keeps nothing that somebody else could use, write to or lose: a stream, a sink. */
  readonly ephemeral?: boolean | undefined;
  /** True of what can be read or written once only, and in order: a pipe. */
  readonly sequential?: boolean | undefined;
}

/** A range of a volume. */
export interface RangeOptions {
  /** Bytes from the volume's start; 0 unless told. */
  readonly offset?: number | bigint | undefined;
  /** Bytes; to the volume's end unless told. */
  readonly length?: number | bigint | undefined;
}

const RANGE_KEYS: KeysOf<RangeOptions> = { offset: true, length: true };

export type { NewVolume, OpenOptions } from "./volume/opening.js";
export type { ReadOptions, TransferOptions } from "./volume/transfers.js";

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
  checkOpenKeys(options);
  const { signal } = options;
  const { driver, location, backend } = await resolveRef(ref);
  const like = await locateLike(driver, options.create);
  const driverOptions = checkOpenOptions(driver, ref, withPlaceOptions(backend, options), like);
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

/** What an open volume is asked, as far as its driver can tell: see OpenedVolume. */
export interface VolumeChecks {
  readonly identify: (() => Promise<VolumeLook | undefined>) | undefined;
  readonly writeStamp: (() => Promise<string | undefined>) | undefined;
  readonly checkHints: (() => Promise<void>) | undefined;
}

/** For what ends a copy or a comparison, not for the public. */
export let checksOf: (volume: Volume) => VolumeChecks;

/**
 * An open volume: an array of bytes with the feel of Node's FileHandle. Offsets go in as number or
 * bigint and come out as safe integers. It must be closed; `await using` does so.
 */
export class Volume {
  readonly ref: string;
  readonly info: VolumeInfo;
  readonly #native: NativeVolume;
  readonly #release: () => Promise<void>;
  readonly #checks: VolumeChecks;
  readonly #underWay = new Set<Promise<unknown>>();
  #position = 0;
  #dirty = false;
  #closing: Promise<void> | undefined;

  private constructor(
    info: VolumeInfo,
    native: NativeVolume,
    checks: VolumeChecks,
    release: () => Promise<void>,
  ) {
    this.ref = info.ref;
    this.#checks = checks;
    this.info = Object.freeze(info);
    this.#native = native;
    this.#release = release;
  }

  static {
    adoptVolume = (driver, { mode, ref }, opened) => {
      const { volume, usage, notKept, ephemeral } = opened;
      const { sequential } = driver.supports;
      const isNative = volume.info !== undefined;
      const native = isNative ? volume : adaptJsVolume(volume, driver.name, ref);
      // A medium that could be written to is not, unless that was asked for.
      const readOnly = native.info.readOnly || mode === "read";
      const known = onlyGiven({ usage, notKept, ephemeral, sequential });
      const info = { ...native.info, readOnly, driver: driver.name, ref, ...known };
      const checks = {
        identify: opened.identify?.bind(opened),
        writeStamp: opened.writeStamp?.bind(opened),
        checkHints: opened.checkHints?.bind(opened),
      };
      return new Volume(info, native, checks, async () => {
        if (!isNative) await native.close().finally(() => closeOpened(driver, opened));
        else await closeOpened(driver, opened);
      });
    };

    checksOf = (volume) => volume.#checks;

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
   * Fills a buffer, or the part of it that is named; less only where the volume ends. The forms are those of
   * FileHandle: `read(buffer, options)`, `read(buffer, offset, length, position)`, and `read(options)`, which makes
   * a buffer of 16 KiB where it is given none. Without a position, or with null, it reads from the volume's own,
   * which moves on at once, so that several calls in a row read one piece after the other.
   *
   * @throws BlockhaulError ERR_INVALID_ARGUMENT for any other form; ERR_OUT_OF_RANGE, also for the position -1,
   *   by which FileHandle means its own
   */
  read<Target extends NodeJS.ArrayBufferView>(
    buffer: Target,
    options?: TransferOptions,
  ): Promise<{ bytesRead: number; buffer: Target }>;
  read<Target extends NodeJS.ArrayBufferView>(
    buffer: Target,
    offset: Bytes,
    length?: Bytes,
    position?: Bytes,
  ): Promise<{ bytesRead: number; buffer: Target }>;
  read<Target extends NodeJS.ArrayBufferView = Buffer>(
    options?: ReadOptions<Target>,
  ): Promise<{ bytesRead: number; buffer: Target }>;
  async read(...asked: unknown[]): Promise<{ bytesRead: number; buffer: NodeJS.ArrayBufferView }> {
    this.#checkOpen("read");
    const { buffer, part, position } = transferOf("read", asked);
    return { bytesRead: await this.#readParts([part], position), buffer };
  }

  /**
   * Fills buffers one after the other, less only where the volume ends.
   *
   * @param position as of `read`
   */
  async readv<Targets extends readonly NodeJS.ArrayBufferView[]>(
    ...asked: [buffers: Targets, position?: Bytes]
  ): Promise<{ bytesRead: number; buffers: Targets }> {
    this.#checkOpen("read");
    const { parts, position } = partsOf("readv", asked);
    return { bytesRead: await this.#readParts(parts, position), buffers: asked[0] };
  }

  /**
   * Writes a buffer, or the part of it that is named, all of it. The forms are those of FileHandle:
   * `write(buffer, options)` and `write(buffer, offset, length, position)`. Position as of `read`.
   *
   * @throws BlockhaulError ERR_OUT_OF_RANGE where it does not fit before the volume's end; ERR_INVALID_ARGUMENT for
   *   any other form, and for a text
   */
  write<Source extends NodeJS.ArrayBufferView>(
    buffer: Source,
    options?: TransferOptions,
  ): Promise<{ bytesWritten: number; buffer: Source }>;
  write<Source extends NodeJS.ArrayBufferView>(
    buffer: Source,
    offset: Bytes,
    length?: Bytes,
    position?: Bytes,
  ): Promise<{ bytesWritten: number; buffer: Source }>;
  async write(
    ...asked: unknown[]
  ): Promise<{ bytesWritten: number; buffer: NodeJS.ArrayBufferView }> {
    this.#checkOpen("write");
    const { buffer, part, position } = transferOf("write", asked);
    return { bytesWritten: await this.#writeParts([part], position), buffer };
  }

  /**
   * Writes buffers one after the other, all of them.
   *
   * @param position as of `read`
   * @throws BlockhaulError ERR_OUT_OF_RANGE, with nothing written, where they do not fit before the volume's end
   */
  async writev<Sources extends readonly NodeJS.ArrayBufferView[]>(
    ...asked: [buffers: Sources, position?: Bytes]
  ): Promise<{ bytesWritten: number; buffers: Sources }> {
    this.#checkOpen("write");
    const { parts, position } = partsOf("writev", asked);
    return { bytesWritten: await this.#writeParts(parts, position), buffers: asked[0] };
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
    checkKeys("extents", range, RANGE_KEYS);
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

  async #readParts(parts: readonly Uint8Array[], from: Bytes): Promise<number> {
    const begin = this.#place(from);
    const bytesRead = Math.max(0, Math.min(lengthOf(parts), this.size - begin));
    if (isOwnPosition(from)) this.#position = begin + bytesRead;
    const end = begin + bytesRead;
    let position = begin;
    for (const part of parts) {
      const target = part.subarray(0, end - position);
      if (target.byteLength === 0) continue;
      const at = position;
      position += target.byteLength;
      await this.#use("read", (native) => native.read(target, at));
    }
    return bytesRead;
  }

  async #writeParts(parts: readonly Uint8Array[], from: Bytes): Promise<number> {
    const begin = this.#place(from);
    const length = lengthOf(parts);
    this.#checkWritable("write", begin, length);
    if (isOwnPosition(from)) this.#position = begin + length;
    let position = begin;
    for (const part of parts) {
      const at = position;
      position += part.byteLength;
      if (part.byteLength > 0) await this.#change("write", (native) => native.write(part, at));
    }
    return length;
  }

  async #use<Result>(
    operation: string,
    action: (native: NativeVolume) => Promise<Result>,
  ): Promise<Result> {
    const caller = enterAsCaller(this.#native);
    try {
      return await holdVolume(this, operation, action);
    } catch (error) {
      throw this.#explain(error, operation);
    } finally {
      caller?.leave();
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

  #place(position: Bytes): number {
    if (isOwnPosition(position)) return this.#position;
    if (position !== -1 && position !== -1n) return toBytes(position, "position");
    // FileHandle means its own position by it. Where it comes from a sum that went wrong, that would be another place.
    throw new BlockhaulError("ERR_OUT_OF_RANGE", {
      volume: this.ref,
      message: "the position -1 is none: for the volume's own, leave it out or give null",
    });
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

function isOwnPosition(position: Bytes): position is null | undefined {
  return position === null || position === undefined;
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}

async function closeOpened(driver: VolumeDriver, opened: OpenedVolume): Promise<void> {
  if (driver.closeVolume !== undefined) await driver.closeVolume(opened);
  else await opened.volume.close?.();
}
