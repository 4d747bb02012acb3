import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

import { CHUNK } from "./copy/chunks.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import type { ChunkRun, DigestKind } from "./native.js";
import { checkDurable, writeDurably } from "./system/durable-file.js";
import { isCount } from "./units.js";
import { isVolumeEnd, type VolumeEnd } from "./volume-end.js";

/** The first line of a manifest. */
export interface ManifestHeader {
  readonly format: "blockhaul-manifest";
  readonly version: 1;
  readonly source: VolumeEnd;
  readonly target: VolumeEnd;
  /** Bytes that the digests cover, from the start of both. */
  readonly size: number;
  readonly leafSize: number;
  readonly chunkSize: number;
  readonly algorithm: Exclude<DigestKind, "none">;
  /** "xxh3:…", of the whole. */
  readonly digest: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

const LEAF = 64 * 1024;
/** Characters; the header, with its two refs, has a few thousand at the most. */
const LONGEST_LINE = 64 * 1024;

/** A manifest that is being read: its header, and then its chunks, once. */
export interface OpenManifest {
  readonly header: ManifestHeader;
  readonly chunks: AsyncGenerator<ChunkRun, void, undefined>;
  /** Again: does nothing. */
  close(): Promise<void>;
}

/** Writes a manifest such that a reader finds all of it or none: docs/MANIFEST.md describes it. */
export async function writeManifest(
  file: string,
  header: Omit<ManifestHeader, "format" | "version" | "leafSize" | "chunkSize" | "createdAt">,
  chunks: AsyncIterable<ChunkRun>,
): Promise<void> {
  const first: ManifestHeader = {
    format: "blockhaul-manifest",
    version: 1,
    ...header,
    leafSize: LEAF,
    chunkSize: CHUNK,
    createdAt: new Date().toISOString(),
  };
  async function* lines() {
    yield `${JSON.stringify(first)}\n`;
    let total = 0;
    for await (const { count, digest } of chunks) {
      total += count;
      yield `${JSON.stringify({ chunks: count, digest })}\n`;
    }
    yield `${JSON.stringify({ end: total })}\n`;
  }
  try {
    await writeDurably(file, lines());
  } catch (error) {
    throw toBlockhaulError(error, { volume: file, operation: "write" });
  }
}

/**
 * Looks whether a manifest could be written there, for who owns what, before there is anything to write.
 *
 * @throws BlockhaulError ERR_PERMISSION where others put something in its way
 */
export async function checkManifestPlace(file: string): Promise<void> {
  try {
    await checkDurable(file);
  } catch (error) {
    throw toBlockhaulError(error, { volume: file, operation: "write" });
  }
}

/**
 * Reads a manifest's header; its chunks come as they are asked for.
 *
 * @throws BlockhaulError ERR_MANIFEST for what is none, also in the middle of the chunks; ERR_NOT_FOUND
 */
export async function readManifest(file: string): Promise<OpenManifest> {
  const handle = await openManifest(file);
  try {
    const lines = linesOf(handle, file);
    const first = await lines.next();
    if (first.done) throw malformed(file, 1, "it is empty");
    const header = parseManifestHeader(first.value, file);
    return { header, chunks: readChunks(lines, header, file), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function* linesOf(handle: FileHandle, file: string): AsyncGenerator<string, void, undefined> {
  let rest = "";
  let number = 1;
  try {
    for await (const piece of handle.createReadStream({ encoding: "utf8", autoClose: false })) {
      rest += piece as string;
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        yield line;
        number += 1;
      }
      // Whatever it is, it is not held in memory as a whole.
      if (rest.length > LONGEST_LINE) throw malformed(file, number, "it is too long");
    }
    if (rest !== "") yield rest;
  } catch (error) {
    throw toBlockhaulError(error, { volume: file, operation: "read" });
  }
}

async function openManifest(file: string): Promise<FileHandle> {
  // A named pipe must not keep us waiting.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch((error: unknown) => {
    throw toBlockhaulError(error, { volume: file, operation: "read" });
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw malformed(file, 1, "it is no regular file");
}

/** The header that a line holds. */
export function parseManifestHeader(line: string, file: string): ManifestHeader {
  const value = parseLine(line, file, 1);
  const { format, version, size, chunkSize, leafSize, algorithm, digest } = value;
  if (format !== "blockhaul-manifest") throw malformed(file, 1, "it is no manifest of blockhaul's");
  if (version !== 1) throw malformed(file, 1, `its version is ${JSON.stringify(version)}, not 1`);
  const isSound =
    isCount(size) &&
    chunkSize === CHUNK &&
    leafSize === LEAF &&
    (algorithm === "xxh3" || algorithm === "sha256") &&
    typeof digest === "string" &&
    digest.startsWith(`${algorithm}:`) &&
    isVolumeEnd(value.source) &&
    isVolumeEnd(value.target);
  if (!isSound) throw malformed(file, 1, "a field is missing, or has no possible value");
  return value as unknown as ManifestHeader;
}

async function* readChunks(
  lines: AsyncIterable<string>,
  header: ManifestHeader,
  file: string,
): AsyncGenerator<ChunkRun, void, undefined> {
  const expected = Math.ceil(header.size / CHUNK);
  const digest = new RegExp(`^[0-9a-f]{${header.algorithm === "sha256" ? 64 : 32}}$`);
  let total = 0;
  let number = 1;
  let ended = false;
  for await (const line of lines) {
    number += 1;
    if (ended) throw malformed(file, number, "something follows its end");
    const value = parseLine(line, file, number);
    if ("end" in value) {
      ended = true;
      if (value.end === total && total === expected) continue;
      throw malformed(file, number, `it has ${total} chunks, not ${expected}`);
    }
    const { chunks, digest: text } = value;
    const isSound = isCount(chunks) && chunks > 0 && typeof text === "string" && digest.test(text);
    if (!isSound || total + chunks > expected) {
      throw malformed(file, number, "it is no run of chunks, or one too many");
    }
    total += chunks;
    yield { count: chunks, digest: text };
  }
  if (!ended) throw malformed(file, number, "its end is missing");
}

function parseLine(line: string, file: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw malformed(file, number, "it is no JSON object");
}

function malformed(file: string, line: number, reason: string): BlockhaulError {
  return new BlockhaulError("ERR_MANIFEST", { volume: file, message: `line ${line}: ${reason}` });
}
