import { BlockhaulError } from "./errors.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;
const SIZE = /^(\d+)(?:\.(\d+))?\s*(?:([kmgtpe])(?:i?b)?|b)?$/i;

/**
 * Bytes of what a person types: "4096", "64k", "4MiB", "1.5G". Units are powers of 1024, with or
 * without the "iB"; case does not matter.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT for anything else, a fraction of a byte, or 2^53 and more
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const whole = match?.[1];
  if (whole === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `"${text}" is not a size`,
      hint: "write a size as bytes or with a unit of 1024: 4096, 64k, 4MiB, 1.5G",
    });
  }
  const fraction = match?.[2] ?? "";
  const power = match?.[3] === undefined ? 0 : "kmgtpe".indexOf(match[3].toLowerCase()) + 1;
  const scaled = BigInt(whole + fraction) * 1024n ** BigInt(power);
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `"${text}" is not a whole number of bytes`,
    });
  }
  const bytes = scaled / divisor;
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `"${text}" is too large: sizes are below 8 PiB`,
    });
  }
  return Number(bytes);
}

/** "1.5 GiB"; three significant digits at the least, whole numbers of a unit without a fraction. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  // 1023.99 MiB must not be shown as 1024 MiB.
  const digits = Number.isInteger(value) || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const scale = 10 ** digits;
  return `${(Math.floor(value * scale) / scale).toFixed(digits)} ${UNITS[unit]}`;
}

/** Exactly, for people: "4 MiB", "143 MiB (150000000 bytes)", "512 bytes". */
export function sizeInWords(bytes: number): string {
  const rounded = formatSize(bytes);
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  return !rounded.includes(".") && parseSize(rounded) === bytes
    ? rounded
    : `${rounded} (${bytes} bytes)`;
}

/** The shortest text that parseSize() reads as exactly so many bytes: "4MiB", "4097". */
export function exactSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value}` : `${value}${UNITS[unit]}`;
}

/** "0:07", "12:40", "3:05:09" of seconds. */
export function formatClock(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(total / 60) % 60, total % 60];
  const hours = Math.floor(total / 3600);
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return hours > 0 ? `${hours}:${text}` : text.replace(/^0(?=\d:)/, "");
}

/** "0.8 s", "42 s", "12:40" of seconds. */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  return seconds < 120 ? `${Math.round(seconds)} s` : formatClock(seconds);
}

/** Whether a parsed value is a whole number from 0 on that no arithmetic rounds. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
