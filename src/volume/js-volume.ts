import { setImmediate as nextTurn } from "node:timers/promises";

import type { Extent, JsVolume } from "../driver.js";
import { errnoNumber } from "../errno.js";
import { BlockhaulError, errnoOf } from "../errors.js";
import {
  type JsDispatch,
  type JsOperation,
  type JsVolumeInfo,
  type NativeVolume,
  native,
} from "../native.js";
import { type Caller, Callers } from "./callers.js";

const EXTENTS_PER_ANSWER = 4096;
/** Extents that lie before what was asked for: of a driver that lists more, nothing is believed. */
const MOST_EXTENTS_BEFORE = 1024 ** 2;
/** Extents between two moments at which timers, deadlines and signals of this process get their turn. */
const EXTENTS_PER_TURN = 1024;
const FAILURES_KEPT = 64;

interface Failure {
  readonly operation: JsOperation;
  readonly position: number;
  readonly length: number;
  readonly error: unknown;
}

/**
 * What JavaScript volumes threw, newest first. The engine carries an errno only; `withJsCause` puts
 * the author's own error back.
 */
const failuresOf = new WeakMap<NativeVolume, Failure[]>();

/** Who makes requests of JavaScript volumes. */
const callersOf = new WeakMap<NativeVolume, Callers>();

/** Says who makes requests from now on; undefined of a volume that is no JavaScript volume. */
export function enterAsCaller(volume: NativeVolume): Caller | undefined {
  return callersOf.get(volume)?.enter();
}

/** Makes a JavaScript volume one that the engine drives like any other. */
export function adaptJsVolume(volume: JsVolume, driver: string, ref: string): NativeVolume {
  const failures: Failure[] = [];
  const callers = new Callers();
  const dispatch: JsDispatch = async (operation, position, length, buffer) => {
    try {
      return await callers.during((signal) =>
        perform(volume, operation, position, length, buffer, signal),
      );
    } catch (error) {
      // Zeros are written then: no failure that anybody hears of.
      if (!(operation === "zero" && isUnsupported(error))) {
        failures.unshift({ operation, position, length, error });
        failures.splice(FAILURES_KEPT);
      }
      throw Object.assign(new Error("failed in JavaScript"), { errno: errnoForEngine(error) });
    }
  };
  const adapted = native().openJs(describeJsVolume(volume, driver, ref), dispatch);
  failuresOf.set(adapted, failures);
  callersOf.set(adapted, callers);
  return adapted;
}

/**
 * The error of an operation on a volume; of a JavaScript volume, with the error that its author
 * threw as the cause and, where that is a BlockhaulError, with its code.
 */
export function withJsCause(volume: NativeVolume, error: BlockhaulError): BlockhaulError {
  const failures = (failuresOf.get(volume) ?? []).filter(
    ({ operation }) => operation === error.operation,
  );
  const failure = failures.find(({ position, length }) => isWithin(error.offset, position, length));
  const thrown = (failure ?? failures[0])?.error;
  if (thrown === undefined) return error;
  const known = thrown instanceof BlockhaulError ? thrown : undefined;
  return new BlockhaulError(known?.code ?? error.code, {
    message: thrown instanceof Error ? thrown.message : String(thrown),
    side: error.side,
    volume: error.volume,
    operation: error.operation,
    offset: error.offset,
    errno: known === undefined ? error.errno : known.errno,
    hint: known?.hint,
    cause: thrown,
  });
}

function isWithin(offset: number | undefined, position: number, length: number): boolean {
  return offset !== undefined && offset >= position && offset < position + Math.max(length, 1);
}

function errnoForEngine(error: unknown): number | undefined {
  return errnoOf(error) ?? (isUnsupported(error) ? errnoNumber("ENOTSUP") : errnoNumber("EIO"));
}

function isUnsupported(error: unknown): boolean {
  return error instanceof BlockhaulError && error.code === "ERR_UNSUPPORTED";
}

/** @throws BlockhaulError ERR_INTERNAL where the author's description makes no sense */
function describeJsVolume(volume: JsVolume, driver: string, ref: string): JsVolumeInfo {
  const { size, blockSize = 1, preferredSize = 0, zeroState = "unknown" } = volume;
  const readOnly = volume.readOnly ?? volume.write === undefined;
  const fault = [
    !Number.isSafeInteger(size) || size < 0 ? `a size of ${size}` : "",
    !isUnit(blockSize) || blockSize < 1 ? `a block size of ${blockSize}` : "",
    !isUnit(preferredSize) ? `a preferred size of ${preferredSize}` : "",
    !readOnly && volume.write === undefined ? "no write, though it is not read-only" : "",
    zeroState !== "unknown" && zeroState !== "proven-zero" ? `a zero state of ${zeroState}` : "",
  ].find((text) => text !== "");
  if (fault !== undefined) {
    throw new BlockhaulError("ERR_INTERNAL", {
      volume: ref,
      message: `the driver ${driver} opened a volume with ${fault}`,
    });
  }
  return {
    kind: driver,
    name: ref,
    identity: volume.identity ?? ref,
    size,
    blockSize,
    preferredSize,
    zeroState,
    readOnly,
    direct: false,
    mapsExtents: volume.extents !== undefined,
    zeroes: volume.zero !== undefined && !readOnly,
  };
}

