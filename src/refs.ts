import path from "node:path";

import type { Backend } from "./backends.js";
import { findBackend, listBackendNames } from "./backends.js";
import type { VolumeDriver } from "./driver.js";
import { formatPathRef, kindOfPath, STANDARD } from "./drivers/path.js";
import { BlockhaulError } from "./errors.js";
import { driverOfScheme, knownSchemes } from "./registry.js";

/** A ref, and the driver that opens it. */
export interface ResolvedRef {
  readonly driver: VolumeDriver;
  readonly location: unknown;
  /** Where the ref names a volume of one. */
  readonly backend?: Backend | undefined;
}

/**
 * The driver and the location that a ref names. A text with a colon before its first slash has a
 * scheme, a driver's or the name of a backend; any other is a path, opened as a block device where it is
 * one, as a stream where it is a named pipe or "-", else as an image file.
 *
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNKNOWN_SCHEME; ERR_CONFIG where backends are looked for,
 *   and their file is malformed
 */
export async function resolveRef(ref: string): Promise<ResolvedRef> {
  const scheme = schemeOf(ref);
  if (scheme === undefined) {
    const kind = await kindOfPath(ref);
    const driver = await requireDriver(kind);
    return { driver, location: driver.parseRef(formatPathRef(kind, { path: ref })) };
  }
  const driver = await driverOfScheme(scheme);
  if (driver !== undefined) return { driver, location: driver.parseRef(ref) };
  const backend = await findBackend(scheme);
  if (backend === undefined) {
    // The configuration, which was read now, may have brought a driver along.
    const late = await driverOfScheme(scheme);
    if (late === undefined) throw await unknownScheme(scheme);
    return { driver: late, location: late.parseRef(ref) };
  }
  return {
    driver: backend.driver,
    location: backend.locate(ref.slice(scheme.length + 1)),
    backend,
  };
}

/** A ref that is found from any folder: of a path, the absolute one. */
export function absoluteRef(ref: string): string {
  if (ref === STANDARD) return ref;
  const scheme = schemeOf(ref);
  const isPath = scheme === undefined || scheme === "file" || scheme === "block";
  return isPath ? path.resolve(ref.replace(/^(file|block):/, "")) : ref;
}

/**
 * The scheme of a ref; undefined of a path.
 *
 * @throws BlockhaulError ERR_INVALID_REF for an empty text and one with control characters
 */
export function schemeOf(ref: string): string | undefined {
  if (ref === "") throw new BlockhaulError("ERR_INVALID_REF", { message: "the ref is empty" });
  if (hasControlCharacter(ref)) {
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: `the ref ${JSON.stringify(ref)} contains a control character`,
    });
  }
  const colon = ref.indexOf(":");
  const slash = ref.indexOf("/");
  return colon < 0 || (slash >= 0 && slash < colon) ? undefined : ref.slice(0, colon);
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character < " " || character === "\x7f");
}

async function requireDriver(scheme: string): Promise<VolumeDriver> {
  const driver = await driverOfScheme(scheme);
  if (driver === undefined) throw await unknownScheme(scheme);
  return driver;
}

async function unknownScheme(scheme: string): Promise<BlockhaulError> {
  const known = [...knownSchemes(), ...(await listBackendNames())].map((name) => `${name}:`);
  return new BlockhaulError("ERR_UNKNOWN_SCHEME", {
    message: `no driver and no backend for "${scheme}:"; known are ${known.join(", ")}`,
  });
}
