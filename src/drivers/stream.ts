import { randomUUID } from "node:crypto";
import { close, constants, createReadStream, createWriteStream, fstat, open } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { promisify } from "node:util";

import type { DriverOpenOptions, JsVolume, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { formatPathRef, type PathLocation, parsePathRef, STANDARD } from "./path.js";
import { volumeOfReadable, volumeOfWritable } from "./stream-volume.js";

/** Room for any source, in a stream that is written. */
const LARGEST_SIZE = 2 ** 52;
/** Milliseconds until it is tried again to open a named pipe that nobody reads yet: nothing tells when somebody does. */
const READER_POLL_MS = 50;
/** What is handed to a file, or asked of it, at once. */
const CHUNK = 1024 ** 2;

/** Standard input and output, and named pipes: each byte is read or written once, in order. */
export const streamDriver: VolumeDriver<PathLocation> = {
  name: "stream",
  schemes: ["stream"],
  summary: "standard input and output, and named pipes",
  refForms: ["-", "PIPE", "stream:PIPE"],
  supports: {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: false,
    snapshots: false,
    delete: false,
    sequential: true,
  },
  parseRef: (ref) => parsePathRef("stream", ref),
  formatRef: (location) => formatPathRef("stream", location),
  openVolume,
};

async function openVolume(
  { path }: PathLocation,
  options: DriverOpenOptions,
): Promise<OpenedVolume> {
  const identity = `stream:${randomUUID()}`;
  const volume =
    options.mode === "write"
      ? await openToWrite(path, identity, options)
      : await openToRead(path, identity, options);
  return {
    volume,
    ephemeral: true,
    // Nobody else can be given it in its place, and what was read of it cannot be written to any more.
    identify: async () => ({ identity, size: volume.size }),
    writeStamp: async () => "none",
  };
}

async function openToRead(
  path: string,
  identity: string,
  { ref, signal, size: told }: DriverOpenOptions,
): Promise<JsVolume> {
  if (path !== STANDARD) {
    if (told === undefined) throw withoutSize(ref);
    const descriptor = await openPipe(path, constants.O_RDONLY, signal);
    return volumeOfReadable(new Socket({ fd: descriptor, readable: true }), told, identity);
  }
  if (isatty(0)) throw isTerminal("standard input", ref);
  const inFile = await restOfStandardInput();
  const size = told ?? inFile;
  if (size === undefined) throw withoutSize(ref);
  const stream: Readable =
    inFile === undefined
      ? process.stdin
      : createReadStream("", { fd: 0, autoClose: false, highWaterMark: CHUNK });
  return volumeOfReadable(stream, size, identity);
}

async function openToWrite(
  path: string,
  identity: string,
  { ref, signal }: DriverOpenOptions,
): Promise<JsVolume> {
  if (path !== STANDARD) {
    const descriptor = await openPipe(path, constants.O_WRONLY, signal);
    return volumeOfWritable(writingSocket(descriptor), LARGEST_SIZE, identity);
  }
  if (isatty(1)) throw isTerminal("standard output", ref);
  return volumeOfWritable(await standardOutput(), LARGEST_SIZE, identity);
}

/**
 * Not Node's own stream, whose writes to a pipe keep everything else waiting: a reader that stops reading would stop
 * the signals, too. A pipe is opened anew, so that whoever shares it does not find it in another mode.
 */
async function standardOutput(): Promise<Writable> {
  const path = "/proc/self/fd/1";
  const status = await stat(path);
  if (status.isFIFO()) return writingSocket(await openPipe(path, constants.O_WRONLY));
  if (status.isSocket()) return writingSocket(1);
  return createWriteStream("", { fd: 1, autoClose: false, highWaterMark: CHUNK });
}

function writingSocket(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}

/** Bytes that a file on standard input still has; undefined of what does not know its own end. */
async function restOfStandardInput(): Promise<number | undefined> {
  const status = await stat("/proc/self/fd/0");
  if (!status.isFile()) return undefined;
  const facts = await readFile("/proc/self/fdinfo/0", "utf8");
  const [, position] = /^pos:\s*(\d+)$/m.exec(facts) ?? [];
  return Math.max(0, status.size - Number(position ?? 0));
}

/**
 * Opens a named pipe, and waits for whoever is to read what is written.
 *
 * @returns a descriptor, which is the caller's
 */
async function openPipe(
  path: string,
  access: number,
  signal: AbortSignal | undefined = undefined,
): Promise<number> {
  for (;;) {
    // Without O_NONBLOCK the open itself would wait, where no signal reaches it. A reader waits with its first read.
    const flags = access | constants.O_NONBLOCK | constants.O_NOCTTY;
    const descriptor = await promisify(open)(path, flags).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENXIO" && access === constants.O_WRONLY) return undefined;
      throw error;
    });
    if (descriptor !== undefined) {
      if ((await promisify(fstat)(descriptor)).isFIFO()) return descriptor;
      await promisify(close)(descriptor);
      throw new BlockhaulError("ERR_NOT_A_VOLUME", { message: "is no named pipe" });
    }
    await sleep(READER_POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
}

function isTerminal(what: string, ref: string): BlockhaulError {
  return new BlockhaulError("ERR_NOT_A_VOLUME", {
    volume: ref,
    message: `${what} is a terminal, and a volume's bytes are no text: give it a file or a pipe`,
  });
}

function withoutSize(ref: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", {
    volume: ref,
    message: "a pipe does not tell how many bytes will come",
    hint: "say it: copy, verify and digest take --size; what ends before is then found to be cut short",
  });
}
