/** What libblkid finds on a volume, whatever driver opened it. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { type Program, runProgram } from "../system/program.js";
import type { HeldVolume } from "./guard.js";

export const WIPEFS: Program = { name: "wipefs", package: "util-linux" };

/** What says that a range of bytes is in use for something. */
export interface Signature {
  /** "ext4", "LVM2_member", "gpt", … */
  readonly type: string;
  /** "filesystem", "raid", "crypto", "partition-table", …; "" where libblkid has no word for it. */
  readonly usage: string;
  /** Bytes from the volume's start. */
  readonly offset: number;
  readonly label: string | undefined;
}

const MiB = 1024 ** 2;
/** Where libblkid looks: at the front up to LUKS's second header, which is at 4 MiB the last. */
const HEAD = 5 * MiB;
/** At the end: ZFS's last labels, old md superblocks, GPT's backup. */
const TAIL = MiB;
const PIECE = MiB;
const ZEROS = Buffer.alloc(PIECE);
const DEADLINE_MS = 30_000;
/** A file without a name: nobody finds it, and it cannot be left behind. */
const NAMELESS = 0o20000000 | constants.O_DIRECTORY | constants.O_RDWR;
/** In memory first: a file there may be as large as any volume. */
const FOLDERS: readonly string[] = ["/dev/shm", "/run", tmpdir()];
/** The descriptor that `runProgram` hands on. */
const HANDED_ON = "/proc/self/fd/3";

/**
 * Reads the first and last bytes of a volume, puts them into a sparse file of its size, and asks
 * wipefs what is there. A GPT that counts in sectors of 4096 bytes shows there by the PMBR before it.
 *
 * @throws BlockhaulError what reading it meets; ERR_DRIVER_UNAVAILABLE where wipefs is missing, and
 *   what else running it meets
 */
export async function signaturesOf(volume: HeldVolume, signal?: AbortSignal): Promise<Signature[]> {
  const { size } = volume.volume;
  const piece = Buffer.alloc(Math.min(PIECE, size));
  let file: FileHandle | undefined;
  try {
    for (const position of placesIn(size)) {
      const bytes = piece.subarray(0, Math.min(PIECE, size - position));
      await volume.native.read(bytes, position);
      if (isZero(bytes)) continue;
      file ??= await makeSparse(size);
      await file.write(bytes, 0, bytes.length, position);
    }
    // Needs no program, and is what most new targets are.
    return file === undefined ? [] : await runWipefs(file.fd, signal);
  } finally {
    await file?.close();
  }
}

/** Where the pieces begin that are looked at. */
function placesIn(size: number): number[] {
  const places: number[] = [];
  const tail = Math.max(HEAD, Math.floor((size - TAIL) / PIECE) * PIECE);
  for (let at = 0; at < Math.min(HEAD, size); at += PIECE) places.push(at);
  for (let at = tail; at < size; at += PIECE) places.push(at);
  return places;
}

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

async function makeSparse(size: number): Promise<FileHandle> {
  let failure: unknown;
  for (const folder of FOLDERS) {
    let file: FileHandle | undefined;
    try {
      file = await open(folder, NAMELESS, 0o600);
      await file.truncate(size);
      return file;
    } catch (error) {
      failure = error;
      await file?.close();
    }
  }
  throw toBlockhaulError(failure, {
    message: `no temporary file can be made in ${FOLDERS.join(", ")}`,
  });
}

async function runWipefs(inherited: number, signal: AbortSignal | undefined): Promise<Signature[]> {
  const args = ["--no-act", "--json", "--output", "OFFSET,TYPE,USAGE,LABEL", HANDED_ON];
  const { status, stdout, stderr } = await runProgram(WIPEFS, args, {
    deadlineMs: DEADLINE_MS,
    inherited,
    signal,
  });
  const found = status === 0 ? parseSignatures(stdout) : undefined;
  if (found !== undefined) return found;
  throw new BlockhaulError("ERR_INTERNAL", {
    message: `wipefs ended with ${status}: ${stderr.trim() || "it says nothing that is known"}`,
  });
}

/** What `wipefs --json` says; undefined of anything else. It says nothing where nothing is. */
export function parseSignatures(text: string): Signature[] | undefined {
  if (text.trim() === "") return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const list = field(parsed, "signatures");
  if (!Array.isArray(list)) return undefined;
  const signatures = list.map(toSignature);
  return signatures.every((one) => one !== undefined) ? signatures : undefined;
}

function toSignature(item: unknown): Signature | undefined {
  const [type, usage, offset, label] = ["type", "usage", "offset", "label"].map((key) =>
    field(item, key),
  );
  const at = typeof offset === "string" ? Number(offset) : offset;
  if (typeof type !== "string" || typeof at !== "number" || !Number.isSafeInteger(at))
    return undefined;
  return {
    type,
    usage: typeof usage === "string" ? usage : "",
    offset: at,
    label: typeof label === "string" ? label : undefined,
  };
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
