import { BlockhaulError } from "../errors.js";
import { free, type HeldVolume, taken, type Verdict } from "./guard.js";
import { type Signature, signaturesOf } from "./probe.js";

/** A signature and what makes it unique, such as a file system's UUID, lie within so many bytes from a multiple of it. */
const BLOCK = 4096;

/**
 * Nothing that looks like somebody's data may be on the target.
 *
 * @param copiedFrom what was copied there in part: its signatures are none of the target's own
 */
export async function checkSignature(
  target: HeldVolume,
  copiedFrom?: HeldVolume,
  signal?: AbortSignal,
): Promise<Verdict> {
  if (target.volume.info.ephemeral) return free("it keeps nothing");
  try {
    const found = await signaturesOf(target, signal);
    const foreign: Signature[] = [];
    for (const signature of found) {
      const isCopied = copiedFrom && (await isSameBlock(copiedFrom, target, signature.offset));
      if (!isCopied) foreign.push(signature);
    }
    if (foreign.length > 0) return taken(describeSignatures(foreign));
    return free(
      found.length > 0
        ? "it holds nothing but what was copied to it"
        : "no file system, partition table or other signature is on it",
    );
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code === "ERR_CANCELLED") throw error;
    const todo = error.code === "ERR_DRIVER_UNAVAILABLE" ? ` (${error.hint})` : "";
    return taken(`nobody can say what is on it: ${error.message}${todo}`);
  }
}

async function isSameBlock(one: HeldVolume, other: HeldVolume, offset: number): Promise<boolean> {
  const begin = offset - (offset % BLOCK);
  const length = Math.min(BLOCK, one.volume.size - begin);
  // It lies behind the end of what was copied.
  if (length <= 0 || begin + length <= offset) return false;
  const [first, second] = [Buffer.alloc(length), Buffer.alloc(length)];
  await one.native.read(first, begin);
  await other.native.read(second, begin);
  return first.equals(second);
}

/** Of what libblkid calls the uses of a signature; others are called by their type alone. */
const WORDS: Readonly<Record<string, string>> = {
  filesystem: "file system",
  raid: "RAID or volume manager's member",
  crypto: "encrypted volume",
  "partition-table": "partition table",
};

/** "it holds an ext4 file system "data" and a gpt partition table" */
export function describeSignatures(signatures: readonly Signature[]): string {
  // One signature may be found in several places: a GPT at both ends, with a PMBR before it.
  const texts = signatures.map(({ type, usage, label }) => {
    const word = WORDS[usage];
    const named = label === undefined || label === "" ? "" : ` ${JSON.stringify(label)}`;
    return `${type}${word === undefined ? "" : ` (${word})`}${named}`;
  });
  return `it holds ${[...new Set(texts)].join(", ")}`;
}
