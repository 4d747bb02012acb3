import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { BlockhaulError } from "../errors.js";

/** What a path names, for the drivers file, block and stream. */
export interface PathLocation {
  readonly path: string;
  /** It is a name within a backend, and no link there is followed. */
  readonly noLinks?: boolean;
}

export type PathScheme = "file" | "block" | "stream";

/** What programs that read and write streams call their standard input and output. */
export const STANDARD = "-";

/**
 * Which driver opens a bare path. What cannot be looked at counts as a file: opening it then fails
 * with the reason.
 */
export async function kindOfPath(path: string): Promise<PathScheme> {
  if (path === STANDARD) return "stream";
  try {
    const status = await stat(path);
    if (status.isFIFO()) return "stream";
    return status.isBlockDevice() ? "block" : "file";
  } catch {
    return "file";
  }
}

/**
 * The path of `file:PATH`, `block:PATH`, `stream:PATH`, or of a URL with three slashes, in which `%xx` counts.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parsePathRef(scheme: PathScheme, ref: string): PathLocation {
  const rest = ref.slice(scheme.length + 1);
  if (!ref.startsWith(`${scheme}:`) || rest === "") throw invalid(ref, "names no path");
  const path = rest.startsWith("//") ? pathOfUrl(ref, rest) : rest;
  // Nobody finds their backup in a file that is called so.
  if (path === STANDARD && scheme !== "stream") {
    throw invalid(
      ref,
      "stands for standard input or output, which is no file: write - alone, and of a file that is called so ./-",
    );
  }
  // The system would take the part before it for the whole.
  if (path.includes("\0")) throw invalid(ref, "has a NUL character in its path");
  return { path };
}

/** The ref of a path, read the same again whatever the path looks like. */
export function formatPathRef(scheme: PathScheme, { path }: PathLocation): string {
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
