/** The backup of a GPT, which has to lie at a volume's end: UEFI Specification 2.10, chapter 5.3. */
import { crc32 } from "node:zlib";

import { BlockhaulError } from "./errors.js";
import type { Volume } from "./volume.js";

/** Bytes: a header says in which it counts only by where it lies. */
const SECTORS = [512, 4096] as const;
const SIGNATURE = Buffer.from("EFI PART", "latin1");
const HEADER = { size: 12, crc: 16, own: 24, other: 32, firstUsable: 40, lastUsable: 48 } as const;
const ENTRIES = { lba: 72, count: 80, size: 84, crc: 88 } as const;
/** Of an entry: its last sector. */
const ENTRY_TYPE_LENGTH = 16;
const ENTRY_LAST = 40;
const LEAST_ENTRY = 128;
/** Bytes: 128 entries of 128 are usual. */
const MOST_ENTRIES = 1024 ** 2;
/** The protective MBR: its four entries, each with its type and the number of its sectors. */
const MBR = { first: 446, length: 16, type: 4, sectors: 12, protective: 0xee } as const;

/** What was done about a GPT's backup: "none": the volume has no GPT. */
export type GptBackup = "moved" | "in place" | "none";

interface Table {
  readonly sector: number;
  /** One sector. */
  readonly header: Buffer;
  readonly entries: Buffer;
}

/**
 * Moves the backup of a volume's GPT to the volume's end, where firmware and kernels look for it, and lets the partitions
 * use what lies between: what `sgdisk -e` does, on any volume that can be written to. The backup is written first, so that a
 * sound table is there at every moment; it can be done again. The old backup is left where it is.
 *
 * @throws BlockhaulError ERR_UNSUPPORTED for a GPT that is damaged, or has partitions where the backup would lie;
 *   ERR_READ_ONLY, ERR_IO
 */
export async function moveGptBackup(volume: Volume): Promise<GptBackup> {
  const table = await findTable(volume);
  if (table === undefined) return "none";
  const { sector, header, entries } = table;
  const last = Math.floor(volume.size / sector) - 1;
  const ofEntries = Math.ceil(entries.length / sector);
  const lastUsable = last - ofEntries - 1;
  if (lbaAt(header, HEADER.other) === last && lbaAt(header, HEADER.lastUsable) === lastUsable) {
    return "in place";
  }
  if (Math.max(lastUsed(entries, header), lbaAt(header, HEADER.firstUsable)) > lastUsable) {
    throw unsupported(volume, "has a partition where its GPT's backup would lie");
  }

  const primary = Buffer.from(header);
  setLba(primary, HEADER.other, last);
  setLba(primary, HEADER.lastUsable, lastUsable);
  seal(primary);
  const backup = Buffer.from(primary);
  setLba(backup, HEADER.own, last);
  setLba(backup, HEADER.other, 1);
  setLba(backup, ENTRIES.lba, last - ofEntries);
  seal(backup);

  const padded = Buffer.alloc(ofEntries * sector);
  entries.copy(padded);
  await volume.write(padded, { position: (last - ofEntries) * sector });
  await volume.write(backup, { position: last * sector });
  await volume.sync();
  await volume.write(primary, { position: sector });
  await widenProtection(volume, last);
  await volume.sync();
  return "moved";
}

/** @throws BlockhaulError ERR_UNSUPPORTED for one whose checksums are wrong: what it says cannot be moved */
async function findTable(volume: Volume): Promise<Table | undefined> {
  for (const sector of SECTORS) {
    if (volume.size < 2 * sector) continue;
    const header = await readAt(volume, sector, sector);
    if (!header.subarray(0, SIGNATURE.length).equals(SIGNATURE)) continue;
    const size = header.readUInt32LE(HEADER.size);
    const isSound =
      size >= 92 &&
      size <= sector &&
      header.readUInt32LE(HEADER.crc) === checksumOf(header) &&
      lbaAt(header, HEADER.own) === 1;
    if (!isSound) throw unsupported(volume, "has a GPT whose header is damaged");
    const begin = lbaAt(header, ENTRIES.lba) * sector;
    const ofOne = header.readUInt32LE(ENTRIES.size);
    const length = header.readUInt32LE(ENTRIES.count) * ofOne;
    if (ofOne < LEAST_ENTRY || length > MOST_ENTRIES || begin + length > volume.size) {
      throw unsupported(volume, "has a GPT with entries that are not possible");
    }
    const entries = await readAt(volume, length, begin);
    if (crc32(entries) !== header.readUInt32LE(ENTRIES.crc)) {
      throw unsupported(volume, "has a GPT whose entries are damaged");
    }
    return { sector, header, entries };
  }
  return undefined;
}

async function readAt(volume: Volume, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await volume.read(buffer, { position });
  return buffer.subarray(0, bytesRead);
}

/** The last sector that a partition has; 0 where there is none. */
function lastUsed(entries: Buffer, header: Buffer): number {
  const size = header.readUInt32LE(ENTRIES.size);
  let last = 0;
  for (let at = 0; at + size <= entries.length; at += size) {
    const isUsed = entries.subarray(at, at + ENTRY_TYPE_LENGTH).some((byte) => byte !== 0);
    if (isUsed) last = Math.max(last, lbaAt(entries, at + ENTRY_LAST));
  }
  return last;
}

/** Where the MBR has nothing but one entry that keeps others off the disk, that reaches to the end again. */
async function widenProtection(volume: Volume, last: number): Promise<void> {
  const mbr = await readAt(volume, 512, 0);
  const entries = [0, 1, 2, 3].map((index) => MBR.first + index * MBR.length);
  const used = entries.filter((at) => mbr[at + MBR.type] !== 0);
  const [only] = used;
  if (only === undefined || used.length > 1 || mbr[only + MBR.type] !== MBR.protective) return;
  mbr.writeUInt32LE(Math.min(last, 0xffffffff), only + MBR.sectors);
  await volume.write(mbr, { position: 0 });
}

function seal(header: Buffer): void {
  header.writeUInt32LE(checksumOf(header), HEADER.crc);
}

/** Of a header, as if there were none in it. */
function checksumOf(header: Buffer): number {
  const bytes = Buffer.from(header.subarray(0, header.readUInt32LE(HEADER.size)));
  bytes.writeUInt32LE(0, HEADER.crc);
  return crc32(bytes);
}

/** A sector's number; more than a volume can have where it is no safe integer. */
function lbaAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

function setLba(bytes: Buffer, at: number, lba: number): void {
  bytes.writeBigUInt64LE(BigInt(lba), at);
}

function unsupported(volume: Volume, message: string): BlockhaulError {
  return new BlockhaulError("ERR_UNSUPPORTED", {
    side: "target",
    volume: volume.ref,
    message,
    hint: "`sgdisk -v` tells what is wrong with it, and `sgdisk` mends it",
  });
}
