/** Names that change hands, such that it can be done again after a kill. */
import { BlockhaulError, type Side, toBlockhaulError } from "../errors.js";
import { openVolume, type Volume } from "../volume.js";
import { type NamedVolume, nameIn } from "./target-name.js";

/**
 * Renames a volume; a run that was killed may have done so already, which its identity tells.
 *
 * @throws BlockhaulError ERR_EXISTS where another volume has the name
 */
export async function renameOnce(
  from: NamedVolume,
  to: NamedVolume,
  identity: string | undefined,
): Promise<void> {
  const name = nameIn(to);
  if (name === undefined) return;
  try {
    await from.driver.renameVolume?.(from.location, name);
  } catch (thrown) {
    const error = toBlockhaulError(thrown, { volume: from.ref, operation: "rename" });
    const isGone = error.code === "ERR_NOT_FOUND" && identity !== undefined;
    if (!isGone || (await identityAt(to)) !== identity) throw error;
  }
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

/** The identity of the volume that has a name now; undefined where none has. */
export async function identityAt({ ref }: NamedVolume): Promise<string | undefined> {
  try {
    const volume = await openVolume(ref);
    const { identity } = volume.info;
    await volume.close();
    return identity;
  } catch (thrown) {
    if (toBlockhaulError(thrown).code === "ERR_NOT_FOUND") return undefined;
    throw thrown;
  }
}
