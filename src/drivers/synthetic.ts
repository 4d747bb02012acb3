import type { DriverOpenOptions, OpenedVolume, VolumeDriver } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { native } from "../native.js";
import { exactSize, parseSize } from "../units.js";

/** `size` of `null:` is undefined where the ref leaves it to the open. */
export type SyntheticLocation =
  | { readonly kind: "null"; readonly size: number | undefined }
  | { readonly kind: "zero"; readonly size: number }
  | { readonly kind: "pattern"; readonly size: number; readonly seed: number };

/** Of a `null:` that is not told a size: room for any source. */
const LARGEST_SIZE = 2 ** 52;

/** Volumes without a medium: a sink, zeros, and bytes that only their offset and a seed decide. */
export const syntheticDriver: VolumeDriver<SyntheticLocation> = {
  name: "synthetic",
  schemes: ["null", "zero", "pattern"],
  summary: "volumes without a medium, for tests and benchmarks",
  refForms: ["null:[SIZE]", "zero:SIZE", "pattern:SIZE[:SEED]"],
  supports: {
    write: true,
    create: "when-missing",
    createOptions: [],
    extents: true,
    zero: true,
    snapshots: false,
    delete: false,
  },
  parseRef,
  formatRef,
  openVolume,
};

function parseRef(ref: string): SyntheticLocation {
  const [kind, sizeText = "", seedText = "0", ...rest] = ref.split(":");
  if (rest.length > 0 || (kind !== "pattern" && ref.split(":").length > 2)) {
    throw invalid(ref, "has too many parts");
  }
  if (kind === "null" && sizeText === "") return { kind, size: undefined };
  const size = parseRefSize(ref, sizeText);
  if (kind === "null" || kind === "zero") return { kind, size };
  if (kind !== "pattern") throw invalid(ref, "is not null:, zero: or pattern:");
  const seed = Number(seedText);
  if (!/^\d{1,16}$/.test(seedText) || !Number.isSafeInteger(seed)) {
    throw invalid(ref, `the seed "${seedText}" is not a whole number below 2^53`);
  }
  return { kind, size, seed };
}

function formatRef(location: SyntheticLocation): string {
  const size = location.size === undefined ? "" : exactSize(location.size);
  return location.kind === "pattern"
    ? `pattern:${size}:${location.seed}`
    : `${location.kind}:${size}`;
}

async function openVolume(
  location: SyntheticLocation,
  { mode, create, ref }: DriverOpenOptions,
): Promise<OpenedVolume> {
  if (mode === "write" && location.kind !== "null") {
    throw new BlockhaulError("ERR_READ_ONLY", {
      volume: ref,
      message: `${location.kind}: can only be read`,
    });
  }
  const size = location.size ?? create?.size ?? (mode === "write" ? LARGEST_SIZE : undefined);
  if (size === undefined) throw invalid(ref, "needs a size to be read: null:SIZE");
  const volume = native().openSynthetic({ ...location, size });
  const { identity } = volume.info;
  // Without a medium there is nothing that could go, or be written to.
  return {
    volume,
    ephemeral: true,
    identify: async () => ({ identity, size }),
    writeStamp: async () => "none",
  };
}

function parseRefSize(ref: string, text: string): number {
  try {
    return parseSize(text);
  } catch (cause) {
    const reason = cause instanceof BlockhaulError ? cause.message : String(cause);
    throw invalid(ref, text === "" ? "needs a size" : reason);
  }
}

function invalid(ref: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", {
    volume: ref,
    message,
    hint: "write null:, null:SIZE, zero:SIZE or pattern:SIZE:SEED, as in pattern:64GiB:7",
  });
}
