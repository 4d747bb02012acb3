/** Names that change hands, such that it can be done again after a kill. */
import { BlockhaulError, type Side, toBlockhaulError } from "../errors.js";
import type { Volume } from "../volume.js";
import { identityAt } from "./identity.js";
import { type NamedVolume, nameIn } from "./target-name.js";

/**
 * Renames a volume, and no other that has its name by now. A run that was killed may have done so already, which
 * its identity tells.
 *
 * @param identity undefined where it was never known
 * @throws BlockhaulError ERR_EXISTS where another volume has the name; ERR_NOT_FOUND; ERR_JOURNAL where another is
 *   under the old one
 */
export async function renameOnce(
  from: NamedVolume,
  to: NamedVolume,
  identity: string | undefined,
): Promise<void> {
  const name = nameIn(to);
  if (name === undefined) return;
  const found = identity === undefined ? undefined : await identityAt(from);
  if (found === identity) {
    await rename(from, name);
    return identity === undefined ? undefined : lookBehind(from, to, identity);
  }
  if ((await identityAt(to)) === identity) return;
  throw found === undefined ? missing(from) : another(from, found, identity);
}

async function rename({ driver, location, ref }: NamedVolume, name: string): Promise<void> {
  await driver.renameVolume?.(location, name).catch((thrown: unknown) => {
    throw toBlockhaulError(thrown, { volume: ref, operation: "rename" });
  });
}

/** Between the look and the rename the name may have become another volume's, which then gets it back. */
async function lookBehind(from: NamedVolume, to: NamedVolume, identity: string): Promise<void> {
  const found = await identityAt(to);
  if (found === identity) return;
  if (found === undefined) throw missing(to);
  const name = nameIn(from);
  if (name !== undefined) await rename(to, name);
  throw another(from, found, identity);
}

function missing({ ref }: NamedVolume): BlockhaulError {
  return new BlockhaulError("ERR_NOT_FOUND", {
    volume: ref,
    operation: "rename",
    message: "it does not exist any more",
  });
}

/** Something else is under the name of what a migration works on. */
export function another(
  { ref }: NamedVolume,
  found: string,
  expected: string | undefined,
): BlockhaulError {
  const message = `it is another volume: ${found}, and was ${expected}`;
  return new BlockhaulError("ERR_JOURNAL", { volume: ref, message });
}

/**
 * Why a volume must not be renamed: under another name nobody would know it again. Undefined where its identity
 * is more than its name.
 */
export function faultOfIdentity({ info, ref }: Volume, side: Side): BlockhaulError | undefined {
  if (info.identity !== ref) return undefined;
  return new BlockhaulError("ERR_UNSUPPORTED", {
    side,
    volume: ref,
    message: `the driver ${info.driver} knows its volumes by their names alone: one that is renamed would be another`,
  });
}
