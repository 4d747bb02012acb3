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
  const path = ref.slice(scheme.length + 1);
  if (!ref.startsWith(`${scheme}:`) || path === "" || path.includes("\0")) {
    throw new BlockhaulError("ERR_INVALID_REF", { volume: ref, message: "names no path" });
  }
  return { path: path.startsWith("//") ? pathOfUrl(ref, path) : path };
}

/** The ref of a path, read the same again whatever the path looks like. */
export function formatPathRef(scheme: "file" | "block", { path }: PathLocation): string {
  return `${scheme}:${path.startsWith("//") ? path.replace(/^\/+/, "/") : path}`;
}

function pathOfUrl(ref: string, rest: string): string {
  try {
    return fileURLToPath(`file:${rest}`).replace(/^\/+/, "/");
  } catch (cause) {
    throw new BlockhaulError("ERR_INVALID_REF", {
      volume: ref,
      message: "is not a URL of a local path: it needs three slashes, and no %2F",
      cause,
    });
  }
}