/** What the engine can count with. */
function isUnit(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 0 && bytes < 2 ** 32;
}

async function perform(
  volume: JsVolume,
  operation: JsOperation,
  position: number,
  length: number,
  buffer: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<readonly Extent[] | undefined> {
  switch (operation) {
    case "read":
      await transfer(buffer, async (rest, done) =>
        count(await volume.read(rest, { position: position + done, signal }), "bytesRead", rest),
      );
      return undefined;
    case "write":
      await transfer(buffer, async (rest, done) =>
        count(
          await volume.write?.(rest, { position: position + done, signal }),
          "bytesWritten",
          rest,
        ),
      );
      return undefined;
    case "zero":
      if (volume.zero === undefined) throw new BlockhaulError("ERR_UNSUPPORTED");
      await volume.zero(position, length);
      return undefined;
    case "flush":
      await volume.sync?.();
      return undefined;
    case "map":
      return volume.extents === undefined
        ? [{ offset: position, length, kind: "data" }]
        : coverRange(await volume.extents(position, length), position, length);
  }
}

/** Takes a short transfer up again until the buffer is done. */
async function transfer(
  buffer: Uint8Array | undefined,
  step: (rest: Uint8Array, done: number) => Promise<number>,
): Promise<void> {
  let done = 0;
  while (buffer !== undefined && done < buffer.byteLength) {
    done += await step(buffer.subarray(done), done);
  }
}

/** What a driver's read or write says it did. */
function count<Key extends "bytesRead" | "bytesWritten">(
  result: unknown,
  key: Key,
  rest: Uint8Array,
): number {
  if (result === undefined || result === null) return rest.byteLength;
  const bytes = typeof result === "object" ? (result as Record<Key, unknown>)[key] : result;
  if (typeof bytes === "number" && Number.isInteger(bytes) && bytes > 0) {
    if (bytes <= rest.byteLength) return bytes;
  }
  throw new BlockhaulError("ERR_IO", {
    message:
      bytes === 0
        ? "moved 0 bytes inside the volume"
        : `answered ${String(bytes)} for ${rest.byteLength} bytes`,
  });
}

/**
 * A driver's extents, cut to a range and completed with data where they say nothing; of a long list,
 * the part that an answer holds.
 *
 * @throws BlockhaulError ERR_INTERNAL where they overlap, go backwards or do not get on
 */
export async function coverRange(
  extents: AsyncIterable<Extent> | Iterable<Extent>,
  position: number,
  length: number,
): Promise<Extent[]> {
  const end = position + length;
  const covered: Extent[] = [];
  let at = position;
  let previousEnd = 0;
  let seen = 0;
  for await (const extent of extents) {
    checkExtent(extent, previousEnd);
    seen += 1;
    // Awaiting what is there already gives no turn to anybody.
    if (seen % EXTENTS_PER_TURN === 0) await nextTurn();
    if (seen > MOST_EXTENTS_BEFORE + EXTENTS_PER_ANSWER) {
      throw badExtents(`${seen} extents, and none of them within what was asked for`);
    }
    previousEnd = extent.offset + extent.length;
    const from = Math.max(extent.offset, at);
    const to = Math.min(previousEnd, end);
    if (from >= end) break;
    if (to <= at) continue;
    if (from > at) covered.push({ offset: at, length: from - at, kind: "data" });
    covered.push({ offset: from, length: to - from, kind: extent.kind });
    at = to;
    if (covered.length >= EXTENTS_PER_ANSWER) return covered;
  }
  if (at < end) covered.push({ offset: at, length: end - at, kind: "data" });
  return covered;
}

function checkExtent({ offset, length, kind }: Extent, previousEnd: number): void {
  const sane =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= previousEnd &&
    // Of none, an endless list would get nowhere.
    length > 0 &&
    (kind === "data" || kind === "zero" || kind === "hole");
  if (sane) return;
  throw badExtents(`a bad extent: ${kind} of ${length} bytes at ${offset}, behind ${previousEnd}`);
}

function badExtents(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INTERNAL", { message });
}
