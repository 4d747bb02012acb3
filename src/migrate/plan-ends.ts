/** Which volumes a move is about, whatever they are called. */
import { realpath } from "node:fs/promises";
import path from "node:path";

import type { Backend } from "../backends.js";
import type { BlockhaulError } from "../errors.js";
import { type ResolvedRef, resolveRef } from "../refs.js";
import { pathOf } from "./identity.js";
import type { CheckedMove } from "./plan-types.js";

/** One end of a move. */
export interface MoveEnd {
  /** The same text for the same volume, as far as refs tell; undefined where they do not. */
  readonly key: string | undefined;
  readonly backend: Backend | undefined;
}

/** What was found of one move. */
export interface LookedAt extends CheckedMove {
  readonly ends: { readonly source: MoveEnd; readonly target: MoveEnd };
  /** Why it would be refused by itself. */
  readonly problems: readonly BlockhaulError[];
}

/** What a ref names; of one that names nothing, its text. */
export async function endOf(ref: string, resolve = resolveRef): Promise<MoveEnd> {
  try {
    const resolved = await resolve(ref);
    return { key: await keyOf(resolved), backend: resolved.backend };
  } catch {
    // A bare name is a backend's: which volume of it, nobody knows.
    return { key: /[:/]/.test(ref) ? `ref ${ref}` : undefined, backend: undefined };
  }
}

async function keyOf({ driver, location, backend }: ResolvedRef): Promise<string | undefined> {
  const file = pathOf(location);
  if (file !== undefined) return `path ${await realPath(file)}`;
  if (driver.formatRef !== undefined) return `${driver.name} ${driver.formatRef(location)}`;
  const name = driver.nameOf?.(location);
  return backend === undefined || name === undefined ? undefined : `${backend.name}:${name}`;
}

/** Of a file that need not exist. */
async function realPath(file: string): Promise<string> {
  const absolute = path.resolve(file);
  const folder = path.dirname(absolute);
  return realpath(absolute).catch(async () =>
    path.join(await realpath(folder).catch(() => folder), path.basename(absolute)),
  );
}
