import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { BlockhaulError } from "../errors.js";

/** What a path names, for the drivers file and block. */
export interface PathLocation {
  readonly path: string;
}

/**
 * Which driver opens a bare path. What cannot be looked at counts as a file: opening it then fails
 * with the reason.
 */
export async function kindOfPath(path: string): Promise<"file" | "block"> {
  try {
    return (await stat(path)).isBlockDevice() ? "block" : "file";
  } catch {
    return "file";
  }
}

/**
 * The path of `file:PATH`, `block:PATH`, or of a URL with three slashes, in which `%xx` counts.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parsePathRef(scheme: "file" | "block", ref: string): PathLocation {
  const rest = ref.slice(scheme.length + 1);
  if (!ref.startsWith(`${scheme}:`) || rest === "") throw invalid(ref, "names no path");
  const path = rest.startsWith("//") ? pathOfUrl(ref, rest) : rest;
  // The system would take the part before it for the whole.
  if (path.includes("\0")) throw invalid(ref, "has a NUL character in its path");
  return { path };
}

/** The ref of a path, read the same again whatever the path looks like. */
export function formatPathRef(scheme: "file" | "block", { path }: PathLocation): string {
  return `${scheme}:${path.startsWith("//") ? path.replace(/^\/+/, "/") : path}`;
}

function pathOfUrl(ref: string, rest: string): string {
  try {
    return fileURLToPath(`file:${rest}`).replace(/^\/+/, "/");
  } catch (cause) {
    throw invalid(ref, "is no URL of a local path: it needs three slashes, and no %2F", cause);
  }
}

function invalid(ref: string, message: string, cause?: unknown): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", { volume: ref, message, cause });
}
