import { BlockhaulError } from "../errors.js";
import { free, type HeldVolume, taken, type Verdict } from "./guard.js";
import { type Signature, signaturesOf } from "./probe.js";

/** Nothing that looks like somebody's data may be on the target. */
export async function checkSignature(target: HeldVolume, signal?: AbortSignal): Promise<Verdict> {
  if (target.volume.info.driver === "synthetic") return free("it keeps nothing");
  try {
    const signatures = await signaturesOf(target, signal);
    return signatures.length === 0
      ? free("no file system, partition table or other signature is on it")
      : taken(describeSignatures(signatures));
  } catch (error) {
    if (!(error instanceof BlockhaulError) || error.code === "ERR_CANCELLED") throw error;
    const todo = error.code === "ERR_DRIVER_UNAVAILABLE" ? ` (${error.hint})` : "";
    return taken(`nobody can say what is on it: ${error.message}${todo}`);
  }
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
