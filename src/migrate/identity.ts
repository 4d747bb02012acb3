/** Which volume it is that has a name. */
import { stat } from "node:fs/promises";

import type { DeleteOptions } from "../driver.js";
import { toBlockhaulError } from "../errors.js";
import { keyOf, nodeAt } from "../usage/node.js";
import { openVolume, type Volume } from "../volume.js";
import type { NamedVolume } from "./target-name.js";

/**
 * The same text for the same volume, whatever it is called. Of a file it says when that was born, too: a number of
 * an inode is given again, and a file that was made where ours was removed would be taken for it.
 */
export async function identityOf(
  { info }: Volume,
  { location }: Pick<NamedVolume, "location">,
): Promise<string> {
  const born = info.node?.inode === undefined ? undefined : await birthOf(info.node, location);
  return born === undefined ? info.identity : `${info.identity}, born ${born}`;
}

/** Which volume a driver is to remove: of a text that `identityOf` made. */
export function expectedOf(
  identity: string,
): Pick<DeleteOptions, "identity" | "born" | "hasOwnName"> {
  const [, known = identity, born] = /^(.*), born (\d+)$/.exec(identity) ?? [];
  // A kill leaves it where the record says.
  const expected = { identity: known, hasOwnName: true };
  return born === undefined ? expected : { ...expected, born };
}

/** In nanoseconds since 1970; undefined where the file system does not know it, or the path leads elsewhere. */
async function birthOf(node: Parameters<typeof keyOf>[0], location: unknown) {
  const file = pathOf(location);
  const found = file === undefined ? undefined : await nodeAt(file);
  if (file === undefined || found === undefined || keyOf(found) !== keyOf(node)) return undefined;
  const { birthtimeNs } = await stat(file, { bigint: true });
  return birthtimeNs === 0n ? undefined : birthtimeNs;
}

/** The identity of the volume that has a name now; undefined where none has. */
export async function identityAt(named: NamedVolume): Promise<string | undefined> {
  try {
    const volume = await openVolume(named.ref);
    try {
      return await identityOf(volume, named);
    } finally {
      await volume.close();
    }
  } catch (thrown) {
    if (toBlockhaulError(thrown).code === "ERR_NOT_FOUND") return undefined;
    throw thrown;
  }
}

/** Of image files and block devices. */
export function pathOf(location: unknown): string | undefined {
  const isPath = typeof location === "object" && location !== null && "path" in location;
  return isPath && typeof location.path === "string" ? location.path : undefined;
}
