import { isCount } from "./units.js";

/** One end of a copy, as journals and manifests name it: how it is opened, and what must be found there. */
export interface VolumeEnd {
  readonly ref: string;
  readonly identity: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes. */
  readonly blockSize: number;
  /** When it was made, where its storage keeps that: an identity may be given again. */
  readonly born?: string | undefined;
}

/** Whether a parsed value names an end. */
export function isVolumeEnd(value: unknown): value is VolumeEnd {
  if (typeof value !== "object" || value === null) return false;
  const { ref, identity, size, blockSize, born } = value as Record<string, unknown>;
  return (
    typeof ref === "string" &&
    typeof identity === "string" &&
    isCount(size) &&
    isCount(blockSize) &&
    (born === undefined || typeof born === "string")
  );
}
